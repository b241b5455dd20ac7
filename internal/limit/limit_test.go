package limit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// hashed stands for identity.Keys.Hashes.
func hashed(_ context.Context, text string) ([]string, error) {
	sum := sha256.Sum256([]byte("key" + text))
	return []string{hex.EncodeToString(sum[:16])}, nil
}

const alice, bob = "198.51.100.7", "198.51.100.8"

// world is a table, and as many instances as a test wants.
type world struct {
	t     *testing.T
	db    *memory.DB
	clock *clock.Manual
}

func setup(t *testing.T) *world {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	return &world{t, memory.New(clk), clk}
}

func (w *world) list() *edge.List {
	return edge.New(w.db, hashed, w.clock, slog.New(slog.DiscardHandler))
}

// instance is one of a function, which shares nothing with others but the table.
func (w *world) instance(q limit.Quotas) *limit.Limits { return w.over(w.db, q) }

func (w *world) over(db store.DB, q limit.Quotas) *limit.Limits {
	w.t.Helper()
	l, err := limit.New(db, hashed, w.list(), q, w.clock, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) ask(l *limit.Limits, address string) web.Limit {
	w.t.Helper()
	got, err := l.Address(w.t.Context(), address)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// passes counts how many of n requests pass.
func (w *world) passes(l *limit.Limits, address string, n int) (passed int) {
	w.t.Helper()
	for range n {
		if w.ask(l, address).Wait == 0 {
			passed++
		}
	}
	return passed
}

func TestOneHundredPassInTheMinuteFromTheFirstAndNotOneMore(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.clock.Advance(40 * time.Second) // a minute by the clock on the wall is of no matter
	l := w.instance(limit.Quotas{})
	first := w.ask(l, alice)
	if want := (web.Limit{Name: "address", Quota: 100, Window: time.Minute, Remaining: 99, Reset: time.Minute}); first != want {
		t.Errorf("the first stands at %+v, want %+v", first, want)
	}
	w.clock.Advance(30 * time.Second)
	if n := w.passes(l, alice, 98); n != 98 {
		t.Fatalf("%d of 98 pass", n)
	}
	w.clock.Advance(29*time.Second + 999*time.Millisecond)
	if last := w.ask(l, alice); last.Wait != 0 || last.Remaining != 0 {
		t.Errorf("the 100th stands at %+v", last)
	}
	if over := w.ask(l, alice); over.Wait != time.Millisecond || over.Remaining != 0 {
		t.Errorf("the 101st stands at %+v", over)
	}
	if n := w.passes(l, bob, 100); n != 100 {
		t.Errorf("%d of another address pass", n)
	}
	w.clock.Advance(time.Millisecond)
	if n := w.passes(l, alice, 200); n != 100 {
		t.Errorf("%d pass in the next minute", n)
	}
}

func TestInstancesThatCountAtOnceLetExactlyOneHundredIn(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		w := setup(t)
		var passed atomic.Int64
		var all sync.WaitGroup
		for range 12 {
			l := w.instance(limit.Quotas{})
			for range 4 {
				all.Go(func() {
					for range 10 {
						if w.ask(l, alice).Wait == 0 {
							passed.Add(1)
						}
					}
				})
			}
		}
		all.Wait()
		if passed.Load() != 100 {
			t.Fatalf("round %d: %d of 480 pass", round, passed.Load())
		}
	}
}

func TestAnIPv6AddressIsItsSite(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	for i := range 100 {
		if got := w.ask(l, fmt.Sprintf("2001:db8:1:2:%x::1", i)); got.Wait != 0 {
			t.Fatalf("request %d is refused", i)
		}
	}
	if w.ask(l, "2001:db8:1:2:ffff::9").Wait == 0 {
		t.Error("another address of the site has a limit of its own")
	}
	if w.ask(l, "2001:db8:1:3::1").Wait != 0 || w.ask(l, "::ffff:"+alice).Remaining != 99 || w.ask(l, alice).Remaining != 98 {
		t.Error("another site is refused, or IPv4 in IPv6 is not the same address")
	}
	if _, err := l.Address(t.Context(), "nonsense"); err == nil {
		t.Error("what is no address was counted")
	}
}

func TestAllowedAddressesAreNeitherCountedNorBlocked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	target, err := w.list().Target(t.Context(), bob)
	if err == nil {
		err = w.list().Allow(t.Context(), target, "their office", "operator:ann")
	}
	if err != nil {
		t.Fatal(err)
	}
	l := w.instance(limit.Quotas{Allow: "127.0.0.0/8, 2001:db8::/32,203.0.113.9"})
	for _, address := range []string{"127.0.0.1", "2001:db8:ffff::1", "203.0.113.9", "::ffff:127.3.2.1", bob} {
		for range 2000 {
			if got := w.ask(l, address); got != (web.Limit{}) {
				t.Fatalf("%s stands at %+v", address, got)
			}
		}
	}
	if n := w.passes(l, "203.0.113.10", 200); n != 100 {
		t.Errorf("%d of a neighbour pass", n)
	}
	entries, err := w.list().Entries(t.Context())
	if err != nil || len(entries) != 1 {
		t.Errorf("the list has %v, %v", entries, err)
	}
}

