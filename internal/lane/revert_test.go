package lane

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// TestOneOfSeveralMovesARevertOn: each decided on what it saw, and that is over once
// another one was first.
func TestOneOfSeveralMovesARevertOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply("bat_a", "19.00", w.stock(1)...)
		s := NewBatches(w.db, w.blobs)
		now := w.engine.Clock.Now()
		if err := s.AskRevert(t.Context(), seller, "bat_a", "key:a", now.Add(time.Hour), w.engine.Bell); err != nil {
			t.Fatal(err)
		}
		steps := []func(r *Revert){
			func(r *Revert) { r.State, r.Begun = RevertBegun, now },
			func(r *Revert) { r.Plan, r.Rung = "plan_1", now },
			func(r *Revert) { r.Rung = now.Add(time.Minute) },
			func(r *Revert) { r.Plan = "" },
			func(r *Revert) { r.Plan, r.Reason = "plan_2", "a reason" },
			func(r *Revert) { r.State, r.Batch, r.Reason = Reverted, "bat_b", "" },
		}
		for i, step := range steps {
			was := *w.batch("bat_a").Revert
			next := was
			step(&next)
			if err := s.MoveRevert(t.Context(), seller, "bat_a", was, next); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if got := *w.batch("bat_a").Revert; got != next {
				t.Errorf("step %d: it is %+v, want %+v", i, got, next)
			}
			other := was
			other.Plan, other.Rung = "plan_of_another", now.Add(time.Hour)
			if err := s.MoveRevert(t.Context(), seller, "bat_a", was, other); !errors.Is(err, store.ErrConflict) {
				t.Errorf("step %d: who saw the same and came second: %v", i, err)
			}
		}
		if ev := w.events(); ev[ledger.RevertAsked] != 1 || ev[ledger.BatchReverted] != 1 {
			t.Errorf("asked for %d times, ended %d times", ev[ledger.RevertAsked], ev[ledger.BatchReverted])
		}
	})
}

func TestABatchThatBeganIsNotGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply("bat_a", "19.00", w.stock(1)...)
		s := NewBatches(w.db, w.blobs)
		seen := w.batch("bat_a") // being staged
		w.stageOnly("bat_a")
		w.pump(time.Minute)
		for _, b := range []Batch{seen, w.batch("bat_a")} {
			if err := s.GiveUp(t.Context(), seller, b, "too late", w.engine.Clock.Now()); !errors.Is(err, store.ErrConflict) {
				t.Errorf("seen as %s: %v", b.State, err)
			}
		}
		if b := w.batch("bat_a"); b.State != Done {
			t.Errorf("batch %s", b.State)
		}
	})
}
