package lane

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

var errQuota = &amazon.Error{Op: "patchListingsItem", Status: http.StatusTooManyRequests, Code: "QuotaExceeded"}

// Whatever Amazon refuses and states meanwhile, no window of time holds more
// calls than the rate stated at its best, and the burst; and once Amazon is quiet
// the whole rate is back.
func TestThePacerNeverAsksForMoreThanStatedAndComesBackToIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		const burst = 4
		p := newPacer(5, burst, burst, now)
		if rapid.Bool().Draw(rt, "resumed") {
			p.resume(rapid.Float64Range(-0.5, 1.5).Draw(rt, "share"), now.Add(-time.Duration(rapid.IntRange(-5, 60).Draw(rt, "ago"))*time.Second), now)
		}
		best := p.stated
		var calls []time.Time
		steps := rapid.SliceOfN(rapid.IntRange(0, 99), 20, 300).Draw(rt, "steps")
		for _, step := range steps {
			switch {
			case step < 15:
				p.throttled(now)
				p.block(now, now.Add(time.Duration(float64(time.Second)/p.rate)))
			case step < 20:
				p.follow(float64(step - 14)) // 1 to 5
				best = max(best, p.stated)
			case step < 30:
				now = now.Add(time.Duration(step) * 100 * time.Millisecond)
			default:
				now = later(now, p.ready(now))
				p.take(now)
				calls = append(calls, now)
			}
			if p.share < leastShare-1e-9 || p.share > 1 || p.rate > p.stated+1e-9 {
				rt.Fatalf("share %v, rate %v of %v", p.share, p.rate, p.stated)
			}
		}
		for i, from := range calls {
			for k, to := range calls[i:] {
				if most := burst + best*to.Sub(from).Seconds(); float64(k+1) > most+1e-3 {
					rt.Fatalf("%d calls in %s, want at most %.2f", k+1, to.Sub(from), most)
				}
			}
		}
		now = later(now, p.blocked).Add(20 * time.Second)
		p.refill(now)
		if p.rate != p.stated {
			rt.Errorf("20 s after the last refusal the rate is %v of %v", p.rate, p.stated)
		}
	})
}

func TestASingleRefusalCostsItsBackOffOnly(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	p := newPacer(5, 4, 4, now)
	for range 10 {
		p.throttled(now)
		now = now.Add(repeated + time.Second)
	}
	if p.rate != 5 {
		t.Errorf("refusals far from each other left a rate of %v", p.rate)
	}
	p.throttled(now)
	p.throttled(now.Add(time.Second))
	if p.rate >= 5 {
		t.Errorf("refusals that repeat left a rate of %v", p.rate)
	}
}

// bucketOfAmazon grants rate and burst to us alone.
type bucketOfAmazon struct {
	rate, burst, tokens float64
	at                  time.Time
}

