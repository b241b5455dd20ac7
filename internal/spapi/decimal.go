package spapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pricemanager/internal/price"
)

// maxShift bounds the exponent of a number that Amazon sends. Some JSON writers
// put 10000000 as 1.0E7; nothing sane is further off than this.
const maxShift = 18

// exact reads a JSON number as money without ever passing a float: the decimal
// point is moved in the text.
func exact(n json.Number, c price.Currency) (price.Money, error) {
	text, err := plainDecimal(string(n))
	if err != nil {
		return price.Money{}, err
	}
	m, err := price.ParseMoney(text, c)
	if err != nil {
		return price.Money{}, fmt.Errorf("amount %q: %w", string(n), err)
	}
	return m, nil
}

// plainDecimal rewrites a JSON number (RFC 8259, section 6) without exponent.
func plainDecimal(s string) (string, error) {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > maxShift || n < -maxShift {
			return "", fmt.Errorf("amount %q: exponent", s)
		}
		mantissa, exponent = s[:i], n
	}
	if exponent == 0 {
		return mantissa, nil
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	for ; exponent > 0; exponent-- {
		if frac == "" {
			frac = "0"
		}
		whole, frac = whole+frac[:1], frac[1:]
	}
	for ; exponent < 0; exponent++ {
		if whole == "" {
			whole = "0"
		}
		whole, frac = whole[:len(whole)-1], whole[len(whole)-1:]+frac
	}
	if whole == "" {
		whole = "0"
	}
	if frac != "" {
		whole += "." + frac
	}
	if negative {
		whole = "-" + whole
	}
	return whole, nil
}

// literal is the amount as a JSON number, digit for digit.
func literal(m price.Money) json.Number { return json.Number(m.Decimal()) }
