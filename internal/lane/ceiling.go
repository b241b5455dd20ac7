package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
)

// Amazon's page "Listings Items API Rate Limits": budgets of the whole
// application, over all its sellers, in requests per second. Searching and
// getting have 100 each; lanes read with both and hold the sum to one of them.
// The bursts are not documented: one second of the rate is assumed.
const (
	applicationPatches = 500
	applicationReads   = 100
)

// The application's budget is dealt out anew for every window of time. Lanes
// sign up for the next window while this one runs; when it begins the list is
// closed, and every lane that signed up has one seat of as many as there are.
// A lane that comes later takes one of the seats left over, or waits for the
// next window. So the seats of a window never add up to more than the budget,
// and a worker that dies holds its seat to the end of the window and no longer.
//
// Clocks of workers may differ: who is in a window is decided by conditional
// writes alone, and a skew only moves a lane's calls by as much. Half of the
// assumed burst is kept free for that, half a second of all lanes' calls.
const (
	windowLength = 5 * time.Second
	signUpAhead  = 2 * time.Second // before the end of the window before
	windowPK     = "window"
	aSeated      = "n"      // lanes that have a seat or signed up for one
	aClosed      = "closed" // how many had signed up when the window began
	aWindowTTL   = "ttl"
	aSeats       = "seats" // in the lane item: what the last owner held
)

// seat is a lane's place in one window. Number 0 is none.
type seat struct {
	Window int64 `json:"w"` // counts windows since the Unix epoch
	Number int64 `json:"n"` // from 1 to Seats
	Seats  int64 `json:"s"` // known once the window has begun
}

func windowOf(now time.Time) int64 { return now.UnixNano() / int64(windowLength) }

func windowStart(w int64) time.Time { return time.Unix(0, w*int64(windowLength)).UTC() }

func windowKey(w int64) store.Key { return store.Key{PK: windowPK, SK: fmt.Sprintf("%012d", w)} }

// seatsFor returns how many seats a window has for which n lanes signed up. Few
// lanes leave room for newcomers and need no slots; a full house leaves none, so
// that the whole budget is used.
func seatsFor(n int64) int64 {
	if n <= 8 {
		return 10
	}
	const full = applicationPatches / 5 // lanes at Amazon's default rate
	return max(n, min(n+n/4+2, full-4))
}

// seats is a lease's hold on the application's budget.
type seats struct {
	Now  seat `json:"now"`
	Next seat `json:"next"`
}

// keepSeats brings the seats up to now, and the pacers with them. Without a
// seat nothing is called, so an error of the store stops the lane.
func (d *driver) keepSeats(ctx context.Context, now time.Time) error {
	if d.idle() {
		return nil
	}
	w := windowOf(now)
	if d.lease.seats.Now.Window != w {
		var err error
		if d.lease.seats.Next.Window == w && d.lease.seats.Next.Number > 0 {
			d.lease.seats.Now = d.lease.seats.Next
			_, d.lease.seats.Now.Seats, err = closeWindow(ctx, d.e.DB, w)
		} else {
			d.lease.seats.Now, err = takeLate(ctx, d.e.DB, w)
		}
		if err != nil {
			d.lease.seats.Now = seat{}
			return fmt.Errorf("lane: seat in the window: %w", err)
		}
		d.gate(-1)
	}
	// Who found no seat signs up at once.
	full := d.lease.seats.Now.Number == 0
	if d.lease.seats.Next.Window != w+1 && (full || !now.Before(windowStart(w+1).Add(-signUpAhead))) {
		var err error
		if d.lease.seats.Next, err = signUp(ctx, d.e.DB, w+1); err != nil {
			return fmt.Errorf("lane: sign up for the next window: %w", err)
		}
	}
	return nil
}

// inherit takes over the seats that the last owner left, beginning with the
// next slot: it may have used the one that runs now.
func (d *driver) inherit(s seats, now time.Time) {
	d.lease.seats = s
	if s.Now.Window != windowOf(now) {
		d.lease.seats.Now = seat{} // nothing may be called before keepSeats
	}
	d.gate(0)
	for _, p := range []*pacer{d.send, d.read} {
		p.slots.used = p.slots.at(now)
	}
}

// gate puts the seat of this window in front of both pacers.
func (d *driver) gate(used int64) {
	d.send.slots = slotsFor(d.lease.seats.Now, applicationPatches, d.cfg, used)
	d.read.slots = slotsFor(d.lease.seats.Now, applicationReads, d.cfg, used)
}

// seatsAt is when keepSeats has something to do next.
func (d *driver) seatsAt(now time.Time) time.Time {
	next := windowStart(windowOf(now) + 1)
	if at := next.Add(-signUpAhead); at.After(now) && d.lease.seats.Next.Window <= d.lease.seats.Now.Window {
		return at
	}
	return next
}

