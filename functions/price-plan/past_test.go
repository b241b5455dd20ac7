package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/tenant"
)

// book is a ledger in memory.
type book struct{ leaves []ledger.Leaf }

func (b *book) Events(_ context.Context, t tenant.ID, from int64, limit int) ([]ledger.Leaf, error) {
	if t != seller || from >= int64(len(b.leaves)) {
		return nil, nil
	}
	return b.leaves[from:min(from+int64(limit), int64(len(b.leaves)))], nil
}

// saw notes that an offer was seen at a price.
func (b *book) saw(t *testing.T, k price.OfferKey, minor int64, at time.Time) {
	t.Helper()
	m := price.FromMinor(minor, "EUR")
	after, err := json.Marshal(price.Prices{Our: &m})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := json.Marshal(ledger.Event{Version: 1, Type: ledger.OfferImported, At: at.UTC().Truncate(time.Millisecond), Target: "offer:" + k.String(), After: after})
	if err != nil {
		t.Fatal(err)
	}
	b.leaves = append(b.leaves, ledger.Leaf{Index: int64(len(b.leaves)), Event: leaf})
}

// A sale in an uploaded file is judged by what the price was, as one in a small
// file is.
func TestASaleInAnUploadIsJudgedByThePastPrices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	yes := true
	omnibus := guard.Default()
	omnibus.Rules = []guard.Rule{{Limits: guard.Limits{Omnibus: &yes}}}
	if _, err := (&guard.Store{DB: w.db, Clock: w.clock}).Put(t.Context(), seller, "key:a", omnibus, guard.Default().Hash()); err != nil {
		t.Fatal(err)
	}
	known := price.FromMinor(2000, "EUR")
	for _, sku := range []price.SKU{"KNOWN", "LOWER", "SHORT"} {
		k := price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}
		if err := lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: now, Key: k}); err != nil {
			t.Fatal(err)
		}
		w.ledger.saw(t, k, 2000, now.AddDate(0, 0, map[bool]int{false: -60, true: -10}[sku == "SHORT"]))
		if sku == "LOWER" {
			w.ledger.saw(t, k, 1900, now.AddDate(0, 0, -20))
			w.ledger.saw(t, k, 2000, now.AddDate(0, 0, -15))
		}
	}
	const id = "plan_zzzzzzzzzzzzzzzzzzzzzzzzzz"
	days := ";" + now.AddDate(0, 0, 2).Format(time.DateOnly) + ";" + now.AddDate(0, 0, 9).Format(time.DateOnly) + "\n"
	w.begin(t, id, "sku;sale price;sale start;sale end\nKNOWN;18,50"+days+"LOWER;18,50"+days+"SHORT;18,50"+days)
	if done, err := w.maker.Run(t.Context(), seller, id, w.clock.Now().Add(runtime.RunFor)); err != nil || !done {
		t.Fatal(done, err)
	}
	page, err := w.plans.Rows(t.Context(), seller, id, "", 10, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Rows {
		s := string(r.Key.SKU) + " " + string(r.Verdict)
		for _, f := range r.Findings {
			s += " " + f.Code
		}
		got = append(got, s)
	}
	if want := []string{"KNOWN allowed", "LOWER held omnibus", "SHORT held omnibus-history"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p, err := w.plans.Load(t.Context(), seller, id); err != nil || p.State != plan.Ready {
		t.Errorf("%s, %v", p.State, err)
	}
}
