package privacy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// defaultPiece is well below the two minutes that the function has.
const defaultPiece = time.Minute

// Run works on one erasure for a piece of time and hands on by a message when
// something is left. nil means that nothing is left to do for this message; with
// any other error it should come again. Calling it too early, too often, or when
// all is done changes nothing.
func (x *Erasures) Run(ctx context.Context, t tenant.ID, id string) error {
	if x.DeleteUser == nil {
		return errNoProvider
	}
	e, err := x.take(ctx, t, id)
	if errors.Is(err, ErrBusy) {
		// Whoever has it hands on by a message of its own; if it died, the timer rings.
		return nil
	}
	if err != nil || !x.ready(e) {
		return err
	}
	piece := x.Piece
	if piece == 0 {
		piece = defaultPiece
	}
	until := x.Clock.Now().Add(piece)
	for x.ready(e) {
		if !x.Clock.Now().Before(until) {
			return x.handOn(ctx, e)
		}
		next, err := x.step(ctx, e, until)
		if err != nil {
			x.giveBack(ctx, e)
			return fmt.Errorf("privacy: erasure %s, %s: %w", id, e.State, err)
		}
		e = next
	}
	x.giveBack(ctx, e)
	return nil
}

// ready reports whether something can be done now.
func (x *Erasures) ready(e Erasure) bool {
	switch e.State {
	case Cooling:
		return e.HeldSince.IsZero() && !x.Clock.Now().Before(e.Starts)
	case Revoking, Settling:
		return !x.Clock.Now().Before(e.settled)
	}
	return e.State != Done && e.State != Cancelled
}

// take reads the erasure and takes its lease, for as long as a worker can live. A
// worker that lost the lease does at worst what another does too: deleting.
// Progress is written by the holder alone (see mineOf).
func (x *Erasures) take(ctx context.Context, t tenant.ID, id string) (Erasure, error) {
	e, err := x.of(ctx, t, id)
	if err != nil || !x.ready(e) {
		return e, err
	}
	now := x.Clock.Now()
	it, err := x.DB.Update(ctx, t, store.Privacy, erasureKey(id), store.Update{
		Set: map[string]any{attrLease: store.Millis(now.Add(lease))},
		Add: map[string]int64{attrAttempt: 1},
		If: []store.Cond{
			store.Eq(attrState, string(e.State)),
			store.AnyOf(store.Missing(attrLease), store.Le(attrLease, store.Millis(now))),
		},
	})
	if errors.Is(err, store.ErrConflict) {
		return Erasure{}, fmt.Errorf("%w: %s", ErrBusy, id)
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("privacy: take erasure %s: %w", id, err)
	}
	return erasureOf(t, it), nil
}

// mineOf is the condition that the erasure is as e says and nobody took it over.
func mineOf(e Erasure) []store.Cond {
	return []store.Cond{store.Eq(attrState, string(e.State)), store.Eq(attrAttempt, e.attempt)}
}

// step does what the state asks for and makes the one write that leads out of it.
func (x *Erasures) step(ctx context.Context, e Erasure, until time.Time) (Erasure, error) {
	switch e.State {
	case Cooling:
		return x.start(ctx, e)
	case Closing:
		return x.close(ctx, e)
	case Revoking:
		if err := x.Revoke(ctx, e.Tenant); err != nil {
			return e, err
		}
		// The connections' items go only after this write: they say which tokens
		// there are.
		return x.advance(ctx, e, Deleting, map[string]any{attrPosition: int64(0)})
	case Deleting:
		e, all, err := x.sweep(ctx, e, until)
		if err != nil || !all {
			return e, err
		}
		return x.advance(ctx, e, Shredding, nil)
	case Shredding:
		// Keys go after the items: as long as they are there, what the deletions mean
		// still gets into the ledger, and is closed with it.
		if err := x.Keys.Shred(ctx, e.Tenant); err != nil {
			return e, err
		}
		return x.settleAgain(ctx, e)
	case Settling:
		return x.settle(ctx, e, until)
	}
	return e, fmt.Errorf("privacy: there is no step for state %q", e.State)
}

