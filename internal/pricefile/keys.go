package pricefile

import (
	"bytes"
	"strconv"
	"strings"

	"pricemanager/internal/price"
)

// Ref names the offer of a row: see price.Ref.
type Ref = price.Ref

// parseEAN reads a GTIN as files write it: digits, with spaces or hyphens
// between them, or as a spreadsheet shows a long number, 4,006381333931E+12.
// That is taken back only when every digit is there.
func parseEAN(cell []byte) (gtin string, code Code, fix, reason string) {
	text := string(bytes.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, cell))
	const asText = "Format the column as text in the spreadsheet and enter the whole number."
	if mantissa, power, ok := scientific(string(cell)); ok {
		if len(mantissa) != power+1 {
			return "", CodeLostDigits, asText,
				"A spreadsheet has rounded the number: it shows " + strconv.Itoa(len(mantissa)) + " of " + strconv.Itoa(power+1) + " digits."
		}
		text = mantissa
	}
	gtin, ok := price.NormalGTIN(text)
	switch {
	case ok:
		return gtin, "", "", ""
	case strings.Trim(text, "0123456789") != "" || text == "":
		return "", CodeBadEAN, "Give the digits of the EAN, UPC or GTIN only.", "This is not an EAN: it holds more than digits."
	case len(text) < 8 || len(text) > 14:
		return "", CodeBadEAN, "Give the whole number: 8, 12, 13 or 14 digits.", "An EAN has 8 to 14 digits, this has " + strconv.Itoa(len(text)) + "."
	case len(text) < 12 && len(text) > 8:
		return "", CodeCheckDigit, "Give the whole number: 8, 12, 13 or 14 digits.", "The check digit does not fit, also with zeros in front: an EAN has 8, 12, 13 or 14 digits, this has " + strconv.Itoa(len(text)) + "."
	}
	return "", CodeCheckDigit, "Compare the number with the product's bar code.", "The check digit does not fit: a digit is wrong, or two have changed places."
}

// scientific reads a number such as 4.00638E+12 and returns its digits and the
// power of ten of the first one.
func scientific(s string) (digits string, power int, ok bool) {
	at := strings.IndexAny(s, "eE")
	if at < 1 {
		return "", 0, false
	}
	exponent := strings.TrimPrefix(s[at+1:], "+")
	power, ok = decimalInt([]byte(exponent))
	if !ok || exponent == "" || len(exponent) > 2 {
		return "", 0, false
	}
	first, rest := s[:1], s[1:at]
	if rest != "" {
		if rest[0] != '.' && rest[0] != ',' || len(rest) == 1 {
			return "", 0, false
		}
		rest = rest[1:]
	}
	digits = first + rest
	if strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return "", 0, false
	}
	return digits, power, true
}

// parseASIN reads an ASIN in either case.
func parseASIN(cell []byte) (asin string, ok bool) {
	if len(cell) != 10 {
		return "", false
	}
	asin = upper(cell)
	return asin, price.ValidASIN(asin)
}

// identity is what is known about which columns name the offers of a file. A
// file names all its offers in one way, the first that it has a column for: by
// SKU, ASIN, EAN or product id. What else it says about an offer must agree.
type identity struct {
	sku, asin, ean, product, productType int // columns, -1 for none
	by                                   Meaning
	json                                 bool
}

func newIdentity(l *Layout) identity {
	id := identity{
		sku: l.index(MeansSKU), asin: l.index(MeansASIN), ean: l.index(MeansEAN),
		product: l.index(MeansProduct), productType: l.index(MeansProductType), json: l.Separator == "json",
	}
	for _, m := range [...]Meaning{MeansSKU, MeansASIN, MeansEAN, MeansProduct} {
		if l.index(m) >= 0 {
			id.by = m
			break
		}
	}
	return id
}

// skuOf is the SKU that a record names. In JSON, which no spreadsheet runs, an
// apostrophe is one.
func (id *identity) skuOf(rec *record) []byte {
	if id.json {
		return rec.cell(id.sku)
	}
	return plainText(rec.cell(id.sku))
}

// key is what a record is about, in the form in which two records about the
// same offer are equal; nil when it does not say. It reports no errors.
func (id *identity) key(rec *record) []byte {
	switch id.by {
	case MeansSKU:
		return id.skuOf(rec)
	case MeansASIN:
		if a, ok := parseASIN(rec.cell(id.asin)); ok {
			return []byte(a)
		}
	case MeansEAN:
		if e, code, _, _ := parseEAN(rec.cell(id.ean)); code == "" {
			return []byte(e)
		}
	case MeansProduct:
		if ref, code, _, _ := parseProduct(rec.cell(id.product), rec.cell(id.productType)); code == "" {
			return []byte(ref.Value)
		}
	}
	return nil
}

// Amazon's numbers for the kinds of product ids (Inventory Loader template).
const (
	productASIN, productISBN, productUPC, productEAN = "1", "2", "3", "4"
)

// parseProduct reads a product id by its type, or by its shape when the file
// gives no type: what begins with B is an ASIN, 8 and 12 to 14 digits are an
// EAN. A type that is neither (GCID) has nothing to say to us: the reference
// is empty.
func parseProduct(cell, typ []byte) (ref Ref, code Code, fix, reason string) {
	kind := strings.ToUpper(strings.TrimSpace(string(typ)))
	_, _, power := scientific(string(cell))
	switch kind {
	case "":
		switch {
		case len(cell) == 10 && (cell[0] == 'B' || cell[0] == 'b'):
			kind = productASIN
		case len(cell) == 8, len(cell) >= 12 && len(cell) <= 14, power:
			kind = productEAN
		default:
			return Ref{}, CodeBadProduct, "Add a column product-id-type with ASIN or EAN.", "It is not clear whether this is an ASIN or an EAN."
		}
	case productASIN, "ASIN":
		kind = productASIN
	case productISBN, "ISBN":
		kind = productEAN
		if len(cell) == 10 {
			kind = productASIN // of a book
		}
	case productUPC, "UPC", productEAN, "EAN", "GTIN":
		kind = productEAN
	default:
		return Ref{}, "", "", ""
	}
	if kind == productASIN {
		asin, ok := parseASIN(cell)
		if !ok {
			return Ref{}, CodeBadASIN, "Copy the ASIN from the product's page at Amazon.", "An ASIN is B and nine letters or digits, or the ISBN-10 of a book."
		}
		return Ref{Kind: price.ByASIN, Value: asin}, "", "", ""
	}
	gtin, code, fix, reason := parseEAN(cell)
	if code != "" {
		return Ref{}, code, fix, reason
	}
	return Ref{Kind: price.ByEAN, Value: gtin}, "", "", ""
}

// given is what names the row's offer, as the file gives it.
func (r *Row) given() string {
	switch r.Ref.Kind {
	case price.ByASIN:
		return r.ASIN.Given
	case price.ByEAN:
		return r.EAN.Given
	case price.BySKU:
	}
	return r.Ref.Value
}

// ProductColumn is the name of the column that gives the rows' ASIN or EAN.
func (f *File) ProductColumn(m Meaning) string { return f.layout.headerOr(m, MeansProduct) }
