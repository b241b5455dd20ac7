package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const owner tenant.ID = "t_aaaaaa"

var begun = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// book is a ledger in memory.
type book struct{ leaves []ledger.Leaf }

func (b *book) Events(_ context.Context, t tenant.ID, from int64, limit int) ([]ledger.Leaf, error) {
	if t != owner || from >= int64(len(b.leaves)) {
		return nil, nil
	}
	return b.leaves[from:min(from+int64(limit), int64(len(b.leaves)))], nil
}

func (b *book) add(t testing.TB, e ledger.Event) {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	b.leaves = append(b.leaves, ledger.Leaf{Index: int64(len(b.leaves)), Event: raw})
}

// shaky fails every operation that its luck names.
type shaky struct {
	*memory.Blobs
	fails func() bool
}

var errShaky = errors.New("the bucket does not answer")

func (s shaky) Put(ctx context.Context, t tenant.ID, b store.Bucket, name, kind string, body []byte) error {
	if s.fails() {
		return errShaky
	}
	return s.Blobs.Put(ctx, t, b, name, kind, body)
}

func (s shaky) Delete(ctx context.Context, t tenant.ID, b store.Bucket, name string) error {
	if s.fails() {
		return errShaky
	}
	return s.Blobs.Delete(ctx, t, b, name)
}

func key(sku string) price.OfferKey {
	return price.OfferKey{Connection: "conn_one", Marketplace: "A1PA6795UKMFR9", SKU: price.SKU(sku)}
}

func eur(minor int64) *price.Money { m := price.FromMinor(minor, "EUR"); return &m }

func prices(p price.Prices) json.RawMessage {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return b
}

func imported(k price.OfferKey, at time.Time, p price.Prices) ledger.Event {
	return ledger.Event{Version: 1, Type: ledger.OfferImported, At: at, Actor: "system", Target: target(k), After: prices(p)}
}

func change(typ ledger.Type, k price.OfferKey, batch string, at time.Time, before, after price.Prices, more string) ledger.Event {
	return ledger.Event{Version: 1, Type: typ, At: at, Target: target(k), Batch: batch, Before: prices(before),
		After: json.RawMessage(fmt.Sprintf(`{"row":7,"prices":%s%s}`, prices(after), more))}
}