func (b *bucketOfAmazon) admit(now time.Time) bool {
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// A lane whose calls pile up on their way may be refused by its own fault. The
// radar must never take that for somebody else's: here the budget is ours alone,
// and calls arrive at any time between their sending and their answer.
func TestOurOwnBunchedCallsAreNobodyElses(t *testing.T) {
	t.Parallel()
	refused := 0
	rapid.Check(t, func(rt *rapid.T) {
		start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		r := newRadar(sounding{}, start)
		budget := bucketOfAmazon{rate: 5, burst: 5, tokens: 5, at: start}
		type call struct {
			w                 *onWire
			arrives, answered time.Time
			denied            bool
		}
		var open []*call
		now := start
		land := func() {
			for _, x := range append([]*call{}, open...) {
				if !x.answered.After(now) {
					out, err := amazon.Outcome(""), error(nil)
					if x.denied {
						refused++
						out, err = amazon.RetryAfter, errQuota
					}
					r.end(x.w, now, 1, pace{stated: 5, share: 1}, 5, out, err)
					open = deleteOne(open, x)
				}
			}
		}
		steps := rapid.IntRange(50, 200).Draw(rt, "calls")
		source := rand.New(rand.NewPCG(uint64(steps), rapid.Uint64().Draw(rt, "seed")))
		queue := map[time.Time][]*call{}
		for range steps {
			now = now.Add(time.Duration(source.IntN(300)) * time.Millisecond)
			arrives := now.Add(time.Duration(source.IntN(3000)) * time.Millisecond)
			x := &call{w: r.begin(now), arrives: arrives, answered: arrives.Add(time.Duration(source.IntN(200)) * time.Millisecond)}
			open = append(open, x)
			queue[arrives] = append(queue[arrives], x)
			for at := budget.at; !at.After(now); at = at.Add(time.Millisecond) {
				for _, y := range queue[at] {
					y.denied = !budget.admit(at)
				}
				delete(queue, at)
			}
			land()
		}
		for _, w := range r.Windows {
			if w.Within != 0 {
				rt.Fatalf("%d of our own refusals were taken for somebody else's: %+v", w.Within, w)
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was refused: this proves nothing")
	}
}

func deleteOne[T comparable](s []T, x T) []T {
	out := s[:0]
	for _, y := range s {
		if y != x {
			out = append(out, y)
		}
	}
	return out
}

func (w *world) quota() Quota {
	w.t.Helper()
	q, err := QuotaOf(w.t.Context(), w.db, seller, conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

func TestForeignUseOfTheQuotaIsNoticedAndItsEndToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(2700)
		w.shop.foreign = 2
		w.apply("bat_a", "19.00", skus[:900]...)
		w.pump(30 * time.Minute)
		q := w.quota()
		if !q.Suspected || q.Since.IsZero() {
			t.Fatalf("after five minutes of it nothing is suspected: %+v", q)
		}
		if q.Stated != 5 || q.Achieved < 2.7 || q.Achieved > 3.1 || q.Throttled < 0.02 || q.Throttled > 0.3 {
			t.Errorf("quota %+v, want 5 stated and the 3 that were left achieved", q)
		}
		if ev := w.events(); ev[ledger.QuotaSuspected] != 1 || ev[ledger.QuotaCleared] != 0 {
			t.Errorf("events %v, want one suspicion", ev)
		}
		w.shop.foreign = 0
		w.apply("bat_b", "19.00", skus[900:]...)
		w.pump(30 * time.Minute)
		if q := w.quota(); q.Suspected || q.Achieved < 4.8 {
			t.Errorf("six minutes after its end: %+v", q)
		}
		if ev := w.events(); ev[ledger.QuotaSuspected] != 1 || ev[ledger.QuotaCleared] != 1 {
			t.Errorf("events %v, want one suspicion and its end", ev)
		}
	})
}

func TestSuspicionEndsWhenNothingIsSentForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(901)
		w.shop.foreign = 2
		w.apply("bat_a", "19.00", skus[:900]...)
		w.pump(30 * time.Minute)
		if !w.quota().Suspected {
			t.Fatal("nothing is suspected")
		}
		_ = w.engine.Clock.Sleep(t.Context(), 2*time.Hour)
		w.shop.foreign = 0
		w.apply("bat_b", "19.00", skus[900])
		w.pump(10 * time.Minute)
		if ev := w.events(); w.quota().Suspected || ev[ledger.QuotaCleared] != 1 {
			t.Errorf("still %+v with events %v", w.quota(), ev)
		}
	})
}

// Amazon's own trouble is short, or spread thin, or says what it is about.
func TestAmazonsOwnRefusalsAreNotSuspicious(t *testing.T) {
	t.Parallel()
	long := *errQuota
	long.Message = "You exceeded your quota: more requests than allowed for the application."
	for name, c := range map[string]struct {
		rows   int
		refuse func(since time.Duration, n int, chance *rand.Rand) error
	}{
		"one in 300": {1600, func(_ time.Duration, _ int, chance *rand.Rand) error {
			if chance.IntN(300) == 0 {
				return errQuota
			}
			return nil
		}},
		"a storm of a minute and a half": {1200, func(since time.Duration, _ int, _ *rand.Rand) error {
			if since > 100*time.Second && since < 190*time.Second {
				return errQuota
			}
			return nil
		}},
		"the application's own limit": {600, func(_ time.Duration, n int, _ *rand.Rand) error {
			if n%3 == 0 {
				return &long
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				begun, chance, n := w.engine.Clock.Now(), rand.New(rand.NewPCG(3, 3)), 0
				w.shop.script = func(amazon.Patch, int) (bool, error) {
					w.shop.mu.Lock()
					defer w.shop.mu.Unlock()
					n++
					err := c.refuse(w.engine.Clock.Now().Sub(begun), n, chance)
					return err == nil, err
				}
				w.apply("bat_a", "19.00", w.stock(c.rows)...)
				w.pump(2 * time.Hour)
				if b := w.batch("bat_a"); b.Counts[Observed] != int64(c.rows) {
					t.Fatalf("batch with %v", b.Counts)
				}
				if ev := w.events(); w.quota().Suspected || ev[ledger.QuotaSuspected] != 0 {
					t.Errorf("suspected: %+v with events %v", w.quota(), ev)
				}
			})
		})
	}
}

func TestTheNextOwnerGoesOnAtTheLanesPace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := windowStart(100)
	first := w.driver(now)
	for i := range 4 {
		first.send.throttled(now.Add(time.Duration(i) * 2 * time.Second))
	}
	now = now.Add(7 * time.Second)
	share := first.send.share
	first.saveRadar(now)
	if _, err := first.lease.renew(t.Context(), w.db, now, time.Second); err != nil { // and dies
		t.Fatal(err)
	}
	second := w.driver(now.Add(2 * time.Second))
	if second.send.share < share || second.send.share > share+0.1 || second.send.rate != second.send.share*5 {
		t.Errorf("the next owner uses %v of the rate, the last one used %v", second.send.share, share)
	}
	it, err := w.db.Get(t.Context(), seller, store.Offers, laneKey(conn))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(it.Bytes(aRadar)); n == 0 || n > 400 {
		t.Errorf("the radar takes %d bytes of the lane item", n)
	}
}
