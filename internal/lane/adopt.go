package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/store"
)

// An invocation is paid for as long as its longest lane takes, and a lane mostly
// waits for Amazon's tokens. So while one is driven anyway, others are driven
// beside it: those whose doorbell is late or lost, and those whose wait ends,
// which would else wake an invocation of their own. The lease alone decides who
// drives a lane; the doorbell that comes for an adopted one finds it held, or
// left again, and is done with.
//
// What looking for them costs: one query of the open markers every lookEvery,
// and one read for each lane found that this worker does not drive itself, at
// most lanesPerLook. With nothing to adopt that is 1 read unit a look for up to
// some 40 open lanes, 6 a minute and invocation, which is a few thousandths of
// what the invocation's time costs. Nothing is looked for, and nothing costs
// anything, while an invocation is full, in its first seconds, or when none runs.
const (
	lookEvery      = 10 * time.Second
	markersPerLook = 100
	lanesPerLook   = 10
	// worthwhile is the least time a lane is adopted for.
	worthwhile = 10 * time.Second
)

// Adopted tells of one lane that was adopted.
type Adopted struct {
	Doorbell Doorbell
	Stats    Stats
	Took     time.Duration
	Err      error // nothing is lost: the lane's marker stays, and the sweep rings
}

// Crew makes the calls of one invocation, all at the same time, and adopts
// waiting lanes while there is room beside them. It returns when all of them have
// ended; lanes are adopted for the same slice of time that the calls have.
// report is called for each adopted lane, one at a time.
func (e *Engine) Crew(ctx context.Context, calls []func(), report func(context.Context, Adopted)) {
	cfg := e.Config.withDefaults()
	now := e.Clock.Now()
	c := crew{e: e, cfg: cfg, taken: map[string]bool{}, flight: e.flightFor(max(len(calls), cfg.Lanes)), end: now.Add(cfg.Slice), report: report}
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.NewOwner()))
	c.luck = h.Sum64()
	// Not in the first seconds, and not when everybody else looks.
	c.look = now.Add(lookEvery/4 + time.Duration(c.luck%uint64(lookEvery*3/4)))
	for _, call := range calls {
		c.open++
		c.flight.Go(func() func() { call(); return func() {} })
	}
	// An ended ctx ends the calls, not the waiting for them.
	wctx := context.WithoutCancel(ctx)
	for c.open > 0 {
		if apply, ok := c.flight.Wait(wctx, c.adopt(ctx)); ok {
			c.open--
			apply()
		}
	}
}

// crew is what one invocation drives.
type crew struct {
	e      *Engine
	cfg    Config
	flight Flight
	report func(context.Context, Adopted)
	luck   uint64 // a random number
	end    time.Time
	open   int             // calls and adopted lanes under way
	look   time.Time       // when to look for lanes next
	many   bool            // there are more markers than one look shows
	taken  map[string]bool // lanes that somebody drove when they were looked at
	found  []candidate     // in the order in which they come due
}

// candidate is a lane that may be adopted once its time has come.
type candidate struct {
	bell Doorbell
	at   time.Time
}

// adopt takes the lanes whose time has come, as far as there is room, and
// returns when there may be more to do.
func (c *crew) adopt(ctx context.Context) time.Time {
	now := c.e.Clock.Now()
	if ctx.Err() != nil || c.open >= c.cfg.Lanes || c.end.Sub(now) < worthwhile {
		return forever
	}
	if !now.Before(c.look) {
		c.look = now.Add(lookEvery)
		var err error
		if c.found, err = c.search(ctx, now); err != nil {
			c.e.Log.WarnContext(ctx, "no lane could be looked for", "error", err.Error())
		}
	}
	for len(c.found) > 0 && c.open < c.cfg.Lanes && !c.found[0].at.After(now) {
		c.drive(ctx, c.found[0].bell)
		c.found = c.found[1:]
	}
	if c.open >= c.cfg.Lanes {
		return forever
	}
	if len(c.found) > 0 {
		return earlier(c.look, c.found[0].at)
	}
	return c.look
}

