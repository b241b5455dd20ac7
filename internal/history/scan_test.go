package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
)

func TestAScanHasEveryEventOfItsTimeOnceInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		log, clk := &book{}, clock.NewManual(begun)
		h := &History{Ledger: log, Blobs: memory.NewBlobs(clk), Clock: clk, sizes: sizes{least: 3, most: 7, fan: 2, perPiece: 4}}
		from, to := time.Time{}, time.Time{}
		if rapid.Bool().Draw(rt, "from?") {
			from = begun.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "from")) * time.Second)
		}
		if rapid.Bool().Draw(rt, "to?") {
			to = begun.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "to")) * time.Second)
		}
		only := rapid.SampledFrom([]price.SKU{"", "A"}).Draw(rt, "only")
		var want []int64
		for range rapid.IntRange(0, 60).Draw(rt, "leaves") {
			at := begun.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "at")) * time.Second) // in any order
			sku := rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "sku")
			switch {
			case rapid.IntRange(0, 3).Draw(rt, "what") == 0:
				log.add(t, ledger.Event{Version: 1, Type: ledger.StopSet, At: at, Target: "stop:tenant"})
			default:
				if !at.Before(from) && (to.IsZero() || at.Before(to)) && (only == "" || string(only) == sku) {
					want = append(want, int64(len(log.leaves)))
				}
				log.add(t, imported(key(sku), at, price.Prices{Our: eur(100)}))
			}
			if rapid.IntRange(0, 9).Draw(rt, "grow") == 0 {
				if err := h.Grow(t.Context(), owner); err != nil {
					rt.Fatal(err)
				}
			}
		}
		s, err := h.Scan(t.Context(), owner, from, to)
		if err != nil {
			rt.Fatal(err)
		}
		var wanted func(price.OfferKey) bool
		if only != "" {
			wanted = func(k price.OfferKey) bool { return k.SKU == only }
		}
		var got []int64
		for at, more := int64(0), true; more; {
			// A job that goes on later has a scan of its own.
			if rapid.Bool().Draw(rt, "another") {
				if err := h.Grow(t.Context(), owner); err != nil {
					rt.Fatal(err)
				}
				if s, err = h.Scan(t.Context(), owner, from, to); err != nil {
					rt.Fatal(err)
				}
			}
			if at, more, err = s.Page(t.Context(), at, wanted, func(e Entry) error { got = append(got, e.Leaf); return nil }); err != nil {
				rt.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("leaves %v, want %v", got, want)
		}
	})
}

func TestAScanReadsNothingOfRunsOfAnotherTime(t *testing.T) {
	t.Parallel()
	log, clk := &book{}, clock.NewManual(begun)
	h := &History{Ledger: log, Blobs: memory.NewBlobs(clk), Clock: clk, sizes: sizes{least: 3, most: 5, fan: 9, perPiece: 4}}
	for i := range 20 {
		log.add(t, imported(key(fmt.Sprint(i)), begun.Add(time.Duration(i)*time.Minute), price.Prices{Our: eur(100)}))
	}
	if err := h.Grow(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	s, err := h.Scan(t.Context(), owner, begun.Add(7*time.Minute), begun.Add(8*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for i := range log.leaves { // only the run of leaves 5 to 9 may be read
		if i < 5 || i > 9 {
			log.leaves[i].Event = []byte("not even JSON")
		}
	}
	var got []int64
	for at, more := int64(0), true; more; {
		if at, more, err = s.Page(t.Context(), at, nil, func(e Entry) error { got = append(got, e.Leaf); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, []int64{7}) {
		t.Errorf("leaves %v, want the seventh", got)
	}
}
