package pricefile

import (
	"pricemanager/internal/fault"
)

// Limits of a price file. They bound memory and time, not the business: a
// seller with more rows splits the file.
const (
	MaxBytes   = 256 << 20 // as uploaded, and again unpacked and in UTF-8
	MaxRow     = 1 << 20   // bytes, with the line breaks in its cells
	MaxColumns = 200
	MaxCell    = 1_000 // characters
	MaxRows    = 1_000_000
	// MaxSKU is generous: Amazon's own limit is 40 characters.
	MaxSKU = 200 // bytes
)

// Code names what is wrong with a cell. Its text is part of the API.
type Code string

// The codes: a closed set.
const (
	CodeMissingSKU         Code = "missing-sku"
	CodeBadSKU             Code = "bad-sku" // too long, or with a line break or other control character
	CodeNoMarketplace      Code = "no-marketplace"
	CodeUnknownMarketplace Code = "unknown-marketplace"
	CodeUnknownCurrency    Code = "unknown-currency"
	CodeCurrency           Code = "currency-mismatch"
	CodeNotANumber         Code = "not-a-number"
	CodeAmbiguousNumber    Code = "ambiguous-number"
	CodeNotPositive        Code = "not-positive"
	CodeDecimals           Code = "too-many-decimals"
	CodeTooLarge           Code = "number-too-large"
	CodeNotADate           Code = "not-a-date"
	CodeAmbiguousDate      Code = "ambiguous-date"
	CodeIncompleteSale     Code = "incomplete-sale"
	CodeBlankPrice         Code = "blank-price"
	CodeBrokenQuote        Code = "broken-quote"
	CodeCellTooLong        Code = "cell-too-long"
	CodeExtraCells         Code = "extra-cells"
	CodeDuplicate          Code = "conflicting-duplicate"
	CodeMissingRef         Code = "missing-product"    // no EAN or ASIN in a file that names offers by it
	CodeBadASIN            Code = "bad-asin"           // not the shape of an ASIN
	CodeBadEAN             Code = "bad-ean"            // not 8 to 14 digits
	CodeCheckDigit         Code = "bad-check-digit"    // of an EAN
	CodeLostDigits         Code = "lost-digits"        // an EAN that a spreadsheet has rounded
	CodeBadProduct         Code = "unclear-product-id" // ASIN or EAN
	CodeMismatch           Code = "product-mismatch"   // the row, or the offer that it names, is about another product
	CodeMixedRefs          Code = "mixed-product-ids"  // ASINs and EANs in one column
	CodeAction             Code = "listing-action"     // Amazon's add-delete asks to delete the listing
	CodeClear              Code = "contradictory-clear"
	CodeTierPercent        Code = "tier-percent"
	CodeIncompleteTier     Code = "incomplete-tier"
	CodeNotAQuantity       Code = "not-a-quantity"
	CodeNoZone             Code = "time-without-zone"
	CodeWrongType          Code = "wrong-type" // true, a percentage, a list, or a value that a spreadsheet made a date
	CodeFormula            Code = "no-result"  // of a formula: an error, or not in the file
	CodeTwice              Code = "key-given-twice"
)

// RowError is one thing wrong with one row, written for whoever made the file.
type RowError struct {
	Line   int    // physical line in the file, from 1, as a text editor counts
	Column string // header as the file gives it, "" for the row as a whole
	Value  string // text as the file gives it, cut after 100 characters
	Code   Code
	Reason string
	Fix    string
}

// shown is how much of a cell is repeated in an error.
const shown = 100

func show(b []byte) string {
	n := 0
	for i := range string(b) {
		if n == shown {
			return string(b[:i]) + "…"
		}
		n++
	}
	return string(b)
}

// unreadable is a fault about the file as a whole.
func unreadable(typ, format string, args ...any) error {
	return fault.New(fault.Invalid, "price-file-"+typ, format, args...)
}
