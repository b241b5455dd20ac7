package lane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A batch may be given a time at which it begins. Until then it is only written
// down: nothing is staged, so that it is in nobody's way, and at its time every
// row is compared with its offer as it is then, as for any batch. A list in the
// directory names what is due when; the minute's sweep rings for it.
//
// One minute is the grain. A schedule of its own for each batch at EventBridge
// would be on time to the minute too, and would need the right to make schedules
// and to pass a role to them in a function that the internet reaches.
const (
	// Scheduled waits for its time.
	Scheduled BatchState = "scheduled"

	// LongestWait is how far ahead a batch may begin: its row files are kept for 30
	// days (template.yaml, FilesBucket).
	LongestWait = 28 * 24 * time.Hour
	// startWithin is how late a batch may begin. One that could not begin by then
	// is refused: a sale's price an hour after its time is no longer what was asked.
	startWithin = 30 * time.Minute
	// EarlyBy is how much the scheduler's clock may be ahead of that of who answers
	// its doorbell. One that is early by no more keeps its mark, so that the sweep
	// rings again: what is due is rung for by its time once only.
	EarlyBy = 5 * time.Minute

	duePK = "due"
	aAt   = "at"
)

// dueKey sorts by time; 13 digits of milliseconds last until 2286.
func dueKey(at time.Time, d Doorbell) store.Key {
	return store.Key{PK: duePK, SK: fmt.Sprintf("%013d/%s", store.Millis(at), markerKey(d).SK)}
}

// remind has the sweep ring a doorbell at a time. It is written before what it
// reminds of; one whose work does not exist rings for nothing.
func (b Bell) remind(ctx context.Context, d Doorbell, at time.Time) error {
	err := b.DB.Put(ctx, store.Directory, store.Offers, store.Item{Key: dueKey(at, d), Attrs: map[string]any{aKind: string(d.Kind)}})
	if err != nil {
		return fmt.Errorf("lane: note what is due: %w", err)
	}
	return nil
}

// Due rings for whatever has come due, and returns how much that was.
//
// Crash points: between the ring and the removal it is rung for once more, which
// changes nothing.
func (b Bell) Due(ctx context.Context) (rung int, err error) {
	now := fmt.Sprintf("%013d", store.Millis(b.Now()))
	for {
		page, err := b.DB.Query(ctx, store.Directory, store.Offers, store.Query{PK: duePK, Limit: 100})
		if err != nil {
			return rung, fmt.Errorf("lane: look for what is due: %w", err)
		}
		for _, it := range page.Items {
			at, marker, ok := strings.Cut(it.SK, "/")
			if !ok {
				return rung, fmt.Errorf("%w: due %q", ErrMalformed, it.SK)
			}
			if at > now {
				return rung, nil
			}
			d, err := parseMarker(store.Item{Key: store.Key{PK: markerPK, SK: marker}})
			if err != nil {
				return rung, err
			}
			if err := b.Ring(ctx, d, 0); err != nil {
				return rung, err
			}
			if err := b.DB.Delete(ctx, store.Directory, store.Offers, it.Key); err != nil {
				return rung, fmt.Errorf("lane: remove what was due: %w", err)
			}
			rung++
		}
		if page.Next == "" {
			return rung, nil
		}
	}
}

// Cancel takes back a batch that waits for its time. One that has begun, or never
// was, is store.ErrConflict and store.ErrNotFound.
func (s *Batches) Cancel(ctx context.Context, t tenant.ID, id, actor string, now time.Time) error {
	_, err := s.db.Update(ctx, t, store.Offers, batchKey(id), store.Update{
		Set: map[string]any{aBatchState: string(Refused), aReason: "cancelled before its time by " + actor, aFinished: store.Millis(now)},
		If:  []store.Cond{store.Exists(), store.Eq(aBatchState, string(Scheduled))},
	})
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if _, err := s.db.Get(ctx, t, store.Offers, batchKey(id)); err != nil {
		return err
	}
	return fmt.Errorf("lane: batch %s does not wait for its time: %w", id, store.ErrConflict)
}

// begin lets a batch begin whose time has come, and refuses one that is too late.
// It returns the batch as it is then. All of it is one conditional write, so that
// a cancellation comes before it or fails.
func (e *Engine) begin(ctx context.Context, t tenant.ID, it store.Item) (store.Item, error) {
	now := e.Clock.Now()
	at := it.Time(aAt)
	set := map[string]any{aBatchState: string(Staging)}
	switch {
	case now.Before(at):
		return it, nil // a doorbell that is early
	case now.After(at.Add(startWithin)):
		set = map[string]any{aBatchState: string(Refused), aFinished: store.Millis(now),
			aReason: fmt.Sprintf("it was to begin at %s and could not within %s; apply a new plan", at.UTC().Format(time.RFC3339), startWithin)}
	}
	out, err := e.DB.Update(ctx, t, store.Offers, it.Key, store.Update{Set: set, If: []store.Cond{store.Eq(aBatchState, string(Scheduled))}})
	if errors.Is(err, store.ErrConflict) {
		return e.DB.Get(ctx, t, store.Offers, it.Key)
	}
	return out, err
}