// signUp asks for a seat in a window that has yet to begin. No seat when it has
// begun after all, by another worker's clock.
func signUp(ctx context.Context, db store.DB, w int64) (seat, error) {
	it, err := db.Update(ctx, store.Directory, store.Offers, windowKey(w), store.Update{
		Set: map[string]any{aWindowTTL: windowStart(w).Add(time.Hour).Unix()},
		Add: map[string]int64{aSeated: 1},
		If:  []store.Cond{store.Missing(aClosed)},
	})
	if errors.Is(err, store.ErrConflict) {
		return seat{Window: w}, nil
	}
	return seat{Window: w, Number: it.Int(aSeated)}, err
}

// closeWindow ends the signing up, unless somebody did, and returns how many
// seats are taken and how many there are.
func closeWindow(ctx context.Context, db store.DB, w int64) (taken, all int64, err error) {
	// A conflict means that another lane closed it or signed up between the
	// read and the write; after the first close there are no more conflicts.
	for range 100 {
		it, err := db.Get(ctx, store.Directory, store.Offers, windowKey(w))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, 0, err
		}
		n, same := it.Int(aSeated), store.Missing(aSeated)
		if _, some := it.Attrs[aSeated]; some {
			same = store.Eq(aSeated, n)
		}
		if _, closed := it.Attrs[aClosed]; closed {
			return n, seatsFor(it.Int(aClosed)), nil
		}
		_, err = db.Update(ctx, store.Directory, store.Offers, windowKey(w), store.Update{
			Set: map[string]any{aClosed: n, aWindowTTL: windowStart(w).Add(time.Hour).Unix()},
			If:  []store.Cond{same, store.Missing(aClosed)},
		})
		if err == nil {
			return n, seatsFor(n), nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return 0, 0, err
		}
	}
	return 0, 0, store.ErrConflict
}

// takeLate takes one of the seats left over in a window that has begun.
func takeLate(ctx context.Context, db store.DB, w int64) (seat, error) {
	taken, all, err := closeWindow(ctx, db, w)
	if err != nil || taken >= all {
		return seat{Window: w}, err
	}
	it, err := db.Update(ctx, store.Directory, store.Offers, windowKey(w), store.Update{
		Add: map[string]int64{aSeated: 1},
		If:  []store.Cond{store.Has(aClosed), store.AnyOf(store.Missing(aSeated), store.Lt(aSeated, all))},
	})
	if errors.Is(err, store.ErrConflict) {
		return seat{Window: w}, nil // the last one went to somebody else
	}
	return seat{Window: w, Number: it.Int(aSeated), Seats: all}, err
}

// slots are the times within a window at which a seat may make one call each.
// The seats' slots follow one another at the application's rate, so that all
// lanes together keep it whatever each of them saved up.
type slots struct {
	open, until time.Time     // the window
	offset      time.Duration // of the first slot
	period      time.Duration // 0: any time
	width       time.Duration // how late a slot may still be used
	none        bool          // no seat
	used        int64         // last slot used, -1 for none
}

// slotsFor deals out appRate calls a second. While all seats at the seller's own
// rate and burst stay within the application's rate and half its burst, there is
// nothing to divide and the seller's budget alone counts, also where Amazon
// states a higher rate for a seller than the default.
func slotsFor(s seat, appRate int64, cfg Config, used int64) slots {
	out := slots{open: windowStart(s.Window), until: windowStart(s.Window + 1), none: s.Number == 0, used: used}
	if out.none || (float64(s.Seats)*cfg.Rate <= float64(appRate) && float64(s.Seats)*cfg.Burst <= float64(appRate)/2) {
		return out
	}
	step := time.Second / time.Duration(appRate)
	out.offset = time.Duration(s.Number-1) * step
	out.period = time.Duration(s.Seats) * step
	// In any half second at most half of the burst's lanes come into a slot, so
	// that unused slots which are all made use of at once stay within that half.
	out.width = min(out.period, time.Second/2)
	return out
}

// at is the slot of a time, before the first one -1.
func (s *slots) at(t time.Time) int64 {
	since := t.Sub(s.open) - s.offset
	if s.period == 0 || since < 0 {
		return -1
	}
	return int64(since / s.period)
}

func (s *slots) start(slot int64) time.Time {
	return s.open.Add(s.offset + time.Duration(slot)*s.period)
}

// ready returns the first time from t on at which a call may be made, or the
// end of the window, when the seats change.
func (s *slots) ready(t time.Time) time.Time {
	if !t.Before(s.until) { // a seat is of no use after its window
		return t
	}
	if s.none {
		return s.until
	}
	if s.period == 0 {
		return t
	}
	slot := s.at(t)
	if slot > s.used && t.Before(s.start(slot).Add(s.width)) {
		return t
	}
	return earlier(s.start(max(slot, s.used)+1), s.until)
}

// take uses the slot of t; call it only once ready says so.
func (s *slots) take(t time.Time) { s.used = s.at(t) }
