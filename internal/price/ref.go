package price

import "strings"

// RefKind says what a reference to an offer is.
type RefKind string

// The kinds: a closed set.
const (
	BySKU  RefKind = "sku"
	ByASIN RefKind = "asin"
	ByEAN  RefKind = "ean" // any GTIN: EAN-8, UPC-12, EAN-13 (ISBN-13 among them), GTIN-14
)

// Ref names an offer the way a price file does. An EAN is in the form of
// NormalGTIN, an ASIN in upper case.
type Ref struct {
	Kind  RefKind `json:"kind"`
	Value string  `json:"value"`
}

// RefKey is a reference within one connection and marketplace. Several offers
// may answer to it: the same product under two SKUs.
type RefKey struct {
	Connection  ConnectionID
	Marketplace MarketplaceID
	Ref
}

// gtinDigits is the length of the longest GTIN; shorter ones are the same
// number with leading zeros (GS1 General Specifications, section 3.3.2).
const gtinDigits = 14

// NormalGTIN checks a GTIN of 8 to 14 digits and returns it with 14. The check
// digit holds whatever zeros stand in front, so that one from which a
// spreadsheet dropped them is the same number as before.
func NormalGTIN(s string) (string, bool) {
	if len(s) < 8 || len(s) > gtinDigits {
		return "", false
	}
	sum := 0
	for i := range len(s) {
		d := s[len(s)-1-i]
		if d < '0' || d > '9' {
			return "", false
		}
		weight := 1
		if i%2 == 1 {
			weight = 3
		}
		sum += weight * int(d-'0')
	}
	if sum%10 != 0 || strings.Trim(s, "0") == "" {
		return "", false
	}
	return strings.Repeat("0", gtinDigits-len(s)) + s, true
}

// ValidASIN reports whether s has the shape of an ASIN: B and nine letters or
// digits, or the ISBN-10 of a book, whose check digit is verified.
func ValidASIN(s string) bool {
	if len(s) != 10 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s[0] == 'B' || isbn10(s)
}

func isbn10(s string) bool {
	sum := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			sum += (10 - i) * int(c-'0')
		case c == 'X' && i == 9:
			sum += 10
		default:
			return false
		}
	}
	return sum%11 == 0
}
