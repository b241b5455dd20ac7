package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A batch may be given a time at which it is taken back by itself. What is due
// then is rung for from the same list as what is to begin; who answers that
// doorbell makes a plan of the way back and applies it as a batch of its own, see
// package apply. Here is what is remembered about it, on the batch.

// KindRevert: the time to take a batch back has come, or what that led to is to go
// on. It is none of the engine's work: see package apply.
const KindRevert Kind = "revert"

// RevertState is where the taking back of a batch is in its life.
type RevertState string

// The states of reverts.
const (
	RevertWaiting   RevertState = "waiting"   // for its time
	RevertBegun     RevertState = "begun"     // the batch is stopped, what is under way awaited, the way back planned
	Reverted        RevertState = "reverted"  // the way back is a batch of its own
	RevertNothing   RevertState = "nothing"   // there was nothing to take back
	RevertFailed    RevertState = "failed"    // prices stay as the batch set them
	RevertCancelled RevertState = "cancelled" // by a person, before its time
)

// over reports whether nothing will come of it any more.
func (s RevertState) over() bool { return s != RevertWaiting && s != RevertBegun }

// Revert is the taking back of a batch at a time.
type Revert struct {
	At    time.Time
	By    string // who asked for it, or changed it, last
	State RevertState
	// Plan is the plan of the way back, and Batch the batch that it became; each ""
	// until there is one.
	Plan, Batch string
	Reason      string    // why rows stay as the batch set them, or nothing was to be done
	Begun       time.Time // when its time was seen to have come; zero before
	Rung        time.Time // when the plan was last sent for; zero before
}

// Attributes of a batch that is to be taken back, and of one that takes another back.
const (
	aRevert, aRevertAt, aRevertBy                        = "revert", "revertat", "revertby"
	aRevertPlan, aRevertBatch, aRevertReason, aRevertRun = "revertplan", "revertbatch", "revertreason", "revertrung"
	aRevertBegun, aReverts                               = "revertbegun", "reverts"
)

func decodeRevert(it store.Item) *Revert {
	s := RevertState(it.Str(aRevert))
	if s == "" {
		return nil
	}
	r := &Revert{At: it.Time(aRevertAt), By: it.Str(aRevertBy), State: s, Plan: it.Str(aRevertPlan), Batch: it.Str(aRevertBatch),
		Reason: it.Str(aRevertReason), Begun: it.Time(aRevertBegun), Rung: it.Time(aRevertRun)}
	if s == RevertWaiting && BatchState(it.Str(aBatchState)) == Refused {
		r.State, r.Reason = RevertNothing, "the batch was refused before anything of it was sent"
	}
	return r
}

func revertBell(t tenant.ID, batch string) Doorbell {
	return Doorbell{Kind: KindRevert, Tenant: t, Batch: batch}
}

// AskRevert has a batch taken back at a time, or at another time than was asked
// for. Until that time it can be asked for again. A batch that was refused, or is
// being taken back already, is store.ErrConflict; a missing one store.ErrNotFound.
//
// Crash points: the note of what is due comes first; one that no batch wants any
// more rings for nothing.
func (s *Batches) AskRevert(ctx context.Context, t tenant.ID, id, actor string, at time.Time, bell Bell) error {
	if err := bell.remind(ctx, revertBell(t, id), at); err != nil {
		return err
	}
	return s.changeRevert(ctx, t, id, store.Update{
		Set:    map[string]any{aRevert: string(RevertWaiting), aRevertAt: store.Millis(at), aRevertBy: actor},
		Remove: []string{aRevertReason},
		If: []store.Cond{store.Exists(), store.Ne(aBatchState, string(Refused)),
			store.AnyOf(store.Missing(aRevert), store.Eq(aRevert, string(RevertWaiting)), store.Eq(aRevert, string(RevertCancelled)))},
	})
}

// CancelRevert leaves a batch as it is after all. One that is not to be taken
// back, or is being, is store.ErrConflict; a missing one store.ErrNotFound.
func (s *Batches) CancelRevert(ctx context.Context, t tenant.ID, id, actor string) error {
	return s.changeRevert(ctx, t, id, store.Update{
		Set: map[string]any{aRevert: string(RevertCancelled), aRevertBy: actor},
		If:  []store.Cond{store.Exists(), store.Ne(aBatchState, string(Refused)), store.Eq(aRevert, string(RevertWaiting))},
	})
}

func (s *Batches) changeRevert(ctx context.Context, t tenant.ID, id string, u store.Update) error {
	_, err := s.db.Update(ctx, t, store.Offers, batchKey(id), u)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if _, err := s.db.Get(ctx, t, store.Offers, batchKey(id)); err != nil {
		return err
	}
	return fmt.Errorf("lane: revert of batch %s: %w", id, store.ErrConflict)
}

