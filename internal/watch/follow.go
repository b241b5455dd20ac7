package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// atOnce is how many leaves are taken between two writes.
	atOnce = 2_000
	// atMost bounds what one call reads, so that it ends whatever there is to do:
	// the next call goes on.
	atMost = 25
	// maxFindings are written together with the state; a transaction has room for 100.
	maxFindings = 20
	// stale is how old an event may be to be suspicious now. Older ones, as when a
	// long ledger is read for the first time, are learnt from only.
	stale = 48 * time.Hour

	aNext  = "next"
	aRules = "rules"
)

var stateKey = store.Key{PK: "watch", SK: "state"}

// Ledger is what is watched; *ledger.Log is one. Events returns up to limit leaves
// from an index on, none when there are no more.
type Ledger interface {
	Events(ctx context.Context, t tenant.ID, from int64, limit int) ([]ledger.Leaf, error)
}

var _ Ledger = (*ledger.Log)(nil)

// Doors says whose erasure has begun: privacy.Doors. Of such a tenant nothing is
// watched any more, for what is written would outlive the deletion that it follows.
type Doors interface {
	Closed(ctx context.Context, t tenant.ID) (bool, error)
	// Open is the condition that it has not begun, for a transaction.
	Open(t tenant.ID) store.Write
}

// Watcher has the rules follow the tenants' ledgers.
type Watcher struct {
	DB     store.DB
	Ledger Ledger
	Clock  clock.Clock
	Doors  Doors
}

// ErrBehind: there was more to read than one call takes. Nothing is lost; the next call
// goes on.
var ErrBehind = errors.New("watch: more was written to the ledger than was looked through")

// Follow looks through what the tenant's ledger has gained since the last call, by
// whatever process, and writes what that raised. Called again, or by two at once, it
// counts nothing twice. An error leaves whole steps done and the rest for the next call.
func (w *Watcher) Follow(ctx context.Context, t tenant.ID) error {
	for range atMost {
		more, err := w.step(ctx, t)
		if errors.Is(err, store.ErrConflict) {
			continue // somebody else took these leaves, or an erasure began: look again
		}
		if err != nil || !more {
			return err
		}
	}
	return ErrBehind
}

// step takes the next leaves and reports whether there may be more.
//
// Crash points: before the write nothing was counted; after it all was, findings
// included, for they are one transaction.
func (w *Watcher) step(ctx context.Context, t tenant.ID) (more bool, err error) {
	closed, err := w.Doors.Closed(ctx, t)
	if err != nil || closed {
		return false, err
	}
	next, s, cond, err := w.load(ctx, t)
	if err != nil {
		return false, err
	}
	leaves, err := w.Ledger.Events(ctx, t, next, atOnce)
	if err != nil {
		return false, fmt.Errorf("watch: read the ledger of %s from leaf %d: %w", t, next, err)
	}
	if len(leaves) == 0 {
		return false, nil
	}
	now := w.Clock.Now()
	writes := []store.Write{w.Doors.Open(t)}
	for _, l := range leaves {
		next = l.Index + 1
		var e ledger.Event
		if json.Unmarshal(l.Event, &e) != nil {
			continue // of a later shape: no rule here knows it
		}
		f := s.take(e, l.Index)
		if f == nil || now.Sub(f.At) > stale {
			continue
		}
		f.ID, f.Raised = fmt.Sprintf("%015d.%s", l.Index, f.Kind), now
		it, err := f.item()
		if err != nil {
			return false, err
		}
		writes = append(writes, store.Write{Tenant: t, Table: store.Offers, Put: &it, If: []store.Cond{store.Absent()}})
		if len(writes) > maxFindings {
			break
		}
	}
	rules, err := json.Marshal(s)
	if err != nil {
		return false, fmt.Errorf("watch: state: %w", err)
	}
	it := store.Item{Key: stateKey, Attrs: map[string]any{aNext: next, aRules: rules}}
	writes = append(writes, store.Write{Tenant: t, Table: store.Offers, Put: &it, If: []store.Cond{cond}})
	if err := w.DB.Transact(ctx, writes...); err != nil {
		return false, fmt.Errorf("watch: write up to leaf %d of %s: %w", next, t, err)
	}
	return next <= leaves[len(leaves)-1].Index || len(leaves) == atOnce, nil
}

// load returns the next leaf to read, what the rules know, and the condition under
// which that is still so.
func (w *Watcher) load(ctx context.Context, t tenant.ID) (next int64, s state, unmoved store.Cond, err error) {
	it, err := w.DB.Get(ctx, t, store.Offers, stateKey)
	if errors.Is(err, store.ErrNotFound) {
		return 0, state{}, store.Absent(), nil
	}
	if err != nil {
		return 0, state{}, store.Cond{}, fmt.Errorf("watch: read state: %w", err)
	}
	if err := json.Unmarshal(it.Bytes(aRules), &s); err != nil {
		return 0, state{}, store.Cond{}, fmt.Errorf("watch: state of %s: %w", t, err)
	}
	return it.Int(aNext), s, store.Eq(aNext, it.Int(aNext)), nil
}
