package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// settleWithin is how long prices that Amazon accepted are awaited once a batch is
	// stopped: each is looked for for half an hour, see lane.Config.ConfirmWithin. A
	// feed may take longer; its rows are left out then.
	settleWithin = time.Hour
	// unsureWithin is the same for rows without an answer: a call takes seconds, and
	// what it did is looked for for lane.Config.UnknownFor. What is unsure later waits
	// behind the stop to be sent again.
	unsureWithin = 10 * time.Minute
	// revertWithin is how late a batch may be taken back. Unlike a price that was to
	// begin, an old price is still wanted an hour later; after a day somebody should
	// look first. It is also how long a plan can be applied.
	revertWithin = plan.Lifetime
	// sendAgain is when a plan that is still not made is sent for once more.
	sendAgain = 10 * time.Minute
)

// Reverter takes batches back whose time has come.
type Reverter struct {
	Applier
	// Judged puts the tenant's guards into the input: plan.Judged.
	Judged   func(context.Context, *plan.Input) error
	PlanBell plan.Bell
	Random   io.Reader
	// Trace returns the X-Ray header of ctx; nil for none.
	Trace func(context.Context) string
}

// Result is what a call did.
type Result struct {
	State lane.RevertState // "" when the batch is not to be taken back, or not yet
	// Incomplete: this call ended it, and prices that the batch set stay although
	// they were to be taken back. Reason says why.
	Incomplete bool
	Reason     string
}

// Revert answers the doorbell that the time to take a batch back has come, or that
// it is to go on. It does what can be done now; as long as something is awaited the
// doorbell's mark stays, and the sweep rings every minute.
//
// What is left of the batch is stopped first; what was sent and has not ended is
// awaited; then price-plan makes the plan of the way back, judged by the guards as
// they are then; and the plan is applied in the name of who asked for it. A batch
// that is not committed by its time is refused, so that nothing of it is sent.
//
// Crash points: each step is one conditional write on the batch, which one caller
// wins, and is made only when what it relies on is there. In their order:
//   - begun, and not stopped: the next call stops it;
//   - a plan begun that the batch does not name: it expires unused, the next call
//     begins another;
//   - a plan named and not sent for: it is sent for after ten minutes;
//   - the plan claimed, and no batch: the claim is by a key and for a batch that
//     follow from the batch's id, so the next call makes the same batch;
//   - the batch made and not noted: the next call finds it made, and notes it;
//   - all noted and the mark left: the next call takes it away.
func (r *Reverter) Revert(ctx context.Context, t tenant.ID, id string) (Result, error) {
	d := lane.Doorbell{Kind: lane.KindRevert, Tenant: t, Batch: id}
	mark, err := r.Bell.Opened(ctx, d)
	if err != nil {
		return Result{}, err
	}
	for {
		b, err := r.Batches.Get(ctx, t, id)
		if errors.Is(err, store.ErrNotFound) {
			return Result{}, r.Bell.Close(ctx, d, mark)
		}
		if err != nil {
			return Result{}, err
		}
		early := time.Duration(0)
		if b.Revert != nil {
			early = b.Revert.At.Sub(r.Bell.Now())
		}
		switch {
		case b.Revert == nil || b.Revert.State == lane.RevertCancelled || early > lane.EarlyBy:
			// Called off, or put off: the list of what is due has the new time.
			return Result{}, r.Bell.Close(ctx, d, mark)
		case early > 0:
			return Result{}, nil
		}
		if b.Revert.State != lane.RevertWaiting && b.Revert.State != lane.RevertBegun {
			return Result{State: b.Revert.State}, r.Bell.Close(ctx, d, mark)
		}
		next, res, err := r.step(ctx, t, b)
		switch {
		case err != nil:
			return Result{}, err
		case next == nil:
			return Result{State: b.Revert.State}, nil // something is awaited
		}
		err = r.Batches.MoveRevert(ctx, t, id, *b.Revert, *next)
		if errors.Is(err, store.ErrConflict) {
			return Result{State: b.Revert.State}, nil // another call is at it, or the batch was refused just now
		}
		if err != nil {
			return Result{}, err
		}
		if next.Plan != b.Revert.Plan && next.Plan != "" || !next.Rung.Equal(b.Revert.Rung) {
			if err := r.PlanBell.Ring(ctx, plan.Job{Tenant: t, Plan: next.Plan}, 0); err != nil {
				return Result{}, err
			}
		}
		if res != nil {
			return *res, r.Bell.Close(ctx, d, mark)
		}
	}
}

// step returns how the taking back of a batch goes on, nil while it has to wait, and
// the result once that is the end.
func (r *Reverter) step(ctx context.Context, t tenant.ID, b lane.Batch) (*lane.Revert, *Result, error) {
	next, now := *b.Revert, r.Bell.Now()
	switch {
	case next.State == lane.RevertWaiting && (b.State == lane.Scheduled || b.State == lane.Staging):
		err := r.Batches.GiveUp(ctx, t, b, fmt.Sprintf("it was to be taken back at %s, and had not begun by then", stamp(next.At)), now)
		if errors.Is(err, store.ErrConflict) {
			err = nil // it was committed, or refused, this moment: the next call sees which
		}
		return nil, nil, err
	case next.State == lane.RevertWaiting:
		next.State, next.Begun = lane.RevertBegun, now
		return &next, nil, nil
	case now.Sub(next.At) > revertWithin:
		return failed(next, fmt.Sprintf("it could not be taken back within %s of %s; roll it back if that is still wanted", revertWithin, stamp(next.At)))
	case next.Plan == "":
		return r.begin(ctx, t, b, now)
	}
	p, err := r.Plans.Load(ctx, t, next.Plan)
	if fault.KindOf(err) == fault.NotFound {
		return anew(next)
	}
	if err != nil {
		return nil, nil, err
	}
	switch p.State {
	case plan.Reading:
		if now.Sub(next.Rung) < sendAgain {
			return nil, nil, nil
		}
		next.Rung = now
		return &next, nil, nil
	case plan.Failed:
		if p.Problem.Type == guardsChanged {
			return anew(next)
		}
		return failed(next, "no plan of the way back could be made: "+p.Problem.Detail)
	case plan.Ready, plan.Applied:
		return r.apply(ctx, t, b, p)
	case plan.Blocked, plan.Expired:
	}
	stays, err := r.stays(ctx, b, p)
	switch {
	case err != nil:
		return nil, nil, err
	case stays != "":
		return failed(next, stays)
	}
	next.State, next.Reason = lane.RevertNothing, "none of its prices stands any more: they were changed since, or never sent"
	return &next, &Result{State: next.State}, nil
}

