package price

// Currency is an ISO 4217 alphabetic code in upper case, e.g. "EUR".
type Currency string

// Exponent returns the number of decimals of the currency's minor unit
// (ISO 4217, list one), and false for a code that this product does not know.
func (c Currency) Exponent() (int, bool) {
	switch c {
	case "EUR", "USD", "GBP": // nearly all there are: no look-up
		return 2, true
	}
	e, ok := exponents[c]
	return e, ok
}

// The currencies of Amazon's marketplaces, and the exponents 0 and 3 of list
// one so that files in other currencies are read exactly before they are
// refused for the marketplace.
var exponents = map[Currency]int{
	"AED": 2, "AUD": 2, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2,
	"EGP": 2, "EUR": 2, "GBP": 2, "HKD": 2, "HUF": 2, "INR": 2, "MXN": 2, "NOK": 2,
	"NZD": 2, "PLN": 2, "RON": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2, "TRY": 2,
	"USD": 2, "ZAR": 2,
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}