func TestWhatIsMisconfiguredDoesNotStart(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, q := range []limit.Quotas{{Allow: "x"}, {Allow: "1.2.3.4/33"}, {Allow: "::ffff:1.2.3.4/120"}, {Tenant: -1}, {Caller: 60_001}} {
		if _, err := limit.New(w.db, hashed, w.list(), q, w.clock, slog.New(slog.DiscardHandler), nil); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}

// Nobody who reads the table learns who asked.
func TestNoAddressIsInTheTable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.passes(w.instance(limit.Quotas{}), alice, 300)
	n := 0
	w.db.Each(func(_ tenant.ID, table store.Table, it store.Item) bool {
		if n++; strings.Contains(fmt.Sprint(it), alice) || table != store.Limits || it.Int("ttl") == 0 {
			t.Errorf("%s has %v", table, it)
		}
		return true
	})
	if n != 2 { // the window, and that it was a flood
		t.Errorf("there are %d items", n)
	}
}

var errDown = errors.New("down")

func TestARequestThatCannotBeCountedIsAnError(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	for _, applied := range []bool{false, true} {
		w.db.Hook = func(memory.Op) (bool, error) { return applied, errDown }
		if _, err := l.Address(t.Context(), alice); !errors.Is(err, errDown) {
			t.Errorf("applied %t: %v", applied, err)
		}
		if _, err := l.Caller(t.Context(), identity.Principal{Tenant: "t_alpha001", KeyID: "k"}); !errors.Is(err, errDown) {
			t.Errorf("applied %t: %v", applied, err)
		}
	}
	w.db.Hook = nil
	if got := w.ask(l, alice); got.Wait != 0 || got.Remaining != 98 {
		t.Errorf("after it: %+v", got) // the one whose answer was lost was counted
	}
	failing := func(context.Context, string) ([]string, error) { return nil, errDown }
	l, err := limit.New(w.db, failing, w.list(), limit.Quotas{}, w.clock, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Address(t.Context(), alice); !errors.Is(err, errDown) {
		t.Errorf("without a key of the hashes: %v", err)
	}
}

// stuck is a table that does not answer.
type stuck struct{ store.DB }

func (stuck) Update(ctx context.Context, _ tenant.ID, _ store.Table, _ store.Key, _ store.Update) (store.Item, error) {
	<-ctx.Done()
	return store.Item{}, ctx.Err()
}

func TestATableThatDoesNotAnswerHoldsARequestUpForASecondOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		l := w.over(stuck{w.db}, limit.Quotas{})
		start := time.Now()
		if _, err := l.Address(t.Context(), alice); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestARequestCostsOneWriteAndARefusedOneNone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	cost := func(what string, want int64, do func()) {
		t.Helper()
		before := w.db.Units()
		do()
		if got := w.db.Units(store.Limits).Write; got-before.Write != want {
			t.Errorf("%s costs %d writes, want %d", what, got-before.Write, want)
		}
	}
	cost("a hundred requests", 100, func() { w.passes(l, alice, 100) })
	cost("fifty over the limit", 0, func() { w.passes(l, alice, 50) })
	other := w.instance(limit.Quotas{})
	cost("the first at another instance", 1, func() { w.passes(other, alice, 1) })
	cost("more there", 0, func() { w.passes(other, alice, 50) })
	w.clock.Advance(time.Minute)
	cost("the next minute's first", 1, func() { w.passes(other, alice, 1) })
	cost("its second, by whom guessed wrongly", 2, func() { w.passes(l, alice, 1) })
	cost("its third", 1, func() { w.passes(l, alice, 1) })
}

// DynamoDB deletes what has expired at any time after.
func TestACounterThatIsGoneBeginsAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	p := identity.Principal{Tenant: "t_alpha001", KeyID: "k"}
	w.passes(l, alice, 50)
	if _, err := l.Caller(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	var keys []store.Write
	w.db.Each(func(id tenant.ID, table store.Table, it store.Item) bool {
		keys = append(keys, store.Write{Tenant: id, Table: table, Key: it.Key, Delete: true})
		return true
	})
	if err := w.db.Transact(t.Context(), keys...); err != nil || len(keys) != 3 {
		t.Fatal(len(keys), err)
	}
	if got := w.ask(l, alice); got.Remaining != 99 {
		t.Errorf("%+v", got)
	}
	if got, err := l.Caller(t.Context(), p); err != nil || got[0].Remaining != limit.PerCaller-1 {
		t.Errorf("%+v, %v", got, err)
	}
}
