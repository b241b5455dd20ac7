package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/download"
	"pricemanager/internal/export"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/xlsx"
)

// recordedDownload is done, and of the offers.
const recordedDownload = "dl_aaaaaaaaaaaaaaaaaaaaaaaaaa"

// make makes what was asked for, as price-export does.
func (w *world) make(id string) {
	w.t.Helper()
	maker := &download.Maker{Store: &download.Store{DB: w.db, Blobs: w.blobs, Queue: w.tables, Clock: w.clock}, Objects: w.blobs,
		Spool: pricefile.TempFiles(w.t.TempDir()), Sources: download.Sources{Offers: lane.NewOffers(w.db)}}
	if done, err := maker.Run(w.t.Context(), seller, id, w.clock.Now().Add(5*time.Minute)); !done || err != nil {
		w.t.Fatal(done, err)
	}
}

func (w *world) recordDownload() {
	w.t.Helper()
	s := download.Store{DB: w.db, Queue: w.tables, Clock: w.clock, Rand: bytes.NewReader(make([]byte, 16))}
	d, err := s.Request(w.t.Context(), seller, "key:good", "req-0", download.Spec{What: download.Offers, Format: export.CSV, Connections: []price.ConnectionID{conn}})
	if err != nil || d.ID != recordedDownload {
		w.t.Fatal(d.ID, err)
	}
	w.make(d.ID)
}

func TestADownloadHasEveryOfferAndItsLinksWork(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	before := w.tables.Len()
	status, body := w.ask(mine, http.MethodPost, "/downloads", "", "", `{"what":"offers","format":"csv"}`)
	var d downloadDoc
	if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusAccepted || d.State != download.Running || len(d.Files) != 0 || w.tables.Len() != before+1 {
		t.Fatalf("%d %s, %d messages", status, body, w.tables.Len())
	}
	w.make(d.ID)
	status, body = w.ask(mine, http.MethodGet, "/downloads/"+d.ID, "", "", "")
	if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusOK || d.State != download.Done || d.Rows != 2 || len(d.Files) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	_, file, err := w.blobs.Follow(d.Files[0].URL)
	if err != nil || !strings.Contains(string(file), "SKU-1,DE,EUR,20.00,") || !strings.Contains(string(file), "SKU-2,DE,EUR,20.00,") {
		t.Errorf("the link brings %q, %v", file, err)
	}
	if status, body = w.ask(theirs, http.MethodGet, "/downloads/"+d.ID, "", "", ""); status != http.StatusNotFound || strings.Contains(body, "memory:") {
		t.Errorf("another tenant is answered %d %s", status, body)
	}
	w.clock.Advance(download.Keep)
	if _, body = w.ask(mine, http.MethodGet, "/downloads/"+d.ID, "", "", ""); strings.Contains(body, `"url"`) || !strings.Contains(body, `"state":"done"`) {
		t.Errorf("after a day: %s", body)
	}
}

func TestATableAsksForTheScopeOfItsRows(t *testing.T) {
	t.Parallel()
	const key = "pmk_offersoffersoffe_offersoffersoffe"
	for what, want := range map[string]int{
		`{"what":"offers"}`: http.StatusAccepted, `{"what":"history"}`: http.StatusAccepted,
		`{"what":"batch","batch":"` + appliedAs + `"}`: http.StatusForbidden, `{"what":"plan","plan":"` + appliedPlan + `"}`: http.StatusForbidden,
	} {
		w := newRecorded(t)
		if status, body := w.ask(key, http.MethodPost, "/downloads", "", "", what); status != want {
			t.Errorf("%s is answered %d %s, want %d", what, status, body, want)
		}
		status, body := w.ask(mine, http.MethodPost, "/downloads", "", "", what)
		var d downloadDoc
		if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusAccepted {
			t.Fatalf("%s is answered %d %s", what, status, body)
		}
		if status, body := w.ask(key, http.MethodGet, "/downloads/"+d.ID, "", "", ""); (status == http.StatusOK) != (want == http.StatusAccepted) {
			t.Errorf("looking at %s is answered %d %s", what, status, body)
		}
	}
}

func TestWhatADownloadCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	for body, want := range map[string]string{
		`{"what":"offers","format":"pdf"}`:                                                "want one of [csv xlsx json]",
		`{"what":"offers","skus":["a"]}`:                                                  "Only a history",
		`{"what":"history","from":"yesterday"}`:                                           "want a time such as",
		`{"what":"history","marketplace":"Mars"}`:                                         "a country code such as DE",
		`{"what":"batch","batch":"bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`:                       "There is no such batch",
		`{"what":"history","batch":"bat_aaaaaaaaaaaaaaaaaaaaaaaaa"}`:                      "There is no such batch",
		`{"what":"history","skus":["a"` + strings.Repeat(`,"a"`, download.MaxSKUs) + `]}`: "1001 SKUs are named",
	} {
		if status, answer := w.ask(mine, http.MethodPost, "/downloads", "", "", body); status/100 != 4 || !strings.Contains(answer, want) {
			t.Errorf("%.60s is answered %d %s", body, status, answer)
		}
	}
}

