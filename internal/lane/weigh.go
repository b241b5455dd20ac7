package lane

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/price"
)

// weigh has the guards, as they are now, look at a row just before it is sent. It
// returns what keeps the row from being sent; nothing lets it go.
//
// What a person released the row from does not hold it again, as long as the row
// still does what was released: staging has seen to the version of the offer, and
// the prices before it are compared here. A refusal holds whatever was released.
func (d *driver) weigh(ctx context.Context, r *row, rec record, now time.Time) ([]price.Finding, error) {
	o := rec.Offer
	o.Replaced = nil // a way back was judged when it was planned
	g, err := guard.Informed(ctx, d.guards.For(r.key), d.e.History, d.lease.tenant, o, r.Edit, now)
	if err != nil {
		return nil, fmt.Errorf("lane: price history: %w", err)
	}
	verdict, findings := g.Check(o, r.Edit, now)
	if verdict != price.Held && verdict != price.Refused {
		return nil, nil
	}
	released := len(r.Release) > 0 && sameStart(r, rec)
	return slices.DeleteFunc(findings, func(f price.Finding) bool {
		return f.Verdict == price.Allowed || f.Verdict == price.Held && released && slices.Contains(r.Release, f.Code)
	}), nil
}

// sameStart reports whether an offer still has the prices that a row was planned
// to change, counting what the change before it is about to bring.
func sameStart(r *row, rec record) bool {
	known := rec.Known
	if c := rec.change; c != nil && !c.State.Terminal() && (c.Batch != r.w.j.Batch || c.Row != r.N) {
		known = c.Edit.Apply(known)
	}
	for _, f := range r.own.Touched() {
		if !known.EqualField(f, r.Old) {
			return false
		}
	}
	return true
}
