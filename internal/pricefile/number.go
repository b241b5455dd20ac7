package pricefile

import (
	"strings"
	"unicode/utf8"
)

// form is what a number's own text says about how it is written.
type form uint8

const (
	bad    form = iota // not a number
	whole              // no decimal separator
	point              // reads in one way only, with a decimal point
	comma              // reads in one way only, with a decimal comma
	either             // one separator before three digits: 1.234 or 1,234
)

// evidence collects what the values of a column prove.
type evidence struct {
	point, comma bool
	proof        Proof // the first value that proved anything
}

func (e *evidence) observe(line int, cell []byte) {
	f := parseNumber(cell).form
	if f == bad {
		n, _ := withCurrency(cell)
		f = n.form
	}
	if f != point && f != comma {
		return
	}
	e.point = e.point || f == point
	e.comma = e.comma || f == comma
	if e.proof.Line == 0 {
		e.proof = Proof{line, show(cell)}
	}
}

// decided returns the column's one proven way of writing, or either.
func (e evidence) decided() form {
	switch {
	case e.point && !e.comma:
		return point
	case e.comma && !e.point:
		return comma
	}
	return either
}

func (e evidence) String() string {
	switch {
	case e.point && e.comma:
		return "both ways"
	case e.point:
		return "decimal point"
	case e.comma:
		return "decimal comma"
	}
	return ""
}

// number is the anatomy of one numeric text.
type number struct {
	negative bool
	digits   []byte // without sign
	decimal  int    // index in digits of the decimal separator, -1 none
	form     form
}

// simpleNumber takes most prices apart: digits, with at most one separator that
// cannot be taken for a grouping one.
func simpleNumber(s []byte) (number, bool) {
	at := -1
	for i, c := range s {
		if digit(c) {
			continue
		}
		if at >= 0 || i == 0 || c != '.' && c != ',' {
			return number{}, false
		}
		at = i
	}
	switch decimals := len(s) - at - 1; {
	case len(s) == 0, decimals == 0, at >= 0 && decimals == 3:
		return number{}, false
	case at < 0:
		return number{digits: s, decimal: -1, form: whole}, true
	}
	return number{digits: s, decimal: at, form: written(s[at])}, true
}

// parseNumber takes a text apart. Digits may be grouped in threes by the other
// separator, by spaces (also thin and no-break ones) or by apostrophes (also curly ones).
func parseNumber(s []byte) number {
	if n, ok := simpleNumber(s); ok {
		return n
	}
	return anyNumber(s)
}

// groups are the characters that programs put between thousands, as they are on
// a keyboard, and the unseen ones that come along when a number is copied.
var groups = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2009", " ", "\u2019", "'",
	"\u200b", "", "\u200e", "", "\u200f", "", "\ufeff", "")

func anyNumber(s []byte) number {
	n := number{decimal: -1}
	for _, c := range s {
		if c >= utf8.RuneSelf {
			s = []byte(groups.Replace(string(s)))
			break
		}
	}
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		n.negative = s[0] == '-'
		s = s[1:]
	}
	dots, commas, others, last := 0, 0, 0, -1
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
		case c == '.':
			dots++
			last = i
		case c == ',':
			commas++
			last = i
		case c == ' ' || c == '\'':
			others++
		default:
			return n
		}
	}
	if len(s) == 0 || !digit(s[0]) || !digit(s[len(s)-1]) {
		return n
	}
	n.digits = s
	integer, group := s, byte(0)
	found := whole
	switch {
	case dots == 0 && commas == 0:
		if others > 0 {
			group = ' '
		}
	case dots > 0 && commas > 0 || dots+commas == 1:
		if dots+commas == 1 && others == 0 && last <= 3 && s[0] != '0' && len(s)-last-1 == 3 {
			n.decimal, n.form = last, either
			return n
		}
		found, group = written(s[last]), other(s[last])
		if s[last] == '.' && dots > 1 || s[last] == ',' && commas > 1 || others > 0 && dots+commas > 1 {
			return n
		}
		n.decimal, integer = last, s[:last]
		if others > 0 {
			group = ' '
		}
	default: // one kind, several times: it groups, so the other one is decimal
		group, found = s[last], written(other(s[last]))
		if others > 0 {
			return n
		}
	}
	if !grouped(integer, group) || n.decimal >= 0 && !grouped(s[n.decimal+1:], 0) {
		return n
	}
	n.form = found
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// written is the form of a number whose decimal separator is sep.
func written(sep byte) form {
	if sep == '.' {
		return point
	}
	return comma
}

func other(sep byte) byte {
	if sep == '.' {
		return ','
	}
	return '.'
}

// grouped reports whether s is digits, optionally in groups of three behind a
// first one of one to three that does not begin with zero.
func grouped(s []byte, group byte) bool {
	run, first, any := 0, true, false
	for i := range s {
		if digit(s[i]) {
			run++
			continue
		}
		same := s[i] == group || group == ' ' && s[i] == '\''
		if !same || run == 0 || first && run > 3 || !first && run != 3 {
			return false
		}
		run, first, any = 0, false, true
	}
	return run > 0 && (!any || run == 3 && s[0] != '0')
}

// appendDecimal writes the number as a plain decimal with a point, reading a
// text of form either as the column decided: a separator that is not the
// column's decimal one groups.
func (n number) appendDecimal(out []byte, column form) []byte {
	decimal := n.decimal
	if n.form == either && written(n.digits[decimal]) != column {
		decimal = -1
	}
	if n.negative {
		out = append(out, '-')
	}
	for i, c := range n.digits {
		if digit(c) {
			out = append(out, c)
		} else if i == decimal {
			out = append(out, '.')
		}
	}
	return out
}