// start ends the cooling-off and closes the doors (see Doors). The hold is checked by
// the very write that starts.
func (x *Erasures) start(ctx context.Context, e Erasure) (Erasure, error) {
	err := x.DB.Transact(ctx,
		store.Write{Tenant: e.Tenant, Table: store.Privacy, Key: erasureKey(e.ID), Update: &store.Update{
			Set: map[string]any{attrState: string(Closing), attrStarted: store.Millis(x.Clock.Now())}, If: mineOf(e),
		}},
		store.Write{Tenant: e.Tenant, Table: store.Privacy, Key: holdKey, Check: true, If: []store.Cond{store.Absent()}},
		shut(e.Tenant),
	)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return e, fmt.Errorf("start: %w", err)
	}
	// A conflict is a cancellation or a hold that came first: what is there now says
	// what to do, and either leaves nothing to do here.
	return x.of(ctx, e.Tenant, e.ID)
}

// close stops sending and ends every way in: API keys and sessions, the users at the
// sign-in provider, and consents that a seller has begun, whose last step would keep
// one more refresh token. Each part may be done again. What is on the way through is let out before the tokens are counted.
// What else the directory says of connections stays for Revoke, which goes by it.
func (x *Erasures) close(ctx context.Context, e Erasure) (Erasure, error) {
	if err := x.Freeze(ctx, e.Tenant); err != nil {
		return e, err
	}
	for n := range x.Sweeper.Segments() {
		if _, err := x.Sweeper.Sweep(ctx, e.Tenant, store.Identity, n, x.stays(store.Identity)); err != nil {
			return e, err
		}
		noEntry := func(owner tenant.ID, key store.Key) bool { return owner != store.Directory || !x.Entry(key) }
		if _, err := x.Sweeper.Sweep(ctx, e.Tenant, store.Connections, n, noEntry); err != nil {
			return e, err
		}
	}
	if _, err := x.dismiss(ctx, e.Tenant); err != nil {
		return e, err
	}
	return x.advance(ctx, e, Revoking, map[string]any{attrSettled: store.Millis(x.Clock.Now().Add(min(closeFor, x.Settle)))})
}

// advance is the one write out of a state.
func (x *Erasures) advance(ctx context.Context, e Erasure, to State, set map[string]any) (Erasure, error) {
	all := map[string]any{attrState: string(to)}
	for name, v := range set {
		all[name] = v
	}
	it, err := x.DB.Update(ctx, e.Tenant, store.Privacy, erasureKey(e.ID), store.Update{Set: all, If: mineOf(e)})
	if err != nil {
		return e, fmt.Errorf("from %s to %s: %w", e.State, to, err)
	}
	return erasureOf(e.Tenant, it), nil
}

// settleAgain waits, or waits once more, for what was under way.
func (x *Erasures) settleAgain(ctx context.Context, e Erasure) (Erasure, error) {
	return x.advance(ctx, e, Settling, map[string]any{
		attrSettled: store.Millis(x.Clock.Now().Add(x.Settle)), attrPosition: int64(0), attrDeleted: int64(0),
	})
}

// settle deletes what came back while it was being deleted: by a function that had
// read before, or by a stream that was behind. It is over when a whole pass finds
// nothing.
func (x *Erasures) settle(ctx context.Context, e Erasure, until time.Time) (Erasure, error) {
	// A key that was being made while the others were destroyed.
	if err := x.Keys.Shred(ctx, e.Tenant); err != nil {
		return e, err
	}
	e, all, err := x.sweep(ctx, e, until)
	if err != nil || !all {
		return e, err
	}
	if e.deleted > 0 {
		return x.settleAgain(ctx, e)
	}
	if err := x.Thaw(ctx, e.Tenant); err != nil {
		return e, err
	}
	return x.finish(ctx, e)
}

