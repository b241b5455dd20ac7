package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
)

// odd is an SKU with everything that a URL has a meaning for.
const odd = price.SKU("A/1#2%+é ブルー")

// lived gives odd a past: imported, changed by row 1 of the applied plan, and
// changed by somebody else.
func (w *world) lived() {
	w.t.Helper()
	target := "offer:" + price.OfferKey{Connection: conn, Marketplace: de, SKU: odd}.String()
	at := func(minutes int) time.Time { return w.clock.Now().Add(time.Duration(minutes) * time.Minute) }
	our := func(amount string) json.RawMessage {
		return json.RawMessage(`{"price":{"amount":"` + amount + `","currency":"EUR"}}`)
	}
	step := func(typ ledger.Type, minutes int, more string) ledger.Event {
		return ledger.Event{Type: typ, At: at(minutes), Actor: "system:price-sync", Target: target, Batch: appliedAs, Before: our("20.00"),
			After: json.RawMessage(fmt.Sprintf(`{"row":1,"prices":%s%s}`, our("18.50"), more))}
	}
	for i, e := range []ledger.Event{
		{Type: ledger.OfferImported, At: at(-60), Actor: "system:price-sync", Target: target, Before: our("20.00"), After: our("20.00")},
		step(ledger.ChangeDesired, 1, ""), step(ledger.ChangeAccepted, 2, `,"submission":"sub-1"`), step(ledger.ChangeObserved, 30, `,"submission":"sub-1","visible_ms":1680000`),
		{Type: ledger.OfferDrifted, At: at(120), Actor: "system:price-sync", Target: target, Before: our("18.50"), After: our("25.00")},
	} {
		if err := w.ledger.AppendDirect(w.t.Context(), seller, fmt.Sprint("lived", i), e); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) askAbout(path string, sku price.SKU, more string) (int, string) {
	w.t.Helper()
	return w.ask(mine, http.MethodGet, path, "connection="+string(conn)+"&marketplace=DE&sku="+string(sku)+more, "", "")
}

func TestWhyThisPriceIsAnsweredForEveryMoment(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	for _, c := range []struct {
		at   string
		want []string
		not  string
	}{
		{"2026-11-22T07:59:00Z", []string{`"known":false`}, `"how"`},
		{"2026-11-22T09:15:00Z", []string{`"amount":"20.00"`, `"type":"offer.imported"`}, `"change":`},
		{"2026-11-22T10:00:00Z", []string{`"field":"price"`, `"amount":"18.50"`, `"batch":"` + appliedAs, `"plan":"` + appliedPlan, `"actor":"key:good"`, `"madeBy":"key:good"`, `"file":"p.csv"`, `"line":2`,
			`"guards":"`, `"type":"change.desired"`, `"type":"change.accepted"`, `"submission":"sub-1"`, `"visibleSeconds":1680`}, ""},
		{"2026-11-22T12:00:00Z", []string{`"amount":"25.00"`, `"type":"offer.drifted"`}, `"change":`},
	} {
		status, body := w.askAbout("/offers/why", odd, "&at="+c.at)
		if status != http.StatusOK || c.not != "" && strings.Contains(body, c.not) {
			t.Errorf("at %s: %d %s", c.at, status, body)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("at %s: no %s in %s", c.at, want, body)
			}
		}
	}
}

