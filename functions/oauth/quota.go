package main

import (
	"context"
	"errors"
	"math"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// quotaDoc is what a connection gets of Amazon's rate of price writes.
type quotaDoc struct {
	StatedPerSecond   float64    `json:"statedPerSecond"`
	AchievedPerSecond float64    `json:"achievedPerSecond"` // while it had something to send; 0 before that was measured
	ThrottledShare    float64    `json:"throttledShare"`    // of the calls that Amazon answered, 0 to 1
	ForeignUse        string     `json:"foreignUse"`        // none or suspected
	Since             *time.Time `json:"since,omitempty"`   // of the suspicion
	MeasuredAt        time.Time  `json:"measuredAt"`
}

// quota returns what is known of a connection's quota, nil when its lane has
// sent nothing yet.
func (h *handler) quota(ctx context.Context, t tenant.ID, c price.ConnectionID) (*quotaDoc, error) {
	q, err := lane.QuotaOf(ctx, h.connections.DB, t, c)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing is known, which is no error
	}
	if err != nil {
		return nil, err
	}
	d := quotaDoc{StatedPerSecond: places(q.Stated, 2), AchievedPerSecond: places(q.Achieved, 2), ThrottledShare: places(q.Throttled, 3),
		ForeignUse: "none", Since: given(q.Since), MeasuredAt: q.At}
	if q.Suspected {
		d.ForeignUse = "suspected"
	}
	return &d, nil
}

// places rounds to n decimals: more would promise more than was measured.
func places(x float64, n int) float64 {
	p := math.Pow10(n)
	return math.Round(x*p) / p
}
