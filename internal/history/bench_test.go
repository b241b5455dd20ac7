package history

import (
	"fmt"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// year is a ledger of the life of n changes of as many offers.
func year(b *testing.B, changes, offers int) *book {
	b.Helper()
	log := &book{}
	for i := range changes {
		k, at := key(fmt.Sprintf("SKU-%06d", i%offers)), begun.Add(time.Duration(i)*time.Second)
		was, is := price.Prices{Our: eur(2000)}, price.Prices{Our: eur(int64(1500 + i%700))}
		for _, typ := range []ledger.Type{ledger.ChangeDesired, ledger.ChangeSent, ledger.ChangeAccepted, ledger.ChangeObserved} {
			log.add(b, change(typ, k, fmt.Sprintf("bat_%026d", i/5000), at, was, is, `,"submission":"f1d2c3b4a5968778"`))
		}
	}
	return log
}

// BenchmarkAHistoryGrows shows the time and the bytes kept for one change (four
// events).
func BenchmarkAHistoryGrows(b *testing.B) {
	const changes = 50_000
	log := year(b, changes, 20_000)
	var kept int
	for b.Loop() {
		clk := clock.NewManual(begun)
		blobs := memory.NewBlobs(clk)
		h := &History{Ledger: log, Blobs: blobs, Clock: clk}
		for range 3 {
			if err := h.Grow(b.Context(), owner); err != nil {
				b.Fatal(err)
			}
		}
		names, _ := blobs.List(b.Context(), owner, store.History, prefix)
		kept = 0
		for _, name := range names {
			body, err := blobs.Get(b.Context(), owner, store.History, name)
			if err != nil {
				b.Fatal(err)
			}
			kept += len(body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/changes, "ns/change")
	b.ReportMetric(float64(kept)/changes, "B/change")
}

// BenchmarkOneOfferIsFound shows how long one offer's history takes among 200,000
// events.
func BenchmarkOneOfferIsFound(b *testing.B) {
	clk := clock.NewManual(begun)
	h := &History{Ledger: year(b, 50_000, 20_000), Blobs: memory.NewBlobs(clk), Clock: clk}
	for range 3 {
		if err := h.Grow(b.Context(), owner); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if got, err := h.Of(b.Context(), owner, []price.OfferKey{key("SKU-000007")}, time.Time{}); err != nil || len(got[key("SKU-000007")]) != 12 {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkAThousandOffersAreRecalled shows how long it takes to learn the past of
// the offers that a plan looks up at a time, among 200,000 events.
func BenchmarkAThousandOffersAreRecalled(b *testing.B) {
	clk := clock.NewManual(begun)
	h := &History{Ledger: year(b, 50_000, 20_000), Blobs: memory.NewBlobs(clk), Clock: clk}
	for range 3 {
		if err := h.Grow(b.Context(), owner); err != nil {
			b.Fatal(err)
		}
	}
	var keys []price.OfferKey
	for i := range 1_000 {
		keys = append(keys, key(fmt.Sprintf("SKU-%06d", i*19)))
	}
	for b.Loop() {
		past, err := h.Recall(b.Context(), owner, keys)
		if err != nil {
			b.Fatal(err)
		}
		if low, err := past.Lowest(b.Context(), owner, keys[7], begun, begun.AddDate(0, 0, 30)); err != nil || low.Price.Minor() == 0 {
			b.Fatal(low, err)
		}
	}
}
