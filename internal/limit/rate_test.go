package limit_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/web"
)

// caller asks for a principal and returns how it stands, by the limits' names.
func (w *world) caller(l *limit.Limits, p identity.Principal) map[string]web.Limit {
	w.t.Helper()
	got, err := l.Caller(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	by := map[string]web.Limit{}
	for _, one := range got {
		by[one.Name] = one
	}
	return by
}

var (
	machine = identity.Principal{Tenant: "t_alpha001", KeyID: "k1"}
	person  = identity.Principal{Tenant: "t_alpha001", Member: "m1"}
)

func TestAQuotaIsTakenAtOnceOrSteadily(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{Caller: 60, Tenant: 600})
	for i := range 60 {
		got := w.caller(l, machine)
		want := web.Limit{Name: "key", Quota: 60, Window: time.Minute, Remaining: 59 - i, Reset: time.Duration(i+1) * time.Second}
		if got["key"] != want || got["tenant"].Wait != 0 {
			t.Fatalf("request %d: %+v, want %+v", i+1, got, want)
		}
	}
	over := w.caller(l, machine)
	if over["key"].Wait != time.Second {
		t.Errorf("the 61st stands at %+v", over)
	}
	if _, counted := over["tenant"]; counted {
		t.Error("what a key may not is counted for its company")
	}
	w.clock.Advance(999 * time.Millisecond)
	if w.caller(l, machine)["key"].Wait != time.Millisecond {
		t.Error("one is there before its time")
	}
	for range 100 { // one a second, for ever
		w.clock.Advance(time.Second)
		if got := w.caller(l, machine)["key"]; got.Wait != 0 {
			t.Fatalf("the steady pace is refused: %+v", got)
		}
	}
}

func TestKeysMembersAndCompaniesHaveQuotasOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.instance(limit.Quotas{Caller: 60, Tenant: 100})
	use := func(p identity.Principal, n int) (passed int) {
		for range n {
			by := w.caller(l, p)
			if !slices.ContainsFunc([]string{"key", "member", "tenant"}, func(name string) bool { return by[name].Wait > 0 }) {
				passed++
			}
		}
		return passed
	}
	if n := use(machine, 200); n != 60 {
		t.Errorf("%d of a key pass", n)
	}
	if n := use(person, 200); n != 40 {
		t.Errorf("%d of a member pass: the company has 100", n)
	}
	// The same ids in another company are somebody else.
	stranger := machine
	stranger.Tenant = "t_beta0001"
	if n := use(stranger, 200); n != 60 {
		t.Errorf("%d of another company pass", n)
	}
}

func TestInstancesThatCountAtOnceGiveAQuotaOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		l := w.instance(limit.Quotas{Caller: 200, Tenant: 1000})
		for range 4 {
			all.Go(func() {
				for range 20 {
					if w.caller(l, machine)["key"].Wait == 0 {
						passed.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	if passed.Load() != 200 {
		t.Errorf("%d of 800 pass", passed.Load())
	}
}

// TestCountingIsThatOfAPlainModel plays random requests at random times at random
// instances, and compares with the two definitions written out.
func TestCountingIsThatOfAPlainModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := setup(t)
		quota := rapid.SampledFrom([]int{1, 2, 7, 60, 600}).Draw(rt, "quota")
		instances := []*limit.Limits{}
		for range rapid.IntRange(1, 4).Draw(rt, "instances") {
			instances = append(instances, w.instance(limit.Quotas{Caller: quota, Tenant: 60_000}))
		}
		every := (time.Minute / time.Duration(quota)).Truncate(time.Millisecond)
		var begun time.Time // of the window
		var n int
		var level time.Duration // of a bucket that leaks in real time
		then := w.clock.Now()
		for range rapid.IntRange(1, 400).Draw(rt, "requests") {
			wait := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 500), rapid.IntRange(0, 70_000)).Draw(rt, "ms")
			w.clock.Advance(time.Duration(wait) * time.Millisecond)
			now, l := w.clock.Now(), rapid.SampledFrom(instances).Draw(rt, "instance")

			if begun.IsZero() || now.Sub(begun) >= time.Minute {
				begun, n = now, 0
			}
			n++
			got := w.ask(l, alice)
			if (got.Wait == 0) != (n <= 100) || n > 100 && got.Wait != begun.Add(time.Minute).Sub(now) {
				rt.Fatalf("request %d of a window: %+v", n, got)
			}

			level = max(0, level-now.Sub(then))
			then = now
			fits := level+every <= every*time.Duration(quota)
			key := w.caller(l, machine)["key"]
			if (key.Wait == 0) != fits || !fits && key.Wait != level-every*time.Duration(quota-1) {
				rt.Fatalf("a level of %s, quota %d: %+v", level, quota, key)
			}
			if fits {
				level += every
			}
		}
	})
}
