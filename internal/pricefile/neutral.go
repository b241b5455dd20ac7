package pricefile

import (
	"strings"
	"unicode/utf8"
)

// starters begin what spreadsheets run as a formula (OWASP, CSV Injection), the last
// four where the machine's language has wide letters.
const starters = "=+-@\t\r\n＝＋－＠"

// formula reports whether a cell with this text is run as a formula.
func formula(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && r != utf8.RuneError && strings.ContainsRune(starters, r)
}

// apostrophes reports whether a text is apostrophes, at least n, before something
// that would begin a formula.
func apostrophes(s string, n int) bool {
	i := 0
	for i < len(s) && s[i] == '\'' {
		i++
	}
	return i >= n && formula(s[i:])
}

// Neutralise returns a text that no spreadsheet runs as a formula: with one
// apostrophe in front where it would be one. Reading takes it off again, so
// that a text which already has one gets another.
func Neutralise(s string) string {
	if apostrophes(s, 0) {
		return "'" + s
	}
	return s
}

// plainText takes off the apostrophe that Neutralise put in front.
func plainText(b []byte) []byte {
	if len(b) > 1 && b[0] == '\'' && apostrophes(string(b), 1) {
		return b[1:]
	}
	return b
}
