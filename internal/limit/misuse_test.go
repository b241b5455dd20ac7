package limit_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/limit"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store/memory"
)

// blocked asks a list that has read nothing yet.
func (w *world) blocked(address string) bool { return w.list().Admit(w.t.Context(), address) != nil }

func TestWhoFloodsIsBlockedForAnHour(t *testing.T) {
	t.Parallel()
	w := setup(t)
	instances := []*limit.Limits{w.instance(limit.Quotas{}), w.instance(limit.Quotas{})}
	for minute := range limit.FloodWindows {
		if w.blocked(alice) {
			t.Fatalf("blocked after %d minutes", minute)
		}
		for _, l := range instances { // both see it, and it is one window
			w.passes(l, alice, 300)
		}
		w.clock.Advance(time.Minute)
	}
	if !w.blocked(alice) || w.blocked(bob) {
		t.Error("the flood goes on, or a neighbour is blocked")
	}
	entries, err := w.list().Entries(t.Context())
	if err != nil || len(entries) != 1 || entries[0].By != "automatic:flood" || entries[0].Reason == "" || entries[0].Allowed {
		t.Errorf("%+v, %v", entries, err)
	}
	w.clock.Advance(limit.FloodBlock - time.Minute - time.Second)
	if !w.blocked(alice) {
		t.Error("free before the hour is over")
	}
	w.clock.Advance(time.Second)
	if w.blocked(alice) {
		t.Error("blocked after the hour")
	}
	// And then it counts from the beginning.
	w.passes(instances[0], alice, 300)
	if w.blocked(alice) {
		t.Error("one more minute, and it is blocked again")
	}
}

func TestWhoAsksALittleTooOftenIsNotBlocked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	for range 60 {
		w.passes(l, alice, 199)
		w.clock.Advance(time.Minute)
	}
	if w.blocked(alice) {
		t.Error("blocked with not even twice the limit")
	}
}

func TestFloodsThatAreFarApartAreForgotten(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	for range 20 {
		w.passes(l, alice, 300)
		w.clock.Advance(limit.FloodMemory/2 + time.Second)
	}
	if w.blocked(alice) {
		t.Error("blocked with two floods an hour")
	}
}

func TestAnIPv6FloodBlocksItsSite(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	for range limit.FloodWindows {
		for i := range 300 {
			w.ask(l, fmt.Sprintf("2001:db8:1:2::%x", i))
		}
		w.clock.Advance(time.Minute)
	}
	if !w.blocked("2001:db8:1:2:3::4") || w.blocked("2001:db8:1:3::1") {
		t.Error("the site is free, or its neighbour is not")
	}
}

func TestAFloodThatCannotBeNotedIsStillRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{})
	w.passes(l, alice, 100)
	w.db.Hook = func(memory.Op) (bool, error) { return false, errDown }
	if n := w.passes(l, alice, 300); n != 0 {
		t.Errorf("%d pass", n)
	}
}

// stuffing is a rule as sign-in has one.
var stuffing = limit.Rule{Name: "sign-in", Reports: 20, Within: time.Hour, Block: 2 * time.Hour, Reason: "wrong passwords"}

func TestEnoughReportsBlockAndTheBlockIsTold(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var told bytes.Buffer
	m := limit.NewMisuse(w.db, hashed, w.list(), stuffing, w.clock, metrics.New(&told, w.clock, "svc", "test"))
	for i := range 20 {
		if got, err := m.Report(t.Context(), alice); err != nil || got != (i == 19) {
			t.Fatalf("report %d blocks: %t, %v", i+1, got, err)
		}
	}
	for range 5 { // of instances that have not read the list again yet
		if got, err := m.Report(t.Context(), alice); got || err != nil {
			t.Errorf("blocked once more: %t, %v", got, err)
		}
	}
	if !w.blocked(alice) || strings.Count(told.String(), `"AddressesShutOut":1`) != 1 || strings.Contains(told.String(), alice) {
		t.Errorf("blocked %t, told %s", w.blocked(alice), told.String())
	}
	w.clock.Advance(stuffing.Block)
	if w.blocked(alice) {
		t.Error("the block does not end")
	}
	if _, err := m.Report(t.Context(), "nonsense"); err != nil {
		t.Error(err) // noted, and never blocked
	}
}

func TestReportsAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var blocks atomic.Int64
	var all sync.WaitGroup
	for range 19 {
		m := limit.NewMisuse(w.db, hashed, w.list(), stuffing, w.clock, nil)
		all.Go(func() {
			if b, err := m.Report(t.Context(), alice); b || err != nil {
				blocks.Add(1)
			}
		})
	}
	all.Wait()
	if blocks.Load() != 0 || w.blocked(alice) {
		t.Errorf("blocked after 19 reports, %d of them", blocks.Load())
	}
	m := limit.NewMisuse(w.db, hashed, w.list(), stuffing, w.clock, nil)
	if b, err := m.Report(t.Context(), alice); !b || err != nil {
		t.Error(b, err)
	}
}

func TestWhatPeopleSayOfAnAddressStays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for address, set := range map[string]func() error{
		alice: func() error {
			target, err := w.list().Target(t.Context(), alice)
			if err != nil {
				return err
			}
			return w.list().Allow(t.Context(), target, "their office", "operator:ann")
		},
		bob: func() error {
			target, err := w.list().Target(t.Context(), bob)
			if err != nil {
				return err
			}
			return w.list().Block(t.Context(), target, 30*24*time.Hour, "known for it", "operator:ann")
		},
	} {
		if err := set(); err != nil {
			t.Fatal(err)
		}
		m := limit.NewMisuse(w.db, hashed, w.list(), stuffing, w.clock, nil)
		for range 25 {
			if _, err := m.Report(t.Context(), address); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.clock.Advance(3 * time.Hour)
	if w.blocked(alice) || !w.blocked(bob) {
		t.Errorf("alice blocked %t, bob %t: a rule wrote over people", w.blocked(alice), w.blocked(bob))
	}
}
