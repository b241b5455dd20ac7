package main

import (
	"fmt"

	"pricemanager/internal/price"
)

// Catalogue is the format of catalogue.json. Amounts are decimal strings in
// major units; a field that is absent is not set at Amazon.
type Catalogue struct {
	Sellers []Seller `json:"sellers"`
	Items   []Item   `json:"items"`
}

// Seller is one account at Amazon.
type Seller struct {
	ID           string                `json:"id"`
	Region       price.Region          `json:"region"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
}

// Item is one SKU of a seller, with an offer in each marketplace.
type Item struct {
	Seller      string                        `json:"seller"`
	SKU         price.SKU                     `json:"sku"`
	ASIN        string                        `json:"asin"`
	Title       string                        `json:"title"`
	ProductType string                        `json:"productType"`
	Quantity    int64                         `json:"quantity"`
	Offers      map[price.MarketplaceID]Offer `json:"offers"`
}

// Offer is the prices of an item in one marketplace.
type Offer struct {
	Currency  price.Currency `json:"currency"`
	Our       string         `json:"our_price"`
	Min       string         `json:"minimum_price,omitempty"`
	Max       string         `json:"maximum_price,omitempty"`
	B2B       string         `json:"b2b_price,omitempty"`
	Sale      *Sale          `json:"sale_price,omitempty"`
	Tiers     []Tier         `json:"tiers,omitempty"`
	Automated bool           `json:"automated"` // under Amazon's Automate Pricing
}

// Sale is a reduced price from start up to, not including, end (RFC 3339).
type Sale struct {
	Price string `json:"price"`
	Start string `json:"start"`
	End   string `json:"end"`
}

// Tier is a B2B price per unit from a quantity.
type Tier struct {
	Quantity int    `json:"quantity"`
	Price    string `json:"price"`
}

const (
	germany = price.MarketplaceID("A1PA6795UKMFR9")
	france  = price.MarketplaceID("A13V1IB3VIYZZH")
	usa     = price.MarketplaceID("ATVPDKIKX0DER")

	sellerEU, sellerNA = "A2DEMOSELLEREU", "A2DEMOSELLERNA"

	perMarketplace = 260
)

// SKUs that break careless code: URL delimiters, spaces, umlauts, a comma
// (which Amazon's search cannot take). They replace the regular ones.
var awkward = []price.SKU{
	"TEE KANNE 12", "REGAL/GROSS", "NR#7", "RABATT%10", "C++ BUCH", "GRÖSSE-ÜBER", "FLÄSCHCHEN ß", "A&B=C",
	"SET-3,5L", "50%20", "a+b c/d#e", "ÀÉÎ-ÑÇ", "Q?A", "DOT.NAME.", "UNDER_SCORE~", "(PAREN)'S",
}

const firstAwkward = 40 // the index of the first of them

// stock is one SKU in one marketplace before it is written down, in cents.
type stock struct {
	index               int
	market              price.MarketplaceID
	currency            price.Currency
	sku                 price.SKU
	our, min, max       int64 // min and max 0 for none
	b2b, sale           int64 // 0 for none
	tiers, automated    bool
	expensive, isPlain  bool // isPlain: no sale, no B2B price
	seller, asin, title string
}

var kinds = []struct{ name, productType string }{
	{"Kettle", "TEA_KETTLE"}, {"Desk Lamp", "LAMP"}, {"Backpack", "BACKPACK"}, {"Drill Set", "DRILL_BITS"},
	{"Notebook", "BLANK_BOOK"}, {"Garden Hose", "GARDEN_HOSE"}, {"Phone Case", "CELLULAR_PHONE_CASE"}, {"Yoga Mat", "EXERCISE_MAT"},
}

// stockOf makes the i-th SKU of a marketplace. Which one has a sale, a B2B
// price or no bounds depends on i alone, so that the files can choose by it.
func stockOf(m price.MarketplaceID, i int) stock {
	market, ok := price.MarketplaceByID(m)
	if !ok {
		panic("unknown marketplace " + m)
	}
	s := stock{index: i, market: m, currency: market.Currency, seller: sellerEU, sku: price.SKU(fmt.Sprintf("PM-%04d-%c", i+1, 'A'+i%5))}
	extra, letter := int64(0), 'E'
	switch m {
	case france:
		extra = 100
	case usa:
		extra, letter, s.seller = 200, 'N', sellerNA
	}
	if at := i - firstAwkward; at >= 0 && at < len(awkward) {
		s.sku = awkward[at]
	}
	s.asin = fmt.Sprintf("B0%cDM%05d", letter, i+1)
	s.title = fmt.Sprintf("Demo %s No. %d", kinds[i%len(kinds)].name, i+1)
	s.our = (8+int64(i)*37%90)*100 - 1 + extra // 7.99 to 96.99
	s.expensive = i%25 == 7
	if s.expensive {
		s.our += 120_000
	}
	if i%13 != 5 {
		s.min, s.max = s.our/2, s.our*2
	}
	s.isPlain = true
	if i%10 == 8 {
		s.b2b, s.tiers, s.isPlain = s.our*95/100, i%20 == 18, false
	} else if i%17 == 4 {
		s.sale, s.isPlain = s.our*90/100, false
	}
	s.automated = i >= 250 && i < 253
	return s
}

func (s stock) amount(cents int64) string {
	if cents == 0 {
		return ""
	}
	return price.FromMinor(cents, s.currency).Decimal()
}

func (s stock) offer() Offer {
	o := Offer{Currency: s.currency, Our: s.amount(s.our), Min: s.amount(s.min), Max: s.amount(s.max), B2B: s.amount(s.b2b), Automated: s.automated}
	if s.sale > 0 {
		o.Sale = &Sale{Price: s.amount(s.sale), Start: "2026-11-01T00:00:00Z", End: "2030-06-01T00:00:00Z"}
	}
	if s.tiers {
		o.Tiers = []Tier{{5, s.amount(s.our * 90 / 100)}, {10, s.amount(s.our * 85 / 100)}}
	}
	return o
}

func catalogue() Catalogue {
	c := Catalogue{Sellers: []Seller{
		{ID: sellerEU, Region: price.EU, Marketplaces: []price.MarketplaceID{germany, france}},
		{ID: sellerNA, Region: price.NA, Marketplaces: []price.MarketplaceID{usa}},
	}}
	for _, seller := range c.Sellers {
		for i := range perMarketplace {
			first := stockOf(seller.Marketplaces[0], i)
			item := Item{
				Seller: seller.ID, SKU: first.sku, ASIN: first.asin, Title: first.title,
				ProductType: kinds[i%len(kinds)].productType, Quantity: int64(i * 29 % 120), Offers: map[price.MarketplaceID]Offer{},
			}
			for _, m := range seller.Marketplaces {
				item.Offers[m] = stockOf(m, i).offer()
			}
			c.Items = append(c.Items, item)
		}
	}
	return c
}