// MoveRevert moves the taking back of a batch on, if it still is as the caller saw
// it: one write, which one of several callers wins; the others get
// store.ErrConflict. When it is due, and who asked for it, are not the caller's to
// change.
func (s *Batches) MoveRevert(ctx context.Context, t tenant.ID, id string, was, next Revert) error {
	u := store.Update{Set: map[string]any{aRevert: string(next.State)},
		If: []store.Cond{store.Eq(aRevert, string(was.State)), store.Eq(aRevertAt, store.Millis(was.At))}}
	for attr, v := range map[string][2]string{
		aRevertPlan: {was.Plan, next.Plan}, aRevertBatch: {was.Batch, next.Batch}, aRevertReason: {was.Reason, next.Reason},
	} {
		if v[0] == "" {
			u.If = append(u.If, store.Missing(attr))
		} else {
			u.If = append(u.If, store.Eq(attr, v[0]))
		}
		if v[1] != "" {
			u.Set[attr] = v[1]
		} else if v[0] != "" {
			u.Remove = append(u.Remove, attr)
		}
	}
	if was.Rung.IsZero() {
		u.If = append(u.If, store.Missing(aRevertRun))
	} else {
		u.If = append(u.If, store.Eq(aRevertRun, store.Millis(was.Rung)))
	}
	if !next.Begun.IsZero() {
		u.Set[aRevertBegun] = store.Millis(next.Begun)
	}
	if !next.Rung.IsZero() {
		u.Set[aRevertRun] = store.Millis(next.Rung)
	}
	return s.changeRevert(ctx, t, id, u)
}

// GiveUp refuses a batch that is not committed yet because its time is over. One
// that is, or was refused before, is store.ErrConflict.
func (s *Batches) GiveUp(ctx context.Context, t tenant.ID, b Batch, reason string, now time.Time) error {
	if b.State != Scheduled && b.State != Staging {
		return fmt.Errorf("lane: batch %s is %s: %w", b.ID, b.State, store.ErrConflict)
	}
	_, err := s.db.Update(ctx, t, store.Offers, batchKey(b.ID), store.Update{
		Set: map[string]any{aBatchState: string(Refused), aReason: reason, aFinished: store.Millis(now)},
		If:  []store.Cond{store.Eq(aBatchState, string(b.State))},
	})
	return err
}

// UnderWay counts the rows of a batch that were sent and have not ended: those that
// Amazon accepted, feeds included, and those that may be on the wire or got no
// answer, at least one for each. Of a batch that is stopped nothing more is sent: once
// nothing is under way it stays so. A row without an answer may wait to be sent again
// behind the stop, and then stays unsure.
//
// An intent is written before its row is sent, and a lane reads the stops after
// that: a journal read after the stop was set names every row that can be sent.
func (s *Batches) UnderWay(ctx context.Context, t tenant.ID, b Batch) (accepted, unsure int64, err error) {
	for c := range b.Rows {
		it, err := s.db.Get(ctx, t, store.Offers, workKey(c, b.ID))
		if errors.Is(err, store.ErrNotFound) {
			continue // every row of it has ended
		}
		if err != nil {
			return 0, 0, fmt.Errorf("lane: read journal: %w", err)
		}
		j, err := decodeJournal(it)
		if err != nil {
			return 0, 0, err
		}
		accepted += j.Counts[Accepted]
		unsure += j.Counts[Unknown]
		for _, i := range j.Intents {
			if i.NotAfter != 0 {
				unsure++
			}
		}
		for _, f := range j.Feeds {
			if f.State != feedPlanned && f.State != feedSettled {
				accepted++
			}
		}
	}
	return accepted, unsure, nil
}

// Opened returns the mark that a doorbell left, for Close.
func (b Bell) Opened(ctx context.Context, d Doorbell) (mark int64, err error) {
	return seenOpen(ctx, b.DB, d)
}

// Close has the sweep ring for a doorbell no more, unless it was rung again since
// the mark was read.
func (b Bell) Close(ctx context.Context, d Doorbell, mark int64) error {
	return closeMarker(ctx, b.DB, d, mark)
}

// revertDoc is what an event says about the taking back of a batch.
type revertDoc struct {
	At     *time.Time  `json:"at,omitempty"` // nil: it was called off
	State  RevertState `json:"state,omitempty"`
	Plan   string      `json:"plan,omitempty"`
	Batch  string      `json:"batch,omitempty"`
	Reason string      `json:"reason,omitempty"`
}

// revertEvents are the ledger events about the taking back of a batch: that it was
// asked for at a time, or called off, by whom, and how it ended. What a new batch
// is to be taken back at is in the event of its creation.
func revertEvents(r store.Record, now Batch) []ledger.Event {
	if r.Old == nil || now.Revert == nil {
		return nil
	}
	is, was := RevertState(r.New.Str(aRevert)), RevertState(r.Old.Str(aRevert))
	e := ledger.Event{At: r.At, Target: "batch:" + now.ID, Batch: now.ID, Source: string(store.Offers)}
	at := func(it *store.Item) *time.Time {
		if RevertState(it.Str(aRevert)) != RevertWaiting {
			return nil
		}
		t := it.Time(aRevertAt).UTC()
		return &t
	}
	switch {
	case is == RevertWaiting && (was != is || r.Old.Int(aRevertAt) != r.New.Int(aRevertAt)), is == RevertCancelled && was != is:
		e.Type, e.Actor, e.After = ledger.RevertAsked, now.Revert.By, raw(revertDoc{At: at(r.New)})
		if was == RevertWaiting {
			e.Before = raw(revertDoc{At: at(r.Old)})
		}
	case is != was && is.over():
		e.Type, e.Actor = ledger.BatchReverted, system
		e.After = raw(revertDoc{State: is, Plan: now.Revert.Plan, Batch: now.Revert.Batch, Reason: now.Revert.Reason})
	default:
		return nil
	}
	return []ledger.Event{e}
}
