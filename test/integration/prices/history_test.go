package prices

import (
	"crypto/rand"
	"hash/fnv"
	"slices"
	"testing"
	"testing/synctest"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/test/fakeamazon"
)

// past is the history after the stream of the offers was delivered at its worst:
// in two shards, the second before the first, every batch twice, and batches that
// overlap. Only the order of one item's changes is kept.
func (w *world) past() *history.History {
	w.t.Helper()
	log := ledger.New(w.db, envelope.New(memkms.New(rand.Reader), w.db, w.clock), w.clock, rand.Reader)
	pump := &ledger.Pump{Log: log, Mappers: map[store.Table]ledger.Mapper{store.Offers: lane.Events}}
	var shards [2][]store.Record
	for _, r := range w.db.Records(store.Offers, "") {
		h := fnv.New32a()
		_, _ = h.Write([]byte(r.Key.PK + r.Key.SK))
		shards[h.Sum32()%2] = append(shards[h.Sum32()%2], r)
	}
	slices.Reverse(shards[:])
	for _, shard := range shards {
		for from := 0; from < len(shard); from += 3 {
			for range 2 {
				if failed, err := pump.Handle(w.t.Context(), shard[from:min(from+5, len(shard))]); err != nil || len(failed) > 0 {
					w.t.Fatal(failed, err)
				}
			}
		}
	}
	return &history.History{Ledger: log, Blobs: w.blobs, Clock: w.clock}
}

func TestARowKeepsItsOutcomeWhenALaterBatchTakesTheOfferOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const odd = price.SKU("A/1#2%+é ブルー")
		w := newWorld(t,
			fakeamazon.Listing{SKU: odd, Marketplace: germany, ProductType: "SHIRT", Price: "20.00", Min: "15.00"},
			fakeamazon.Listing{SKU: "B", Marketplace: germany, ProductType: "SHIRT", Price: "20.00"})
		set := func(amount string) price.Edit { return price.Edit{Set: price.Prices{Our: eur(amount)}} }
		w.send("bat_a", change{odd, set("19.00")}, change{"B", set("19.00")})
		w.send("bat_b", change{odd, set("18.00")})
		past := w.past()

		batches := lane.NewBatches(w.db, w.blobs)
		rows, _, err := batches.Report(t.Context(), owner, "bat_a", "", 10, "")
		if err != nil || rows[0].State != lane.Superseded {
			t.Fatalf("without its history the row is %+v, %v", rows, err)
		}
		rows, _, err = batches.WithPast(past).Report(t.Context(), owner, "bat_a", "", 10, "")
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		for _, r := range rows {
			if r.State != lane.Observed || r.Submission == "" || r.At.IsZero() {
				t.Errorf("%s is %s with submission %q at %s", r.SKU, r.State, r.Submission, r.At)
			}
		}
		if rows, _, err = batches.WithPast(past).Report(t.Context(), owner, "bat_a", "", 10, lane.Superseded); err != nil || len(rows) != 0 {
			t.Errorf("superseded are %+v, %v", rows, err)
		}

		k := key(germany, odd)
		all, err := past.Of(t.Context(), owner, []price.OfferKey{k}, w.clock.Now().AddDate(-1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		steps := map[string][]ledger.Type{}
		for _, e := range all[k] {
			steps[e.Batch] = append(steps[e.Batch], e.Type)
		}
		want := slices.Sorted(slices.Values(goneWell))
		for _, batch := range []string{"bat_a", "bat_b"} {
			if got := slices.Sorted(slices.Values(steps[batch])); !slices.Equal(got, want) {
				t.Errorf("of %s the history has %v, want each of %v once", batch, got, want)
			}
		}
		var shown []string
		for _, known := range history.Timeline(all[k]) {
			shown = append(shown, known.Prices.Summary([]price.Field{price.FieldOur, price.FieldMin}))
		}
		if !slices.Equal(shown, []string{"price 20.00 EUR, minimum_price 15.00 EUR", "price 19.00 EUR, minimum_price 15.00 EUR", "price 18.00 EUR, minimum_price 15.00 EUR"}) {
			t.Errorf("the prices were %q", shown)
		}
	})
}
