package main

import (
	"context"
	"encoding/json"
	"testing"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/test/replay"
)

// back is the plan that takes a batch back, of one row that was never sent.
const (
	back      = "plan_wwwwwwwwwwwwwwwwwwwwwwwwww"
	backBatch = "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func (w *world) beginBack(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	err := w.db.Put(ctx, seller, store.Offers, store.Item{Key: store.Key{PK: "batches", SK: backBatch}, Attrs: map[string]any{
		"state": "done", "rows": []byte(`{"` + conn + `":1}`)}})
	if err != nil {
		t.Fatal(err)
	}
	row := `{"n":1,"line":2,"m":"` + de + `","sku":"SKU-1","v":1,"edit":{"set":{"price":{"amount":"18.00","currency":"EUR"}}},"old":{}}` + "\n"
	if err := w.blobs.Put(ctx, seller, store.Files, "batches/"+backBatch+"/"+string(conn)+"/00000.jsonl", "application/x-ndjson", []byte(row)); err != nil {
		t.Fatal(err)
	}
	in := plan.Input{ID: back, Tenant: seller, Actor: "key:test", File: "revert of " + backBatch, Policy: plan.SkipBadRows, Now: w.clock.Now()}
	if err := w.maker.Guards(ctx, &in); err != nil {
		t.Fatal(err)
	}
	if _, err := w.plans.BeginUndo(ctx, in, plan.Taken{Batch: backBatch, Rows: 1, Agreed: true}); err != nil {
		t.Fatal(err)
	}
}

func wayBack(w **world) replay.Check {
	return func(t *testing.T, out json.RawMessage, err error) {
		t.Helper()
		replay.Failed()(t, out, err)
		p, err := (*w).plans.Load(context.Background(), seller, back)
		if err != nil || p.State != plan.Blocked || p.Origin != plan.OfRollback || p.Summary.Refused != 1 {
			t.Fatalf("%s of origin %q with %+v, %v; want one row that is not restored", p.State, p.Origin, p.Summary.Counts, err)
		}
		rows, err := (*w).plans.Rows(context.Background(), seller, back, "", 10, price.Refused)
		if err != nil || len(rows.Rows) != 1 || rows.Rows[0].Findings[0].Code != plan.CodeNotRestored || rows.Rows[0].Key.SKU != "SKU-1" {
			t.Errorf("%+v, %v", rows.Rows, err)
		}
	}
}
