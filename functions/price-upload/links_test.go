package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/fx"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

const sweden = price.MarketplaceID("A2NODRKZP88ZB9")

// inSweden connects the seller's account to Sweden, too, where SKU-1 costs 220.00.
func (w *world) inSweden() {
	w.t.Helper()
	_, err := w.db.Update(w.t.Context(), seller, store.Connections, store.Key{PK: "connections", SK: string(conn)}, store.Update{
		Set: map[string]any{"markets": []byte(`["A1PA6795UKMFR9","A2NODRKZP88ZB9"]`)}})
	if err != nil {
		w.t.Fatal(err)
	}
	known := price.FromMinor(22000, "SEK")
	err = lane.NewOffers(w.db).Learn(w.t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: w.clock.Now(),
		Key: price.OfferKey{Connection: conn, Marketplace: sweden, SKU: "SKU-1"}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// put sends a body that replaces what match names, and returns the new ETag.
func (w *world) put(key, path, typ, match, body string, query map[string]string) (status int, text, tag string) {
	w.t.Helper()
	return w.match(http.MethodPut, key, path, typ, match, body, query)
}

func (w *world) match(method, key, path, typ, match, body string, query map[string]string) (status int, text, tag string) {
	w.t.Helper()
	in, err := json.Marshal(events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, Body: body, QueryStringParameters: query,
		Headers: map[string]string{"Authorization": "Bearer " + key, "Content-Type": typ, "If-Match": match}})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.serve(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &res); err != nil {
		w.t.Fatal(err)
	}
	if tag = res.Headers["Etag"]; tag == "" && len(res.MultiValueHeaders["Etag"]) > 0 {
		tag = res.MultiValueHeaders["Etag"][0]
	}
	return res.StatusCode, res.Body, tag
}

// observed has the ledger know that the second row of a batch is live in Sweden.
func (w *world) observed(batch string) {
	w.t.Helper()
	target := "offer:" + price.OfferKey{Connection: conn, Marketplace: sweden, SKU: "SKU-1"}.String()
	err := w.ledger.AppendDirect(w.t.Context(), seller, "linked", ledger.Event{Type: ledger.ChangeObserved, At: w.clock.Now().Add(time.Hour), Actor: "system:price-sync",
		Target: target, Batch: batch, Before: json.RawMessage(`{"price":{"amount":"220.00","currency":"SEK"}}`),
		After: json.RawMessage(`{"row":2,"prices":{"price":{"amount":"230.28","currency":"SEK"}}}`)})
	if err != nil {
		w.t.Fatal(err)
	}
}

func ratesOf(on string) map[string]string {
	return map[string]string{"base": "EUR", "on": on, "source": "our bank"}
}

func TestAFilesPriceIsFollowedInAnotherMarketplaceAndItsTokenKnowsByWhichRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inSweden()
	link := `{"links":[{"from":"A1PA6795UKMFR9","to":"A2NODRKZP88ZB9","currency":"SEK","percent":"1"}]}`
	if status, body, _ := w.put(mine, "/links", "application/json", etag(fx.Default().Hash()), link, nil); status != http.StatusOK {
		t.Fatalf("links: %d %s", status, body)
	}
	if p := w.plan(oneRow); p.Summary.Planned != 1 || p.Summary.Refused != 1 {
		t.Errorf("without rates: %+v", p.Summary)
	}
	status, body, rates := w.put(mine, "/rates", "text/csv", `""`, "currency,rate\nSEK,11\n", ratesOf("2026-11-20"))
	if status != http.StatusOK || rates == "" {
		t.Fatalf("rates: %d %s %q", status, body, rates)
	}
	if status, body, _ := w.put(mine, "/rates", "text/csv", `""`, "currency,rate\nSEK,12\n", ratesOf("2026-11-21")); status != http.StatusConflict {
		t.Errorf("rates that nobody saw: %d %s", status, body)
	}
	if status, body, _ := w.put(mine, "/rates", "application/json", rates, "{}", nil); status != http.StatusUnsupportedMediaType {
		t.Errorf("rates as JSON: %d %s", status, body)
	}
	p := w.plan(oneRow)
	if _, body := w.ask(mine, http.MethodGet, "/plans/"+p.ID+"/rows", "", "", ""); p.Summary.Planned != 2 ||
		!strings.Contains(body, `"new":"211.09 SEK"`) || // 19.00 * 11 * 1.01
		!strings.Contains(body, `"linked":{"from":"A1PA6795UKMFR9","given":{"price":{"amount":"19.00","currency":"EUR"}},"rate":{"base":"EUR","from":"1","to":"11","on":"2026-11-20","source":"our bank"},"percent":"1"}`) {
		t.Errorf("%+v %s", p.Summary, body)
	}
	accept := `{"plan":"` + p.ID + `","token":"` + p.Token + `"}`
	if status, body, _ := w.put(mine, "/rates", "text/csv", rates, "currency,rate\nSEK,12\n", ratesOf("2026-11-21")); status != http.StatusOK {
		t.Fatalf("newer rates: %d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", accept); status != http.StatusConflict || !strings.Contains(body, "plan-rates-changed") {
		t.Errorf("with other rates: %d %s", status, body)
	}
	again := w.plan(oneRow)
	status, body = w.ask(mine, http.MethodPost, "/batches", "", "k2", `{"plan":"`+again.ID+`","token":"`+again.Token+`"}`)
	var b batchDoc
	if err := json.Unmarshal([]byte(body), &b); err != nil || status != http.StatusAccepted {
		t.Fatalf("planned again: %d %s", status, body)
	}
	w.observed(b.ID)
	status, body = w.ask(mine, http.MethodGet, "/offers/why", "connection="+string(conn)+"&marketplace=SE&sku=SKU-1&at=2026-11-22T11:00:00Z", "", "")
	if status != http.StatusOK || !strings.Contains(body, `"line":2,"linked":{"from":"A1PA6795UKMFR9",`) || !strings.Contains(body, `"to":"12","on":"2026-11-21"`) {
		t.Errorf("why: %d %s", status, body)
	}
	for _, path := range []string{"/links", "/rates"} {
		if status, body := w.ask(theirs, http.MethodGet, path, "", "", ""); status != http.StatusOK || !strings.Contains(body, `"version":0`) {
			t.Errorf("another tenant sees %d %s", status, body)
		}
	}
}