// drive adopts one lane, unless somebody else has taken it by now.
func (c *crew) drive(ctx context.Context, d Doorbell) {
	c.open++
	begun := c.e.Clock.Now()
	c.flight.Go(func() func() {
		s, mine, err := c.guarded(ctx, d)
		return func() {
			if mine || err != nil {
				c.report(ctx, Adopted{Doorbell: d, Stats: s, Took: c.e.Clock.Now().Sub(begun), Err: err})
			}
		}
	})
}

// guarded keeps a panic on an adopted lane from taking the others along.
func (c *crew) guarded(ctx context.Context, d Doorbell) (s Stats, mine bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("lane: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return c.e.drive(ctx, d.Tenant, d.Connection, c.end)
}

// marked is a lane whose marker is open.
type marked struct {
	bell  Doorbell
	since int64 // when it was last rung
}

// search finds lanes that nobody drives and that are due, or will be before the
// next look. Of many open markers it sees those behind a random one. Of those it
// looks at the ones first that were rung longest ago, and at those last that
// somebody drove before, so that busy lanes do not hide the waiting ones.
func (c *crew) search(ctx context.Context, now time.Time) ([]candidate, error) {
	q := store.Query{PK: markerPK, Limit: markersPerLook}
	if c.many {
		c.luck = c.luck*6364136223846793005 + 1442695040888963407
		const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
		q.After = "t_" + string(letters[c.luck>>33%36]) + string(letters[c.luck>>43%36])
	}
	page, err := c.e.DB.Query(ctx, store.Directory, store.Offers, q)
	if err != nil {
		return nil, fmt.Errorf("lane: look for open lanes: %w", err)
	}
	c.many = c.many || page.Next != ""
	var open []marked
	for _, it := range page.Items {
		if d, err := parseMarker(it); err == nil && d.Kind == KindLane && !c.e.driving(d) {
			open = append(open, marked{d, it.Int(aSince)})
		}
	}
	slices.SortStableFunc(open, func(a, b marked) int {
		x, y := c.taken[handKey(a.bell)], c.taken[handKey(b.bell)]
		switch {
		case x != y && x:
			return 1
		case x != y:
			return -1
		}
		return cmp.Compare(a.since, b.since)
	})
	var found []candidate
	for _, m := range open[:min(lanesPerLook, len(open))] {
		d := m.bell
		at, free, err := c.whenDue(ctx, d, now)
		if err != nil {
			return nil, err
		}
		if !free {
			c.taken[handKey(d)] = true
		}
		if free && at.Before(c.look) && c.end.Sub(at) >= worthwhile {
			found = append(found, candidate{d, at})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.at.Compare(b.at) })
	return found, nil
}

// whenDue returns from when on a lane may be adopted, if nobody drives it.
func (c *crew) whenDue(ctx context.Context, d Doorbell, now time.Time) (at time.Time, free bool, err error) {
	it, err := c.e.DB.Get(ctx, d.Tenant, store.Offers, laneKey(d.Connection))
	if errors.Is(err, store.ErrNotFound) {
		return now, true, nil
	}
	if err != nil {
		return now, false, fmt.Errorf("lane: look at a lane: %w", err)
	}
	at = now
	if it.Int(aWaitRung) == it.Int(aRung) {
		at = later(now, it.Time(aWaitUntil))
	}
	return at, it.Time(aUntil).Before(now) && it.Str(aParked) == "", nil
}

// driving reports whether this process drives the lane already.
func (e *Engine) driving(d Doorbell) bool {
	_, ok := e.inHand.Load(handKey(d))
	return ok
}

func handKey(d Doorbell) string {
	return strings.Join([]string{string(d.Tenant), string(d.Connection)}, "/")
}
