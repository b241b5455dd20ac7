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

// KindPreview: Amazon is to be asked about a sample of a plan. It is none of the
// engine's work: see package preview.
const KindPreview Kind = "preview"

// Barred is what keeps a call beside a lane from being made.
type Barred struct {
	Reason string // "" when nothing does
	// Passing: it goes away by itself.
	Passing bool
}

// Aside says whether something that is not the lane's own work may call Amazon for a
// connection and marketplace now. It may not while a kill switch stands or Amazon
// refuses the account, and not while the lane is driven: what the seller waits for
// has all of Amazon's budget for the account.
//
// Nothing keeps a lane from being taken up right after the answer. One call then
// shares the second with the lane's first ones, which wait for a token as after any
// call that Amazon throttled.
func (s Stops) Aside(ctx context.Context, t tenant.ID, c price.ConnectionID, m price.MarketplaceID) (Barred, error) {
	stops, err := s.read(ctx, t)
	if err != nil {
		return Barred{}, err
	}
	for _, x := range stops {
		if (standing{x}).blocks(c, m, "") {
			return Barred{Reason: "sending is stopped (" + x.Name() + ")"}, nil
		}
	}
	it, err := s.DB.Get(ctx, t, store.Offers, laneKey(c))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Barred{}, nil
	case err != nil:
		return Barred{}, fmt.Errorf("lane: look at lane: %w", err)
	case it.Str(aParked) != "":
		return Barred{Reason: "Amazon refuses the seller account: " + it.Str(aParked)}, nil
	case it.Time(aUntil).After(s.Bell.Now()):
		return Barred{Reason: "prices of this account are being sent", Passing: true}, nil
	}
	return Barred{}, nil
}

// Preview has Amazon asked about a sample of a plan, after a delay. Unlike lanes and
// batches nobody looks after it: a lost message is asked for again.
func (b Bell) Preview(ctx context.Context, t tenant.ID, plan string, delay time.Duration) error {
	return b.send(ctx, Doorbell{Kind: KindPreview, Tenant: t, Plan: plan}, delay)
}
