package pricefile

// A cell that begins with one of these is run as a formula by spreadsheets
// (OWASP, CSV Injection).
func formula(c byte) bool {
	switch c {
	case '=', '+', '-', '@', '\t', '\r':
		return true
	}
	return false
}

// apostrophes reports whether a text is apostrophes, at least n, before something
// that would begin a formula.
func apostrophes(s string, n int) bool {
	i := 0
	for i < len(s) && s[i] == '\'' {
		i++
	}
	return i >= n && i < len(s) && formula(s[i])
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
