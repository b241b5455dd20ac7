package lane

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// appBucket meters like Amazon: rate calls a second with a burst of one second.
type appBucket struct {
	rate int64
	full time.Time
}

func (b *appBucket) admit(t time.Time) bool {
	step := time.Second / time.Duration(b.rate)
	if b.full.Before(t) {
		b.full = t
	}
	if b.full.Sub(t) > time.Duration(b.rate-1)*step {
		return false
	}
	b.full = b.full.Add(step)
	return true
}

func TestSeatsOfAWindowAreHandedOutOnceEachAndNeverBeyondItsEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		signed := rapid.IntRange(0, 140).Draw(rt, "signed")
		late := rapid.IntRange(0, 60).Draw(rt, "late")
		db := memory.New(clock.NewManual(time.Unix(0, 0)))
		ctx := t.Context()
		var mu sync.Mutex
		taken := map[int64]bool{}
		hold := func(s seat, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				rt.Error(err)
			}
			if s.Number != 0 && taken[s.Number] {
				rt.Errorf("seat %d was handed out twice", s.Number)
			}
			taken[s.Number] = true
		}
		var wg sync.WaitGroup
		for range signed {
			wg.Go(func() { hold(signUp(ctx, db, 7)) })
		}
		wg.Wait()
		all := seatsFor(int64(signed))
		for range late {
			wg.Go(func() {
				s, err := takeLate(ctx, db, 7)
				hold(s, err)
				if s.Number > all || (s.Number > 0 && s.Seats != all) {
					rt.Errorf("late seat %+v, want one of %d", s, all)
				}
			})
		}
		wg.Wait()
		delete(taken, 0)
		if want := min(int64(signed+late), all); int64(len(taken)) != want {
			rt.Errorf("%d lanes have a seat, want %d of %d seats", len(taken), want, all)
		}
		if s, err := signUp(ctx, db, 7); late > 0 && (err != nil || s.Number != 0) {
			rt.Errorf("signed up for seat %d of a window that had begun, %v", s.Number, err)
		}
	})
}

// The promise is kept whatever the lanes do with their seats: keep still and
// then call all at once, be late, or come with clocks that differ.
func TestAllSeatsTogetherKeepTheApplicationsBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.Int64Range(0, 400).Draw(rt, "lanes")
		appRate := rapid.SampledFrom([]int64{applicationPatches, applicationReads}).Draw(rt, "rate")
		quiet := rapid.SliceOfN(rapid.IntRange(0, 3), 50, 50).Draw(rt, "quiet")
		skew := time.Duration(rapid.IntRange(0, 50).Draw(rt, "skew")) * time.Millisecond
		cfg := Config{}.withDefaults()
		all := seatsFor(n)
		var lanes []*pacer
		begin := windowStart(100)
		for range all {
			lanes = append(lanes, newPacer(cfg.Rate, cfg.Burst-1, cfg.Burst-1, begin))
		}
		amazon := appBucket{rate: appRate}
		for tick := range 1000 { // two windows, every 10 ms
			now := begin.Add(time.Duration(tick) * 10 * time.Millisecond)
			if quiet[tick/20] > 0 {
				continue // all lanes wait, and save up what they can
			}
			for i, p := range lanes {
				mine := now
				if i%2 == 1 {
					mine = now.Add(skew)
				}
				if w := windowOf(mine); windowStart(w) != p.slots.open {
					p.slots = slotsFor(seat{Window: w, Number: int64(i) + 1, Seats: all}, appRate, cfg, -1)
				}
				for !p.ready(mine).After(mine) {
					p.take(mine)
					if !amazon.admit(now) {
						rt.Fatalf("with %d seats a call at %s is over the application's %d/s", all, now.Sub(begin), appRate)
					}
				}
			}
		}
	})
}

