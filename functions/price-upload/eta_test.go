package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/lane"
)

// get asks for a document as the tenant and decodes it.
func (w *world) get(path, query string, into any) {
	w.t.Helper()
	status, body := w.ask(mine, http.MethodGet, path, query, "", "")
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		w.t.Fatal(err)
	}
}

type rowsDoc struct {
	Items []resultDoc
	Next  string
}

// sending is a world with a batch of two rows that no lane has taken up.
func sending(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t)
	p := w.plan("sku;marketplace;price\nSKU-1;DE;19,00\nSKU-2;DE;19,00\n")
	_, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
	var b batchDoc
	if err := json.Unmarshal([]byte(body), &b); err != nil || b.ID == "" {
		t.Fatalf("apply: %s", body)
	}
	if err := w.engine().Apply(t.Context(), seller, b.ID); err != nil {
		t.Fatal(err)
	}
	return w, b.ID
}

func TestABatchAndItsRowsHaveAnETAOrSayWhatTheyWaitFor(t *testing.T) {
	t.Parallel()
	w, id := sending(t)
	var b batchDoc
	w.get("/batches/"+id, "", &b)
	// Two rows at Amazon's five a second, and the minute until a price shows.
	if b.ETASeconds == nil || *b.ETASeconds != 61 || b.SentETASeconds == nil || *b.SentETASeconds != 1 || b.WaitingFor != nil {
		t.Errorf("eta %v, sent %v, waits for %v; want 61 s and 1 s", b.ETASeconds, b.SentETASeconds, b.WaitingFor)
	}
	var rows rowsDoc
	w.get("/batches/"+id+"/rows", "", &rows)
	if len(rows.Items) != 2 || rows.Items[0].ETASeconds == nil || *rows.Items[0].ETASeconds != 61 || rows.Items[0].WaitingFor != nil {
		t.Errorf("rows %+v", rows)
	}
	stops := lane.Stops{DB: w.db, Bell: lane.Bell{DB: w.db, Queue: w.queue, Now: w.clock.Now}}
	pause := lane.Stop{Scope: lane.ScopeBatch, ID: id, Actor: "key:good", Reason: "to look at it"}
	if err := stops.Set(t.Context(), seller, pause); err != nil {
		t.Fatal(err)
	}
	b, rows = batchDoc{}, rowsDoc{}
	w.get("/batches/"+id, "", &b)
	if b.ETASeconds != nil || b.SentETASeconds != nil || len(b.WaitingFor) != 1 || b.WaitingFor[0].Kind != lane.WaitStop ||
		b.WaitingFor[0].Stop != "batch."+id || b.WaitingFor[0].Reason != "to look at it" || b.WaitingFor[0].Since == nil {
		t.Errorf("a paused batch: eta %v, waits for %+v", b.ETASeconds, b.WaitingFor)
	}
	w.get("/batches/"+id+"/rows", "", &rows)
	if r := rows.Items[1]; r.ETASeconds != nil || r.WaitingFor == nil || r.WaitingFor.Stop != "batch."+id {
		t.Errorf("a row of a paused batch: %+v", r)
	}
}

func TestPagesOfABatchsRowsHaveTheirLimit(t *testing.T) {
	t.Parallel()
	w, id := sending(t)
	var skus []string
	next := ""
	for range 3 {
		var page rowsDoc
		w.get("/batches/"+id+"/rows", "limit=1&state=desired&after="+next, &page)
		if len(page.Items) != 1 {
			t.Fatalf("a page of one has %d rows", len(page.Items))
		}
		skus = append(skus, string(page.Items[0].SKU))
		if next = page.Next; next == "" {
			break
		}
	}
	if got := strings.Join(skus, " "); got != "SKU-1 SKU-2" {
		t.Errorf("the pages list %q", got)
	}
	var none rowsDoc
	w.get("/batches/"+id+"/rows", "limit=1&state=observed", &none)
	if len(none.Items) != 0 || none.Next != "" {
		t.Errorf("no row is observed, but %+v", none)
	}
	for _, query := range []string{"limit=0", "limit=2501", "after=MWJhdGNoZXMvOjk"} { // the last one is "batches/:9"
		if status, body := w.ask(mine, http.MethodGet, "/batches/"+id+"/rows", query, "", ""); status != http.StatusBadRequest {
			t.Errorf("?%s: %d %s", query, status, body)
		}
	}
}
