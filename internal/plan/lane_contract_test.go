package plan_test

import (
	"context"
	"testing"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// The lane engine takes planned rows through a function and offers come from
// its store; both have to fit as they are.
var (
	_ plan.Lookup      = (*lane.Offers)(nil)
	_ plan.Finder      = (*lane.Offers)(nil)
	_ lane.PlannedRows = planned(nil)
)

var _ plan.Resolver = (*lane.Offers)(nil)

func planned(s *plan.Store) lane.PlannedRows {
	return func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
		rows, err := s.LaneRows(ctx, t, id, c, from, limit)
		if err != nil {
			return nil, err
		}
		out := make([]lane.Row, len(rows))
		for i, r := range rows {
			out[i] = lane.Row(r)
		}
		return out, nil
	}
}

func TestPlannedRowsReachTheLaneWhole(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.small(t)
	rows, err := planned(w.Store)(t.Context(), acme, planID, "conn_eu", 0, 10)
	if err != nil || len(rows) != 1 || rows[0].SKU != "A" || rows[0].Version != 4 || rows[0].Edit.Set.Our.Minor() != 900 {
		t.Errorf("got %+v, %v", rows, err)
	}
}
