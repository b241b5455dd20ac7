package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Attributes of a lane item.
const (
	aOwner, aUntil, aRung, aParked = "owner", "until", "rung", "parked"
	aSendTokens, aTokensAt, aRate  = "tokens", "tokensat", "rate"
	aWaitUntil, aWaitRung          = "wait", "waitrung"
)

// errLost says that the lease is gone: another worker drives the lane.
var errLost = errors.New("lane: lease lost")

// lostOr says what an error of a fenced write means: a failed condition is a lost
// lease. what is what was to be done; no error stays none.
func lostOr(err error, what string) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		return errLost
	case err != nil:
		return fmt.Errorf("lane: %s: %w", what, err)
	}
	return nil
}

func laneKey(c price.ConnectionID) store.Key { return store.Key{PK: lanePK(c), SK: "lane"} }

// lease is the right to drive one lane until its time runs out. Its fence grows
// with every owner and stands on every write made under it.
type lease struct {
	tenant tenant.ID
	conn   price.ConnectionID
	owner  string
	fence  int64
	until  time.Time
	rung   int64 // rings seen when the work was last looked up
	seats  seats // hold on the application's budget; goes to the next owner

	sounding *sounding // to be kept with the next write of the lane item
}

// laneState is what the last owner left in the lane item.
type laneState struct {
	clean    bool // the last owner released the lane and left the next two
	tokens   float64
	tokensAt time.Time
	rate     float64
	parked   string
	seats    seats
	sounding sounding
}

// errNotDue says that the lane waits for a time that has yet to come.
var errNotDue = errors.New("lane: not due yet")

// earlyBy is how much before its time a waiting lane may be taken: a worker stays
// with it that long anyway, and clocks differ. Waking a worker takes three SQS
// requests, some three writes and a dozen reads, about the price of one second of
// a function of 512 MB; 5 s here made small batches cost twice the Lambda time.
const earlyBy = 2 * time.Second

// laneDue reports whether there is something to do in a lane: its time has come, or
// somebody rang since it was left. Before that, a doorbell that comes twice or
// late opens nothing and rings for nothing; the lane's own one comes in time.
func laneDue(it store.Item, now time.Time) bool {
	return !it.Time(aWaitUntil).After(now.Add(earlyBy)) || it.Int(aWaitRung) != it.Int(aRung)
}

// acquire takes the lane if nobody holds it, or fails with store.ErrConflict, or
// with errNotDue.
// The fence is raised in the same write, so that from here on the old owner's
// writes fail.
func acquire(ctx context.Context, db store.DB, t tenant.ID, c price.ConnectionID, owner string, now time.Time, life time.Duration) (*lease, laneState, error) {
	old, err := db.Get(ctx, t, store.Offers, laneKey(c))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, laneState{}, err
	}
	if !laneDue(old, now) {
		return nil, laneState{}, errNotDue
	}
	it, err := db.Update(ctx, t, store.Offers, laneKey(c), store.Update{
		Set:    map[string]any{aOwner: owner, aUntil: store.Millis(now.Add(life))},
		Add:    map[string]int64{aFence: 1},
		Remove: []string{aTokensAt, aWaitUntil, aWaitRung, aSeats},
		If: []store.Cond{
			store.AnyOf(store.Missing(aUntil), store.Lt(aUntil, store.Millis(now))),
			store.AnyOf(store.Missing(aFence), store.Eq(aFence, old.Int(aFence))),
		},
	})
	if err != nil {
		return nil, laneState{}, err
	}
	// The state was read before the fence was raised, and the condition on the
	// fence proves that nobody drove the lane in between.
	st := laneState{parked: it.Str(aParked)}
	if err := unmarshal(old.Bytes(aRadar), &st.sounding); err != nil {
		return nil, laneState{}, err
	}
	if _, ok := old.Attrs[aTokensAt]; ok {
		st.clean, st.tokensAt = true, old.Time(aTokensAt)
		st.tokens, st.rate = float64(old.Int(aSendTokens))/1000, float64(old.Int(aRate))/1000
		if err := unmarshal(old.Bytes(aSeats), &st.seats); err != nil {
			return nil, laneState{}, err
		}
	}
	return &lease{tenant: t, conn: c, owner: owner, fence: it.Int(aFence), until: now.Add(life), rung: it.Int(aRung)}, st, nil
}

// mine is the condition that this lease still drives the lane.
func (l *lease) mine() []store.Cond {
	return []store.Cond{store.Eq(aFence, l.fence), store.Eq(aOwner, l.owner)}
}

// renew extends the lease and reports how often the lane has been rung. A lost
// lease is errLost.
func (l *lease) renew(ctx context.Context, db store.DB, now time.Time, life time.Duration) (rung int64, err error) {
	up := store.Update{Set: map[string]any{aUntil: store.Millis(now.Add(life))}, If: l.mine()}
	l.sounded(&up)
	it, err := db.Update(ctx, l.tenant, store.Offers, laneKey(l.conn), up)
	if err != nil {
		return 0, lostOr(err, "renew lease")
	}
	l.until = now.Add(life)
	return it.Int(aRung), nil
}

// release gives the lane back, leaving what the next owner may assume about
// Amazon's budget. It fails with errRung when the lane was rung since the work
// was last looked up: the holder then looks again instead of leaving, which is
// what closes the gap between "no work" and "no owner".
func (l *lease) release(ctx context.Context, db store.DB, p *pacer, now, waitUntil time.Time, parked string) error {
	p.refill(now)
	up := store.Update{
		Set: map[string]any{
			aUntil: int64(0), aTokensAt: store.Millis(now),
			aSendTokens: int64(p.tokens * 1000), aRate: int64(p.stated * 1000),
			aSeats: mustJSON(l.seats),
		},
		If: l.mine(),
	}
	l.sounded(&up)
	if !waitUntil.IsZero() {
		up.Set[aWaitUntil], up.Set[aWaitRung] = store.Millis(waitUntil), l.rung
	}
	if parked != "" {
		up.Set[aParked] = parked
	}
	if l.rung == 0 {
		up.If = append(up.If, store.AnyOf(store.Missing(aRung), store.Eq(aRung, int64(0))))
	} else {
		up.If = append(up.If, store.Eq(aRung, l.rung))
	}
	_, err := db.Update(ctx, l.tenant, store.Offers, laneKey(l.conn), up)
	var conflict *store.ConflictError
	if errors.As(err, &conflict) {
		if conflict.Current != nil && conflict.Current.Int(aFence) != l.fence {
			return errLost
		}
		return errRung
	}
	return err
}

var errRung = errors.New("lane: rung while leaving")

// ring marks the lane as rung, so that a holder who is about to leave looks for
// work once more.
func ring(ctx context.Context, db store.DB, t tenant.ID, c price.ConnectionID) error {
	_, err := db.Update(ctx, t, store.Offers, laneKey(c), store.Update{Add: map[string]int64{aRung: 1}})
	return err
}