// guardsChanged is the type of the fault for which another plan is made.
const guardsChanged = "plan-guards-changed"

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func failed(next lane.Revert, reason string) (*lane.Revert, *Result, error) {
	next.State, next.Reason = lane.RevertFailed, reason
	return &next, &Result{State: next.State, Incomplete: true, Reason: reason}, nil
}

// anew forgets the plan, so that another one is made.
func anew(next lane.Revert) (*lane.Revert, *Result, error) {
	next.Plan = ""
	return &next, nil, nil
}

// begin stops what is left of a batch, waits for what is under way, and then begins
// the plan.
func (r *Reverter) begin(ctx context.Context, t tenant.ID, b lane.Batch, now time.Time) (*lane.Revert, *Result, error) {
	next := *b.Revert
	next.Reason = ""
	if b.State == lane.Sending {
		err := lane.Stops{DB: r.Bell.DB, Bell: r.Bell}.Set(ctx, t, lane.Stop{Scope: lane.ScopeBatch, ID: b.ID, Actor: next.By,
			Reason: "it is taken back, as agreed on for " + stamp(next.At)})
		if err != nil {
			return nil, nil, err
		}
		accepted, unsure, err := r.Batches.UnderWay(ctx, t, b)
		since := now.Sub(next.Begun)
		switch {
		case err != nil:
			return nil, nil, err
		case accepted > 0 && since < settleWithin, unsure > 0 && since < unsureWithin:
			return nil, nil, nil
		case accepted+unsure > 0:
			next.Reason = "some rows were sent and what Amazon made of them is not known: look at the rows that are accepted or unknown"
		}
	}
	id, err := plan.NewID(r.Random)
	if err != nil {
		return nil, nil, err
	}
	in := plan.Input{ID: id, Tenant: t, Actor: next.By, File: "revert of " + b.ID + " at " + stamp(next.At), Policy: plan.SkipBadRows, Now: now}
	if err := r.Judged(ctx, &in); err != nil {
		return nil, nil, err
	}
	var rows int64
	for _, n := range b.Rows {
		rows += n
	}
	if _, err := r.Plans.BeginUndo(ctx, in, plan.Taken{Batch: b.ID, Rows: rows, Agreed: true}); err != nil {
		return nil, nil, err
	}
	next.Plan, next.Rung = id, now
	return &next, nil, nil
}

// apply makes the batch of the way back.
func (r *Reverter) apply(ctx context.Context, t tenant.ID, b lane.Batch, p plan.Stored) (*lane.Revert, *Result, error) {
	next := *b.Revert
	order := Order{Plan: p.ID, Token: p.Token, Key: "revert of " + b.ID, Batch: revertID(t, b.ID), Actor: next.By, Reverts: b.ID}
	if r.Trace != nil {
		order.Trace = r.Trace(ctx)
	}
	batch, err := r.Apply(ctx, t, order)
	var f *fault.Fault
	if errors.As(err, &f) {
		switch f.Type {
		case guardsChanged, "plan-expired":
			return anew(next)
		case "plan-already-applied": // by a person, who found it
			batch, _ = f.Extra["batch"].(string)
			err = nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	stays, err := r.stays(ctx, b, p)
	if err != nil {
		return nil, nil, err
	}
	next.State, next.Batch, next.Reason = lane.Reverted, batch, stays
	return &next, &Result{State: next.State, Incomplete: stays != "", Reason: stays}, nil
}

// stays says which prices stay as the batch set them although they still stand, or
// may, or will again; "" for none. A row that was changed since, or never sent, is
// none of them.
func (r *Reverter) stays(ctx context.Context, b lane.Batch, p plan.Stored) (string, error) {
	n, returns := p.Summary.Held, 0
	for after := ""; p.Summary.Refused > 0; {
		page, err := r.Plans.Rows(ctx, p.Tenant, p.ID, after, 1000, price.Refused)
		if err != nil {
			return "", err
		}
		for _, row := range page.Rows {
			switch row.Findings[0].Code {
			case plan.CodeNotRestored:
			case plan.CodeReturns:
				returns++
			default:
				n++
			}
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	var why []string
	if returns > 0 {
		why = append(why, fmt.Sprintf("%d prices come back with a later batch that is to be taken back itself: look at the plan %s for when, and roll this batch back after that", returns, p.ID))
	}
	if n > 0 {
		why = append(why, fmt.Sprintf("your guards, as they are now, hold or refuse %d rows of the way back: look at the plan %s, and release what is right", n, p.ID))
	}
	if u := b.Counts[lane.Unconfirmed]; u > 0 {
		why = append(why, fmt.Sprintf("%d rows were accepted by Amazon and never seen: look at their prices", u))
	}
	if b.Revert.Reason != "" {
		why = append(why, b.Revert.Reason)
	}
	return strings.Join(why, "; "), nil
}
