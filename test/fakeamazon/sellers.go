package fakeamazon

import (
	"net/http"

	"pricemanager/internal/price"
)

// participation is the model's MarketplaceParticipation.
type participation struct {
	Marketplace   marketplaceView `json:"marketplace"`
	Store         string          `json:"storeName"`
	Participation struct {
		Participating bool `json:"isParticipating"`
		Suspended     bool `json:"hasSuspendedListings"`
	} `json:"participation"`
}

type marketplaceView struct {
	ID       price.MarketplaceID `json:"id"`
	Name     string              `json:"name"`
	Country  string              `json:"countryCode"`
	Currency price.Currency      `json:"defaultCurrencyCode"`
	Language string              `json:"defaultLanguageCode"`
	Domain   string              `json:"domainName"`
}

// stores are the domains and default languages of the marketplaces by country.
var stores = map[string]struct{ domain, language string }{
	"CA": {"ca", "en_CA"}, "US": {"com", "en_US"}, "MX": {"com.mx", "es_MX"}, "BR": {"com.br", "pt_BR"},
	"IE": {"ie", "en_IE"}, "ES": {"es", "es_ES"}, "GB": {"co.uk", "en_GB"}, "FR": {"fr", "fr_FR"},
	"BE": {"com.be", "fr_BE"}, "NL": {"nl", "nl_NL"}, "DE": {"de", "de_DE"}, "IT": {"it", "it_IT"},
	"SE": {"se", "sv_SE"}, "ZA": {"co.za", "en_ZA"}, "PL": {"pl", "pl_PL"}, "EG": {"eg", "ar_EG"},
	"TR": {"com.tr", "tr_TR"}, "SA": {"sa", "ar_SA"}, "AE": {"ae", "en_AE"}, "IN": {"in", "en_IN"},
	"SG": {"sg", "en_SG"}, "AU": {"com.au", "en_AU"}, "JP": {"co.jp", "ja_JP"},
}

func (f *Fake) participations(c *call) answer {
	list := []participation{}
	for _, id := range c.seller.marketplaces() {
		m := c.seller.markets[id]
		store := stores[m.Country]
		p := participation{Store: c.seller.name, Marketplace: marketplaceView{
			ID: id, Name: "Amazon." + store.domain, Country: m.Country, Currency: m.Currency,
			Language: store.language, Domain: "www.amazon." + store.domain,
		}}
		p.Participation.Participating = true
		list = append(list, p)
	}
	return answer{http.StatusOK, map[string]any{"payload": list}, ""}
}
