package connect

import (
	"context"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Serving says which connection serves which marketplace. Two seller accounts in
// one marketplace cannot be told apart by a file yet: the marketplace is then left
// out, so that its rows are refused and not guessed.
func (s *Service) Serving(ctx context.Context, t tenant.ID) (map[price.MarketplaceID]price.ConnectionID, error) {
	all, err := s.ForMarketplaces(ctx, t)
	if err != nil {
		return nil, err
	}
	out := map[price.MarketplaceID]price.ConnectionID{}
	for m, list := range all {
		if len(list) == 1 {
			out[m] = list[0].ID
		}
	}
	return out, nil
}
