package pricefile

import (
	"bytes"
	"strings"
	"unicode"

	"pricemanager/internal/price"
)

// signs are currencies by how they are shown. A sign of several countries fits
// each of them.
var signs = map[string]string{
	"€": "EUR", "£": "GBP", "¥": "JPY CNY", "￥": "JPY CNY", "円": "JPY", "₹": "INR", "₨": "INR", "Rs": "INR", "₺": "TRY", "TL": "TRY", "zł": "PLN", "Kč": "CZK",
	"kr": "SEK DKK NOK", "$": "USD CAD MXN AUD SGD BRL", "US$": "USD", "CA$": "CAD", "C$": "CAD", "A$": "AUD", "AU$": "AUD", "S$": "SGD",
	"MX$": "MXN", "R$": "BRL", "R": "ZAR", "E£": "EGP", "£E": "EGP", "Ft": "HUF", "lei": "RON", "Fr": "CHF",
}

// currencies returns those that a sign or a code stands for, "" when it stands
// for none that is known.
func currencies(sign string) string {
	if list, ok := signs[sign]; ok {
		return list
	}
	code := strings.ToUpper(sign)
	if _, ok := price.Currency(code).Exponent(); ok {
		return code
	}
	return ""
}

// namesCurrency reports whether a sign can only be that of a currency, one that
// is known or another: three capitals, as the codes of ISO 4217 are, or a
// character that Unicode has for currencies.
func namesCurrency(sign string) bool {
	capitals := len(sign) == 3 && strings.Trim(sign, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	return capitals || currencies(sign) != "" || strings.ContainsFunc(sign, func(r rune) bool { return unicode.Is(unicode.Sc, r) })
}

// inCurrency reports whether an amount with this sign can be one in the
// currency. What is no currency, such as kg, says nothing.
func inCurrency(sign string, c price.Currency) bool {
	if list := currencies(sign); list != "" {
		return strings.Contains(list, string(c))
	}
	return !namesCurrency(sign)
}

// parseAmount takes apart what people write for a price: a number, and maybe the
// currency in front of it or behind it.
func parseAmount(cell []byte) (n number, sign string) {
	if n = parseNumber(cell); n.form == bad {
		return withCurrency(cell)
	}
	return n, ""
}

// withCurrency is parseAmount for what is not a number alone.
func withCurrency(cell []byte) (n number, sign string) {
	from, to := bytes.IndexAny(cell, "+-0123456789"), bytes.LastIndexAny(cell, "0123456789")
	if from > to || from < 0 {
		return n, ""
	}
	before, after := trim(cell[:from]), trim(cell[to+1:])
	if sign = string(before) + string(after); len(before) > 0 && len(after) > 0 || currencies(sign) == "" {
		return n, ""
	}
	return parseNumber(trim(cell[from : to+1])), sign
}
