package price

import "strings"

// Region is one of Amazon's selling regions. A seller authorises each region
// by itself, and each has its own endpoint and its own request budget.
type Region string

// The regions of the Selling Partner API.
const (
	NA Region = "NA" // North and South America
	EU Region = "EU" // Europe, Middle East, Africa, India
	FE Region = "FE" // Far East
)

// Valid reports whether r is one of the three regions.
func (r Region) Valid() bool { return r == NA || r == EU || r == FE }

// MarketplaceID is Amazon's identifier of a marketplace, e.g. "A1PA6795UKMFR9".
type MarketplaceID string

// Marketplace is one Amazon store.
type Marketplace struct {
	ID       MarketplaceID
	Country  string // ISO 3166-1 alpha-2, with GB for the United Kingdom
	Region   Region
	Currency Currency
}

// Marketplace identifiers are from Amazon's "Marketplace IDs" page; the
// currencies are those of the countries (ISO 4217).
var marketplaces = []Marketplace{
	{"A2EUQ1WTGCTBG2", "CA", NA, "CAD"}, {"ATVPDKIKX0DER", "US", NA, "USD"},
	{"A1AM78C64UM0Y8", "MX", NA, "MXN"}, {"A2Q3Y263D00KWC", "BR", NA, "BRL"},
	{"A28R8C7NBKEWEA", "IE", EU, "EUR"}, {"A1RKKUPIHCS9HS", "ES", EU, "EUR"},
	{"A1F83G8C2ARO7P", "GB", EU, "GBP"}, {"A13V1IB3VIYZZH", "FR", EU, "EUR"},
	{"AMEN7PMS3EDWL", "BE", EU, "EUR"}, {"A1805IZSGTT6HS", "NL", EU, "EUR"},
	{"A1PA6795UKMFR9", "DE", EU, "EUR"}, {"APJ6JRA9NG5V4", "IT", EU, "EUR"},
	{"A2NODRKZP88ZB9", "SE", EU, "SEK"}, {"AE08WJ6YKNBMC", "ZA", EU, "ZAR"},
	{"A1C3SOZRARQ6R3", "PL", EU, "PLN"}, {"ARBP9OOSHTCHU", "EG", EU, "EGP"},
	{"A33AVAJ2PDY3EV", "TR", EU, "TRY"}, {"A17E79C6D8DWNP", "SA", EU, "SAR"},
	{"A2VIGQ35RCS4UG", "AE", EU, "AED"}, {"A21TJRUUN4KGV", "IN", EU, "INR"},
	{"A19VAU5U5O7RUS", "SG", FE, "SGD"}, {"A39IBJ37TRP1C6", "AU", FE, "AUD"},
	{"A1VC38T7YXB528", "JP", FE, "JPY"},
}

// Marketplaces returns all marketplaces that the product knows.
func Marketplaces() []Marketplace { return append([]Marketplace(nil), marketplaces...) }

// MarketplaceByID returns the marketplace with Amazon's identifier id.
func MarketplaceByID(id MarketplaceID) (Marketplace, bool) {
	m, ok := byID[id]
	return m, ok
}

var byID = func() map[MarketplaceID]Marketplace {
	out := make(map[MarketplaceID]Marketplace, len(marketplaces))
	for _, m := range marketplaces {
		out[m.ID] = m
	}
	return out
}()

// FindMarketplace finds a marketplace by what sellers write in a file: Amazon's
// identifier, the country code ("DE", "UK" for GB), or the store's domain
// ("Amazon.de", "amazon.co.uk").
func FindMarketplace(s string) (Marketplace, bool) {
	s = strings.TrimSpace(s)
	if m, ok := MarketplaceByID(MarketplaceID(s)); ok {
		return m, true
	}
	name := strings.ToLower(s)
	if domain, ok := strings.CutPrefix(name, "amazon."); ok {
		name = domain[strings.LastIndexByte(domain, '.')+1:]
		if name == "com" {
			name = "us"
		}
	}
	if name == "uk" {
		name = "gb"
	}
	for _, m := range marketplaces {
		if strings.EqualFold(m.Country, name) {
			return m, true
		}
	}
	return Marketplace{}, false
}