func TestAHistoryHasEveryEventOnceHoweverItGrewAndCrashed(t *testing.T) {
	t.Parallel()
	skus := []string{"A/1", "A#1", "A%2F1", "a+b", "ブルー", "x y", "/", "1", "2", "3"}
	rapid.Check(t, func(rt *rapid.T) {
		log := &book{}
		clk := clock.NewManual(begun)
		luck := rapid.IntRange(0, 4).Draw(rt, "luck")
		n := atomic.Int64{}
		blobs := shaky{memory.NewBlobs(clk), func() bool { return luck > 0 && n.Add(1)%int64(luck+2) == 0 }}
		h := &History{Ledger: log, Blobs: blobs, Clock: clk, sizes: sizes{
			least: rapid.IntRange(1, 4).Draw(rt, "least"), most: rapid.IntRange(4, 9).Draw(rt, "most"),
			fan: rapid.IntRange(2, 3).Draw(rt, "fan"), perPiece: rapid.IntRange(2, 20).Draw(rt, "piece"),
		}}
		want := map[price.OfferKey][]int64{}
		for step := range rapid.IntRange(1, 120).Draw(rt, "steps") {
			at := begun.Add(time.Duration(step) * time.Second)
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				if err := h.Grow(t.Context(), owner); err != nil && !errors.Is(err, errShaky) {
					rt.Fatal(err)
				}
			case 1:
				log.add(t, ledger.Event{Version: 1, Type: ledger.PlanCreated, At: at, Target: "plan:1"})
			default:
				k := key(rapid.SampledFrom(skus).Draw(rt, "sku"))
				want[k] = append(want[k], int64(len(log.leaves)))
				log.add(t, imported(k, at, price.Prices{Our: eur(int64(1000 + step))}))
			}
		}
		keys := []price.OfferKey{key("never")}
		for _, sku := range skus {
			keys = append(keys, key(sku))
		}
		found, err := h.Of(t.Context(), owner, keys, time.Time{})
		if err != nil {
			rt.Fatal(err)
		}
		got := map[price.OfferKey][]int64{}
		for k, list := range found {
			for _, e := range list {
				got[k] = append(got[k], e.Leaf)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
		// Once the bucket answers again, growing leaves no more runs than it should.
		luck = 0
		for range 2 {
			if err := h.Grow(t.Context(), owner); err != nil {
				rt.Fatal(err)
			}
		}
		runs, _, spare, err := h.runs(t.Context(), owner)
		if from, to := ripe(runs, h.sizes.fan); err != nil || len(spare) > 0 || from != to {
			rt.Fatalf("%d runs, left over %v, %v", len(runs), spare, err)
		}
	})
}

func TestMergingForgetsWhatWasKeptLongEnough(t *testing.T) {
	t.Parallel()
	log := &book{}
	clk := clock.NewManual(begun)
	h := &History{Ledger: log, Blobs: memory.NewBlobs(clk), Clock: clk, sizes: sizes{least: 1, most: 1, fan: 2, perPiece: 10}}
	log.add(t, imported(key("1"), begun.Add(-Keep-time.Hour), price.Prices{Our: eur(100)}))
	log.add(t, imported(key("1"), begun.Add(-Keep+time.Hour), price.Prices{Our: eur(200)}))
	if err := h.Grow(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	got, err := h.Of(t.Context(), owner, []price.OfferKey{key("1")}, time.Time{})
	if err != nil || len(got[key("1")]) != 1 || got[key("1")][0].Leaf != 1 {
		t.Errorf("%+v, %v; want the second event alone", got, err)
	}
}

func TestAReaderWhosePieceWasMergedAwayLooksAgain(t *testing.T) {
	t.Parallel()
	log := &book{}
	clk := clock.NewManual(begun)
	blobs := memory.NewBlobs(clk)
	h := &History{Ledger: log, Blobs: blobs, Clock: clk, sizes: sizes{least: 1, most: 1, fan: 2, perPiece: 10}}
	log.add(t, imported(key("1"), begun, price.Prices{Our: eur(100)}))
	if err := h.Grow(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	merged := false
	reader := &History{Ledger: log, Clock: clk, Blobs: racing{blobs, func() {
		if merged {
			return
		}
		merged = true
		log.add(t, imported(key("1"), begun, price.Prices{Our: eur(200)}))
		if err := h.Grow(t.Context(), owner); err != nil {
			t.Error(err)
		}
	}}}
	got, err := reader.Of(t.Context(), owner, []price.OfferKey{key("1")}, time.Time{})
	if err != nil || len(got[key("1")]) != 2 {
		t.Errorf("%+v, %v; want both events", got, err)
	}
}

// racing calls before right before each Get.
type racing struct {
	*memory.Blobs
	before func()
}

func (r racing) Get(ctx context.Context, t tenant.ID, b store.Bucket, name string) ([]byte, error) {
	r.before()
	return r.Blobs.Get(ctx, t, b, name)
}

func TestAForeignTenantHasNoneOfIt(t *testing.T) {
	t.Parallel()
	log := &book{}
	clk := clock.NewManual(begun)
	h := &History{Ledger: log, Blobs: memory.NewBlobs(clk), Clock: clk, sizes: sizes{least: 1, most: 9, fan: 2, perPiece: 10}}
	log.add(t, imported(key("1"), begun, price.Prices{Our: eur(100)}))
	if err := h.Grow(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Of(t.Context(), "t_bbbbbb", []price.OfferKey{key("1")}, time.Time{}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAPriceAtAMomentIsTheLastThatWasReadByThen(t *testing.T) {
	t.Parallel()
	log := &book{}
	h := &History{Ledger: log, Blobs: memory.NewBlobs(clock.NewManual(begun)), Clock: clock.NewManual(begun)}
	k, day := key("A/1#%+"), func(n int) time.Time { return begun.AddDate(0, 0, n) }
	log.add(t, imported(k, day(0), price.Prices{Our: eur(2000), Min: eur(1500)}))
	log.add(t, change(ledger.ChangeAccepted, k, "bat_a", day(1), price.Prices{Our: eur(2000)}, price.Prices{Our: eur(900)}, ""))
	log.add(t, change(ledger.ChangeUnconfirmed, k, "bat_a", day(2), price.Prices{Our: eur(2000)}, price.Prices{Our: eur(900)}, ""))
	log.add(t, change(ledger.ChangeObserved, k, "bat_b", day(3), price.Prices{Our: eur(2000), Min: eur(1500)}, price.Prices{Our: eur(1800)}, ""))
	log.add(t, ledger.Event{Version: 1, Type: ledger.OfferDrifted, At: day(5), Target: target(k), Before: prices(price.Prices{Our: eur(1800)}), After: prices(price.Prices{Our: eur(2500)})})
	for _, c := range []struct {
		at   time.Time
		want *price.Prices
	}{
		{day(-1), nil},
		{day(0), &price.Prices{Our: eur(2000), Min: eur(1500)}},
		{day(2), &price.Prices{Our: eur(2000), Min: eur(1500)}}, // accepted and never seen
		{day(3), &price.Prices{Our: eur(1800)}},                 // the minimum was cleared
		{day(9), &price.Prices{Our: eur(2500)}},
	} {
		got, ok, err := h.At(t.Context(), owner, k, c.at)
		if err != nil || ok != (c.want != nil) {
			t.Fatalf("at %s: %t, %v", c.at, ok, err)
		}
		if ok {
			if diff := cmp.Diff(*c.want, got.Prices, cmp.Comparer(func(a, b price.Money) bool { return a == b })); diff != "" {
				t.Errorf("at %s: %s", c.at, diff)
			}
		}
	}
	recalled, err := h.Recall(t.Context(), owner, []price.OfferKey{k})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to time.Time
		want     *price.Money
		since    time.Time
	}{
		{day(-9), day(0), nil, time.Time{}},
		{day(-9), day(1), eur(2000), day(0)},
		{day(1), day(30), eur(1800), day(3)},
		{day(4), day(30), eur(1800), day(3)}, // it held when the window began
		{day(5), day(30), eur(2500), day(5)}, // it was replaced at that very moment
	} {
		lows, err := h.LowestOf(t.Context(), owner, []price.OfferKey{k}, c.from, c.to)
		low := lows[k]
		if err != nil || (low.Price == nil) != (c.want == nil) || c.want != nil && *low.Price != *c.want || !low.Since.Equal(c.since) || !low.From.Equal(day(0)) {
			t.Errorf("lowest from %s to %s: %+v, %v; want %v since %s", c.from, c.to, low, err, c.want, c.since)
		}
		for _, past := range []guard.History{h, recalled} {
			got, err := past.Lowest(t.Context(), owner, k, c.from, c.to)
			if err != nil || c.want != nil && (got.Price != *c.want || got.Whole != !c.from.Before(day(0))) || c.want == nil && got.Whole {
				t.Errorf("lowest from %s to %s for a guard: %+v, %v", c.from, c.to, got, err)
			}
		}
	}
	for _, stranger := range []guard.History{h, recalled} {
		if got, err := stranger.Lowest(t.Context(), "t_bbbbbb", k, day(0), day(9)); err != nil || got.Whole {
			t.Errorf("another tenant: %+v, %v", got, err)
		}
	}
}

func TestASaleCountsAsTheLowestPriceOnlyInItsTime(t *testing.T) {
	t.Parallel()
	log := &book{}
	h := &History{Ledger: log, Blobs: memory.NewBlobs(clock.NewManual(begun)), Clock: clock.NewManual(begun)}
	k, day := key("1"), func(n int) time.Time { return begun.AddDate(0, 0, n) }
	log.add(t, imported(k, day(0), price.Prices{Our: eur(2000), Sale: &price.Sale{Price: *eur(1200), Start: day(5), End: day(7)}}))
	log.add(t, change(ledger.ChangeObserved, k, "bat_a", day(6), price.Prices{}, price.Prices{Our: eur(1900)}, ""))
	for _, c := range []struct {
		from, to int
		want     int64
	}{{0, 5, 2000}, {0, 6, 1200}, {6, 7, 1200}, {7, 30, 1900}, {-5, 5, 2000}} {
		got, err := h.Lowest(t.Context(), owner, k, day(c.from), day(c.to))
		if err != nil || got.Price != *eur(c.want) || got.Whole != (c.from >= 0) {
			t.Errorf("from day %d to day %d: %+v, %v; want %d", c.from, c.to, got, err, c.want)
		}
	}
}

func TestRunsThatOverlapAreReadOnce(t *testing.T) {
	t.Parallel()
	name := func(level int, from, to int64, piece, of int) string {
		return run{level: level, from: from, to: to, first: begun, last: begun, events: 1}.name(piece, of)
	}
	for _, c := range []struct {
		what  string
		names []string
		want  string
		end   int64
		spare int
	}{
		{"nothing", nil, "", 0, 0},
		{"one inside the other", []string{name(0, 0, 10, 0, 1), name(0, 0, 25, 0, 1), name(0, 10, 20, 0, 1)}, "0-25 ", 25, 2},
		{"half a merged one", []string{name(0, 0, 10, 0, 1), name(0, 10, 20, 0, 1), name(1, 0, 20, 0, 2)}, "0-10 10-20 ", 20, 0}, // somebody may be at work on it
		{"a whole merged one", []string{name(0, 0, 10, 0, 1), name(0, 10, 20, 0, 1), name(1, 0, 20, 0, 2), name(1, 0, 20, 1, 2)}, "0-20 ", 20, 2},
		{"the first expired", []string{name(1, 20, 40, 0, 1), name(0, 40, 50, 0, 1)}, "20-40 40-50 ", 50, 0},
		{"one that laps over", []string{name(1, 0, 20, 0, 1), name(0, 15, 30, 0, 1)}, "0-20 ", 20, 0},
	} {
		runs, end, spare, err := cover(c.names)
		var got strings.Builder
		for _, r := range runs {
			fmt.Fprintf(&got, "%d-%d ", r.from, r.to)
		}
		if err != nil || got.String() != c.want || end != c.end || len(spare) != c.spare {
			t.Errorf("%s: %s to %d with %d to spare, %v; want %s to %d with %d", c.what, got.String(), end, len(spare), err, c.want, c.end, c.spare)
		}
	}
	if _, _, _, err := cover([]string{"runs/odd"}); err == nil {
		t.Error("a foreign name is taken for a piece")
	}
}