// finish writes the tombstone, and the receipt with the state.
func (x *Erasures) finish(ctx context.Context, e Erasure) (Erasure, error) {
	now := x.Clock.Now().UTC().Truncate(time.Second)
	head, err := x.Ledger.CheckTree(ctx, e.Tenant)
	if err != nil {
		return e, err
	}
	// The tombstone comes first: an erasure that is done has one. After a crash here
	// another is written over it, which says the same with a later time.
	if err := x.bury(ctx, tombstone{e.Tenant, e.ID, e.Started, now}); err != nil {
		return e, err
	}
	signer, err := x.Signer(ctx)
	if err != nil {
		return e, fmt.Errorf("signer: %w", err)
	}
	signed, err := Receipt{
		Tenant: e.Tenant, Erasure: e.ID, Requested: e.At, Started: e.Started, Erased: now,
		KeysGone: now.Add(KeysInBackups), AllGone: now.Add(TablesInBackups), Size: head.Size, Root: head.Root,
	}.Sign(signer)
	if err != nil {
		return e, err
	}
	// What stays: the opaque ids and the dates. Who asked goes too.
	err = x.DB.Transact(ctx,
		store.Write{Tenant: e.Tenant, Table: store.Privacy, Key: erasureKey(e.ID), Update: &store.Update{
			Set:    map[string]any{attrState: string(Done), attrFinished: store.Millis(now), attrReceipt: signed},
			Remove: []string{attrBy, attrRequest, attrLease, attrPosition, attrDeleted, attrSettled, attrRung},
			If:     mineOf(e),
		}},
		store.Write{Tenant: store.Directory, Table: store.Privacy, Key: openKey(e.Tenant), Delete: true},
	)
	if err != nil {
		return e, fmt.Errorf("finish: %w", err)
	}
	return x.of(ctx, e.Tenant, e.ID)
}

// handOn notes how far it got, gives the lease back and has the work go on.
//
// Crash points: before the note the next worker repeats this piece; between it and
// the message the timer rings.
func (x *Erasures) handOn(ctx context.Context, e Erasure) error {
	_, err := x.DB.Update(ctx, e.Tenant, store.Privacy, erasureKey(e.ID), store.Update{
		Set:    map[string]any{attrPosition: e.position, attrDeleted: e.deleted},
		Remove: []string{attrLease}, If: mineOf(e),
	})
	if err != nil {
		return fmt.Errorf("privacy: note progress of erasure %s: %w", e.ID, err)
	}
	return x.ring(ctx, e.Tenant, e.ID)
}

// giveBack ends the lease; if that fails it ends by itself.
func (x *Erasures) giveBack(ctx context.Context, e Erasure) {
	_, _ = x.DB.Update(ctx, e.Tenant, store.Privacy, erasureKey(e.ID), store.Update{Remove: []string{attrLease}, If: mineOf(e)})
}

func (x *Erasures) ring(ctx context.Context, t tenant.ID, id string) error {
	m := Message{Kind: KindErasure, Tenant: t, Erasure: id}
	if x.Trace != nil {
		m.Trace = x.Trace(ctx)
	}
	if err := store.SendJSON(ctx, x.Queue, m, 0); err != nil {
		return fmt.Errorf("privacy: send erasure %s: %w", id, err)
	}
	return nil
}

// Open is what the timer found.
type Open struct {
	Count  int           // erasures that are neither done nor cancelled
	Rung   int           // those that could go on
	Oldest time.Duration // since the request of the one that waits longest
}

// Timer rings for every erasure that can go on: one whose cooling-off is over, and
// one whose message was lost. A ring too many changes nothing.
func (x *Erasures) Timer(ctx context.Context) (o Open, err error) {
	var failed []error
	for after := ""; ; {
		page, err := x.DB.Query(ctx, store.Directory, store.Privacy, store.Query{PK: erasureOpenPK, After: after})
		if err != nil {
			return o, errors.Join(append(failed, fmt.Errorf("privacy: list open erasures: %w", err))...)
		}
		for _, it := range page.Items {
			e, err := x.of(ctx, tenant.ID(it.Str(store.AttrTenant)), it.Str(attrErasure))
			if err != nil {
				failed = append(failed, err)
				continue
			}
			o.Count++
			o.Oldest = max(o.Oldest, x.Clock.Now().Sub(e.At))
			if !x.ready(e) {
				continue
			}
			if err := x.ring(ctx, e.Tenant, e.ID); err != nil {
				failed = append(failed, err)
				continue
			}
			o.Rung++
		}
		if after = page.Next; after == "" {
			return o, errors.Join(failed...)
		}
	}
}