func TestAFullHouseUsesTheWholeBudget(t *testing.T) {
	t.Parallel()
	cfg := Config{}.withDefaults()
	begin := windowStart(100)
	calls := 0
	for i := range int64(120) {
		p := newPacer(cfg.Rate, cfg.Burst-1, 0, begin)
		for w := range int64(4) {
			p.slots = slotsFor(seat{Window: 100 + w, Number: i + 1, Seats: 120}, applicationPatches, cfg, -1)
			for at := p.ready(windowStart(100 + w)); at.Before(p.slots.until); at = p.ready(at) {
				p.take(at)
				calls++
			}
		}
	}
	if want := 4 * int(windowLength/time.Second) * applicationPatches; calls < want*99/100 || calls > want*101/100 {
		t.Errorf("120 lanes made %d calls in four windows, want %d", calls, want)
	}
}

func TestTheNextOwnerHasTheSeatAndNotItsUsedSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := windowStart(100).Add(time.Second)
	first := w.driver(now)
	first.works = []*work{{}}
	first.lease.seats = seats{Now: seat{Window: 100, Number: 3, Seats: 120}, Next: seat{Window: 101, Number: 9}}
	first.gate(-1)
	first.send.tokens = 1
	at := first.send.ready(now)
	first.send.take(at)
	if err := first.lease.release(t.Context(), w.db, first.send, at, time.Time{}, ""); err != nil {
		t.Fatal(err)
	}
	second := w.driver(at)
	second.send.tokens = 4
	if got := second.send.ready(at); got.Sub(first.send.slots.start(first.send.slots.used)) < first.send.slots.period {
		t.Errorf("the next owner may call %s after the last call's slot began, want a slot of its own", got.Sub(at))
	}
	if second.lease.seats != first.lease.seats {
		t.Errorf("inherited %+v, want %+v", second.lease.seats, first.lease.seats)
	}
	// A crash leaves nothing, and a seat of an older window is worth nothing.
	third := w.driver(windowStart(102))
	if third.lease.seats.Now.Number != 0 {
		t.Errorf("a seat of an old window was inherited: %+v", third.lease.seats)
	}
}

// driver is a worker that just took the lane.
func (w *world) driver(now time.Time) *driver {
	w.t.Helper()
	w.engine.Clock = clock.NewManual(now)
	l, left, err := acquire(w.t.Context(), w.db, seller, conn, "w"+now.String(), now, time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.engine.newDriver(w.engine.Config.withDefaults(), l, left)
}

func TestTheSeatOfADeadWorkerComesBackWithTheNextWindow(t *testing.T) {
	t.Parallel()
	db := memory.New(clock.NewManual(time.Unix(0, 0)))
	for range 120 {
		if _, err := signUp(t.Context(), db, 7); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := takeLate(t.Context(), db, 7); err != nil || s.Number != 0 {
		t.Fatalf("seat %+v in a full house, %v; want none", s, err)
	}
	// All 120 die; the one who waited is alone in the next window.
	if _, err := signUp(t.Context(), db, 8); err != nil {
		t.Fatal(err)
	}
	if _, all, err := closeWindow(t.Context(), db, 8); err != nil || all != seatsFor(1) {
		t.Errorf("%d seats, %v; want those of one lane", all, err)
	}
}

func TestWithoutASeatNothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("no directory")
	w.apply("bat_a", "19.00", w.stock(3)...)
	w.stageOnly("bat_a")
	w.db.Hook = func(op memory.Op) (bool, error) {
		for _, wr := range op.Writes {
			if wr.Tenant == store.Directory && wr.Key.PK == windowPK {
				return false, broken
			}
		}
		return true, nil
	}
	if _, err := w.engine.Drive(context.Background(), seller, conn); !errors.Is(err, broken) {
		t.Errorf("Drive gave %v, want the store's error", err)
	}
	if len(w.shop.patches) != 0 {
		t.Errorf("%d patches were sent without a seat", len(w.shop.patches))
	}
}
