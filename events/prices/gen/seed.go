package main

import (
	"encoding/json"

	"pricemanager/internal/price"
)

// The shapes below are those of the fake Amazon's -seed-file, which wants one
// listing per SKU and marketplace. A test loads the file into the fake.
type (
	seedFile struct {
		Sellers []seedSeller `json:"sellers"`
	}
	seedSeller struct {
		Seller
		Listings []seedListing `json:"listings"`
	}
	seedListing struct {
		Marketplace price.MarketplaceID `json:"marketplace"`
		SKU         price.SKU           `json:"sku"`
		ASIN        string              `json:"asin"`
		Title       string              `json:"title"`
		ProductType string              `json:"productType"`
		Quantity    int64               `json:"quantity"`
		Price       string              `json:"price"`
		Min         string              `json:"min,omitempty"`
		Max         string              `json:"max,omitempty"`
		B2B         string              `json:"b2b,omitempty"`
		Tiers       []seedTier          `json:"tiers,omitempty"`
		Sale        *Sale               `json:"sale,omitempty"`
		Automated   bool                `json:"automated,omitempty"`
	}
	seedTier struct {
		From  int    `json:"from"`
		Price string `json:"price"`
	}
)

// seed is the catalogue in the fake Amazon's own form.
func seed(c Catalogue) []byte {
	var out seedFile
	for _, s := range c.Sellers {
		seller := seedSeller{Seller: s}
		for _, item := range c.Items {
			if item.Seller != s.ID {
				continue
			}
			for _, m := range s.Marketplaces {
				o := item.Offers[m]
				l := seedListing{
					Marketplace: m, SKU: item.SKU, ASIN: item.ASIN, Title: item.Title, ProductType: item.ProductType, Quantity: item.Quantity,
					Price: o.Our, Min: o.Min, Max: o.Max, B2B: o.B2B, Sale: o.Sale, Automated: o.Automated,
				}
				for _, t := range o.Tiers {
					l.Tiers = append(l.Tiers, seedTier{t.Quantity, t.Price})
				}
				seller.Listings = append(seller.Listings, l)
			}
		}
		out.Sellers = append(out.Sellers, seller)
	}
	return encode(out)
}

func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(b, '\n')
}