func TestEveryTableIsAnsweredInEveryFormatAndNoted(t *testing.T) {
	t.Parallel()
	offer := "connection=" + string(conn) + "&marketplace=DE&sku=SKU-1"
	for _, c := range []struct{ path, query, what string }{
		{"/offers/export", "connection=" + string(conn), "offers"},
		{"/offers/history/export", offer, "history"},
		{"/batches/" + appliedAs + "/export", "", "batch"},
		{"/plans/" + readyPlan + "/export", "", "plan"},
	} {
		w := newRecorded(t)
		for _, f := range export.Formats() {
			seen := len(w.Records())
			r := w.fetch(c.path, c.query+"&format="+string(f))
			body := []byte(r.Body)
			if r.IsBase64Encoded {
				var err error
				if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
					t.Fatal(err)
				}
			}
			disposition := r.MultiValueHeaders["Content-Disposition"]
			if r.StatusCode != http.StatusOK || r.MultiValueHeaders["Content-Type"][0] != f.ContentType() || len(disposition) != 1 || !strings.HasSuffix(disposition[0], "."+string(f)+`"`) {
				t.Errorf("%s as %s: %d %.300s", c.path, f, r.StatusCode, body)
			}
			if f == export.XLSX {
				if _, err := xlsx.Open(bytes.NewReader(body), int64(len(body))); err != nil {
					t.Errorf("%s: %v", c.path, err)
				}
			}
			var events []ledger.Event
			for _, rec := range w.Records()[seen:] {
				events = append(events, download.Events(rec)...)
			}
			if len(events) != 1 || events[0].Type != ledger.TableExported || events[0].Actor != "key:good" || !strings.Contains(string(events[0].After), fmt.Sprintf(`{"what":%q,"format":%q,`, c.what, f)) {
				t.Errorf("%s as %s is noted as %+v", c.path, f, events)
			}
		}
	}
}

// Records are the changes of the offers table so far.
func (w *world) Records() []store.Record { return w.db.Records(store.Offers, "") }

func TestTheRowsOfABatchComeInPagesOfTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan("sku;marketplace;price\nSKU-1;DE;18,50\nSKU-2;DE;19,00\n")
	_, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
	var b batchDoc
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatalf("apply: %s", body)
	}
	if err := w.engine().Apply(t.Context(), seller, b.ID); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for after, pages := "", 0; ; pages++ {
		status, body := w.ask(mine, http.MethodGet, "/batches/"+b.ID+"/rows", "limit=1&after="+after, "", "")
		var page struct {
			Items []resultDoc
			Next  string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || len(page.Items) != 1 || pages > 1 {
			t.Fatalf("page %d: %d %s", pages, status, body)
		}
		seen += string(page.Items[0].SKU) + " "
		if after = page.Next; after == "" {
			break
		}
	}
	if seen != "SKU-1 SKU-2 " {
		t.Errorf("the pages hold %s", seen)
	}
	for _, bad := range []string{"0", "2501", "x"} {
		if status, body := w.ask(mine, http.MethodGet, "/batches/"+b.ID+"/rows", "limit="+bad, "", ""); status != http.StatusBadRequest {
			t.Errorf("limit=%s is answered %d %s", bad, status, body)
		}
	}
}

func TestALargeTableIsAnsweredInPartsThatFitIntoAnAnswer(t *testing.T) {
	t.Parallel()
	const rows = 8_000
	w := newWorld(t)
	var file strings.Builder
	file.WriteString("sku;marketplace;price\n")
	for i := range rows {
		fmt.Fprintf(&file, "NOBODYS-%05d-%s;DE;18,50\n", i, strings.Repeat("x", 300))
	}
	p := w.plan(file.String())
	seen := map[string]bool{}
	for next, parts := "", 0; ; parts++ {
		r := w.fetch("/plans/"+p.ID+"/export", "format=json&after="+next)
		var list []map[string]string
		if err := json.Unmarshal([]byte(r.Body), &list); err != nil || r.StatusCode != http.StatusOK || len(r.Body) > 5<<20 || parts > rows/exportPart {
			t.Fatalf("part %d: %d, %d bytes, %v", parts, r.StatusCode, len(r.Body), err)
		}
		for _, row := range list {
			seen[row["sku"]] = true
		}
		if len(r.MultiValueHeaders[headerNext]) == 0 {
			if parts == 0 {
				t.Errorf("all in one answer of %d bytes: the test shows nothing", len(r.Body))
			}
			break
		}
		next = r.MultiValueHeaders[headerNext][0]
	}
	if len(seen) != rows {
		t.Errorf("%d rows in all parts, want %d", len(seen), rows)
	}
}
