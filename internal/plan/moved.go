package plan

import (
	"context"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

const (
	// comparedRows is how large a plan may be for its offers to be compared while
	// the caller waits. Those of larger plans are compared when they are staged,
	// which refuses the batch before anything is sent.
	comparedRows = 1_000
	movedLimit   = 100 // one row in this many may have moved, as when staging
	mostShown    = 100
)

// Moved is a planned row whose offer changed since.
type Moved struct {
	Row         int                 `json:"row"` // line in the file
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
}

// unmoved refuses a plan of a file too many of whose offers changed since it was
// made: the seller saw other prices than those it would replace. The rules are
// those that staging applies later.
func (s *Store) unmoved(ctx context.Context, t tenant.ID, p Stored) error {
	if s.Offers == nil || p.Origin != OfFile || p.Summary.Planned > comparedRows {
		return nil
	}
	moved := []Moved{}
	for _, lane := range p.Lanes {
		rows, err := s.LaneRows(ctx, t, p.ID, lane.Connection, 0, comparedRows)
		if err != nil {
			return err
		}
		keys := make([]price.OfferKey, len(rows))
		for i, r := range rows {
			keys[i] = price.OfferKey{Connection: lane.Connection, Marketplace: r.Marketplace, SKU: r.SKU}
		}
		known, err := s.Offers.Offers(ctx, t, keys)
		if err != nil {
			return err
		}
		for i, r := range rows {
			if o, ok := known[keys[i]]; !ok || o.Version != r.Version {
				moved = append(moved, Moved{r.Line, r.Marketplace, r.SKU})
			}
		}
	}
	n := int64(len(moved))
	if n == 0 || p.Policy != AllOrNothing && n*movedLimit <= p.Summary.Planned {
		return nil
	}
	return fault.New(fault.Conflict, "plan-offers-moved",
		"%d of %d offers changed since the plan was made. Plan the file again and look at the difference.", n, p.Summary.Planned).
		With("moved", moved[:min(len(moved), mostShown)])
}
