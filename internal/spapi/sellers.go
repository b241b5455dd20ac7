package spapi

import (
	"context"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// Prove asks for one listing of the account's seller with the given token and
// returns nil when Amazon allows it: the token is that seller's. The seller id
// of a consent comes through a browser, so it is nothing until this succeeded.
// A refusal is an *amazon.Error with status 403.
func (c *Client) Prove(ctx context.Context, token secret.Value, a amazon.Account, m price.MarketplaceID) error {
	var out struct{}
	_, err := c.doWith(ctx, token, call{
		op: opSearch, region: a.Region, params: []string{a.Seller},
		query: []param{inMarketplace(m), {"pageSize", []string{"1"}}},
	}, &out)
	return err
}

// Marketplaces lists the region's marketplaces that the token's seller takes
// part in and that the product knows. An app without the role for it gets an
// *amazon.Error with status 403.
func (c *Client) Marketplaces(ctx context.Context, token secret.Value, region price.Region) ([]price.MarketplaceID, error) {
	var out struct {
		Payload []struct {
			Marketplace struct {
				ID price.MarketplaceID `json:"id"`
			} `json:"marketplace"`
			Participation struct {
				IsParticipating bool `json:"isParticipating"`
			} `json:"participation"`
		} `json:"payload"`
	}
	if _, err := c.doWith(ctx, token, call{op: opParticipations, region: region}, &out); err != nil {
		return nil, err
	}
	var ids []price.MarketplaceID
	for _, p := range out.Payload {
		m, known := price.MarketplaceByID(p.Marketplace.ID)
		if known && m.Region == region && p.Participation.IsParticipating {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}
