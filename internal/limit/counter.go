package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// The attributes of a counter.
const (
	aCount = "n"   // requests in the window
	aEnd   = "end" // of the window
	aTAT   = "tat" // theoretical arrival time of a rate: when all that was taken is refilled
	aTTL   = "ttl"
)

// kept is how long an item outlives its use: clocks differ, and so does DynamoDB.
const kept = 10 * time.Minute

// rule is a way of counting. An item is running while it limits anybody; when it is
// not, the next request opens it anew.
type rule interface {
	// more counts one more in a running item that has room, open the first in one
	// that is absent or not running. For every item exactly one of their conditions
	// can hold, or the item is full.
	more(now time.Time) store.Update
	open(now time.Time) store.Update
	// read says how things stand after an item was written, or when it was not.
	read(it store.Item, now time.Time) state
}

// state is what an item says.
type state struct {
	running time.Time // until when
	left    int
	full    time.Time // until when nothing can be taken; not after now: there is room
}

// window is a fixed window of a length that begins with the first request.
type window struct {
	quota  int
	length time.Duration
}

func (w window) more(now time.Time) store.Update {
	return store.Update{
		Add: map[string]int64{aCount: 1},
		If:  []store.Cond{store.Gt(aEnd, store.Millis(now)), store.Lt(aCount, int64(w.quota))},
	}
}

func (w window) open(now time.Time) store.Update {
	end := now.Add(w.length)
	return store.Update{
		Set:    map[string]any{aCount: int64(1), aEnd: store.Millis(end), aTTL: end.Add(kept).Unix()},
		Remove: []string{"flooded"},
		If:     []store.Cond{store.AnyOf(store.Missing(aEnd), store.Le(aEnd, store.Millis(now)))},
	}
}

func (w window) read(it store.Item, _ time.Time) state {
	s := state{running: it.Time(aEnd), left: w.quota - int(it.Int(aCount))}
	if s.left <= 0 {
		s.full = s.running
	}
	return s
}

// rate is the generic cell rate algorithm (ITU-T I.371 appendix I.2, as a virtual
// schedule): quota requests at once, refilled one by one over length.
type rate struct {
	quota  int
	length time.Duration
}

// every is the time in which one request is refilled, in whole milliseconds.
func (r rate) every() time.Duration {
	return (r.length / time.Duration(r.quota)).Truncate(time.Millisecond)
}

// depth is how far ahead the arrival time may be.
func (r rate) depth() time.Duration { return r.every() * time.Duration(r.quota) }

func (r rate) more(now time.Time) store.Update {
	return store.Update{
		Add: map[string]int64{aTAT: r.every().Milliseconds()},
		Set: map[string]any{aTTL: now.Add(r.length + kept).Unix()},
		If:  []store.Cond{store.Gt(aTAT, store.Millis(now)), store.Le(aTAT, store.Millis(now.Add(r.depth()-r.every())))},
	}
}

func (r rate) open(now time.Time) store.Update {
	return store.Update{
		Set: map[string]any{aTAT: store.Millis(now.Add(r.every())), aTTL: now.Add(r.length + kept).Unix()},
		If:  []store.Cond{store.AnyOf(store.Missing(aTAT), store.Le(aTAT, store.Millis(now)))},
	}
}

func (r rate) read(it store.Item, now time.Time) state {
	tat := it.Time(aTAT)
	room := now.Add(r.depth()).Sub(tat)
	s := state{running: tat, left: max(0, int(room/r.every()))}
	if s.left == 0 {
		s.full = tat.Add(r.every() - r.depth())
	}
	return s
}

// counter counts in the limits table.
type counter struct {
	db    store.DB
	clock clock.Clock
	seen  seen
}

func newCounter(db store.DB, c clock.Clock) *counter { return &counter{db: db, clock: c} }

// taken is how things stand after one was asked for.
type taken struct {
	state
	now     time.Time
	wait    time.Duration // until one can be taken; zero: this one was
	refused int           // how many this instance has refused until state.full
}

func (t taken) limit(name string, quota int) web.Limit {
	return web.Limit{Name: name, Quota: quota, Window: Window, Remaining: t.left, Reset: max(0, t.running.Sub(t.now)), Wait: t.wait}
}

// attempts bounds how often a counter is tried that others close and open between
// our writes.
const attempts = 4

var errRestless = errors.New("the counter changed under every attempt")

// take takes one of what the rule gives at a place.
func (c *counter) take(ctx context.Context, at place, r rule) (taken, error) {
	now := time.UnixMilli(store.Millis(c.clock.Now())).UTC() // as it is kept
	last := c.seen.get(at)
	if now.Before(last.full) {
		// Nothing that happens elsewhere makes room before that time.
		return taken{state: last, now: now, wait: last.full.Sub(now), refused: c.seen.refuse(at)}, nil
	}
	update := r.open(now)
	if now.Before(last.running) {
		update = r.more(now)
	}
	for range attempts {
		it, err := c.db.Update(ctx, at.tenant, store.Limits, at.key, update)
		if err == nil {
			s := r.read(it, now)
			c.seen.set(at, s, now)
			return taken{state: s, now: now}, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return taken{}, err
		}
		if it, err = c.current(ctx, at, err); errors.Is(err, store.ErrNotFound) {
			update = r.open(now)
			continue
		}
		if err != nil {
			return taken{}, err
		}
		s := r.read(it, now)
		switch {
		case now.Before(s.full):
			c.seen.set(at, s, now)
			return taken{state: s, now: now, wait: s.full.Sub(now), refused: c.seen.refuse(at)}, nil
		case now.Before(s.running):
			update = r.more(now)
		default:
			update = r.open(now)
		}
	}
	return taken{}, fmt.Errorf("%w: %w", errRestless, store.ErrConflict)
}

// current is the item that stood in the way.
func (c *counter) current(ctx context.Context, at place, err error) (store.Item, error) {
	var e *store.ConflictError
	if errors.As(err, &e) && e.Current != nil {
		return *e.Current, nil
	}
	return c.db.Get(ctx, at.tenant, store.Limits, at.key)
}