// What somebody else changed of an offer since does not make the price theirs.
func TestWhyIsAnsweredForOnePriceOfTheOffer(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	err := w.ledger.AppendDirect(t.Context(), seller, "minimum", ledger.Event{Type: ledger.OfferDrifted, At: w.clock.Now().Add(3 * time.Hour), Actor: "system:price-sync",
		Target: "offer:" + price.OfferKey{Connection: conn, Marketplace: de, SKU: odd}.String(),
		After:  json.RawMessage(`{"price":{"amount":"25.00","currency":"EUR"},"minimum_price":{"amount":"9.00","currency":"EUR"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"&at=2026-11-22T12:30:00Z":                     `"field":"price","since":"2026-11-22T11:00:00Z"`,
		"&field=minimum_price&at=2026-11-22T12:30:00Z": `"field":"minimum_price","since":"2026-11-22T12:00:00Z"`,
		"&field=b2b_price&at=2026-11-22T12:30:00Z":     `"prices":{`,
	} {
		if status, body := w.askAbout("/offers/why", odd, query); status != http.StatusOK || !strings.Contains(body, want) || strings.Contains(query, "b2b") && strings.Contains(body, `"field":"b2b`) {
			t.Errorf("%s: %d %s, want %s", query, status, body, want)
		}
	}
	if status, body := w.askAbout("/offers/why", odd, "&field=colour"); status != http.StatusBadRequest {
		t.Errorf("a field that there is none of: %d %s", status, body)
	}
}

func TestThePagesOfAHistoryHoldEveryEventOnce(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	var got []int64
	for after, pages := "", 0; pages < 9; pages++ {
		status, body := w.askAbout("/offers/history", odd, "&limit=2&after="+after)
		var page struct {
			Items []eventDoc
			Next  string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || len(page.Items) > 2 {
			t.Fatalf("%d %s", status, body)
		}
		for _, e := range page.Items {
			got = append(got, e.Event)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if fmt.Sprint(got) != "[0 1 2 3 4]" {
		t.Errorf("events %v, want those of the five leaves in order", got)
	}
	if _, body := w.askAbout("/offers/history", odd, "&from=2026-11-22T09:02:00Z&to=2026-11-22T11:00:00Z"); strings.Count(body, `"event":`) != 2 || !strings.Contains(body, `"change.observed"`) {
		t.Errorf("from the second minute to the next hour: %s", body)
	}
	for _, bad := range []string{"&from=yesterday", "&to=1", "&after=" + url.QueryEscape("MXg")} {
		if status, body := w.askAbout("/offers/history", odd, bad); status != http.StatusBadRequest {
			t.Errorf("%s is answered %d %s", bad, status, body)
		}
	}
}

func TestAnotherTenantsHistoryDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	for _, path := range []string{"/offers/history", "/offers/why", "/offers/history/export", "/offers/export"} {
		query := "connection=" + string(conn) + "&marketplace=DE&sku=" + string(odd)
		if status, body := w.ask(theirs, http.MethodGet, path, query, "", ""); status != http.StatusNotFound || strings.Contains(body, "18.50") {
			t.Errorf("%s of another tenant: %d %s", path, status, body)
		}
		if status, body := w.ask(theirs, http.MethodGet, path, strings.Replace(query, string(conn), "conn_bbbbbbbbbbbbbbbbbbbbbbbbbb", 1), "", ""); strings.Contains(body, "18.50") {
			t.Errorf("%s of the same SKU in another tenant: %d %s", path, status, body)
		}
	}
	if status, body := w.ask(theirs, http.MethodGet, "/batches/"+appliedAs+"/export", "", "", ""); status != http.StatusNotFound {
		t.Errorf("the batch of another tenant: %d %s", status, body)
	}
}

// fetch asks for something that is no JSON.
func (w *world) fetch(path, query string) (out events.APIGatewayProxyResponse) {
	w.t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		w.t.Fatal(err)
	}
	ev := events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: path, Headers: map[string]string{"Authorization": "Bearer " + mine}, MultiValueQueryStringParameters: values}
	in, err := json.Marshal(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := w.serve(w.t.Context(), in)
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestAnExportOfManyOffersSaysWhereItGoesOn(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	rows := 0
	next := ""
	for range 5 {
		r := w.fetch("/offers/export", "connection="+string(conn)+"&limit=1&after="+next)
		lines := strings.Split(strings.TrimSpace(r.Body), "\n")
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(lines[0], "\ufeffsku,marketplace,") || len(lines) > 2 {
			t.Fatalf("%d %q", r.StatusCode, r.Body)
		}
		rows += len(lines) - 1
		if next = ""; len(r.MultiValueHeaders[headerNext]) == 0 {
			break
		}
		next = r.MultiValueHeaders[headerNext][0]
	}
	if next != "" || rows != 2 {
		t.Errorf("%d offers in all parts, next %q; want both and an end", rows, next)
	}
}
