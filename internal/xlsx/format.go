package xlsx

import (
	"bytes"
	"strings"
)

// format is what a number format says about the numbers it shows.
type format struct {
	kind  Kind   // Number, Date, Percent, Time or Scaled
	clock bool   // a Date that shows a time of day, too
	zeros int    // "00000": whole numbers are shown with that many digits
	sign  string // of the currency, as it is shown
}

// builtin are the number formats that files name without describing them. 27
// to 36 and 50 to 58 are dates in East Asian programs. ECMA-376 part 1, 18.8.30.
func builtin(id int) format {
	switch {
	case id == 9, id == 10:
		return format{kind: Percent}
	case id >= 14 && id <= 17, id >= 27 && id <= 36, id >= 50 && id <= 58:
		return format{kind: Date}
	case id == 22:
		return format{kind: Date, clock: true}
	case id >= 18 && id <= 21, id >= 45 && id <= 47:
		return format{kind: Time}
	}
	return format{kind: Number}
}

// parseFormat reads a number format, of which the section for positive numbers
// counts. A year or a day makes it a date, hours or seconds alone a time, and a
// month alone a date.
func parseFormat(code []byte) format {
	f := format{kind: Number}
	var year, month, clock, plain = false, false, false, true
	zeros := 0
	for i := 0; i < len(code) && code[i] != ';'; i++ {
		c := code[i] | 0x20 // lower case, where it is a letter
		if code[i] != '0' {
			plain = false
		}
		switch {
		case code[i] == '"':
			end := bytes.IndexByte(code[i+1:], '"')
			if end < 0 {
				end = len(code) - i - 1
			}
			f.note(code[i+1 : i+1+end])
			i += end + 1
		case code[i] == '\\':
			literal, n := escapedText(code[i:])
			f.note(literal)
			i += n - 1
		case code[i] == '_' || code[i] == '*':
			i += len(runeAt(code[min(i+1, len(code)):]))
		case code[i] == '[':
			end := bytes.IndexByte(code[i:], ']')
			if end < 0 {
				return f
			}
			clock = f.bracket(code[i+1:i+end]) || clock
			i += end
		case hasFold(code[i:], "general"):
			i += len("general") - 1
		case hasFold(code[i:], "am/pm"), hasFold(code[i:], "a/p"):
			clock = true
			i += bytes.IndexAny(code[i:], "pP")
		case c == 'e' && i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-'):
			i++ // scientific
		case c == 'y' || c == 'd' || c == 'e' || c == 'b' || c == 'g':
			year = true
		case c == 'h' || c == 's':
			clock = true
		case c == 'm':
			month = true
		case code[i] == '%':
			f.kind = Percent
		case code[i] == ',' && scales(code[:i], code[i+1:]):
			f.kind = Scaled
		case code[i] == '0':
			zeros++
		case code[i] >= 0x80 || code[i] == '$':
			r := runeAt(code[i:])
			f.note(r)
			i += len(r) - 1
		}
	}
	switch {
	case year || month && !clock:
		f.kind, f.clock = Date, clock
	case clock:
		f.kind = Time
	case plain && zeros > 1:
		f.zeros = min(zeros, digitsKept)
	}
	return f
}

// escapedText returns the characters that begin b with a backslash before each of
// them, as Excel writes a word that was typed without quotes, and their length.
func escapedText(b []byte) (text []byte, n int) {
	for n < len(b) && b[n] == '\\' {
		r := runeAt(b[n+1:])
		text = append(text, r...)
		n += 1 + len(r)
	}
	return text, n
}

// scales reports whether a comma between these parts of a format shows
// thousands: it follows a digit, and no digit follows it.
func scales(before, after []byte) bool {
	if len(before) == 0 || bytes.IndexByte([]byte("0#?,"), before[len(before)-1]) < 0 {
		return false
	}
	after = bytes.TrimLeft(after, ",")
	return len(after) == 0 || bytes.IndexByte([]byte("0#?"), after[0]) < 0
}

// bracket reads what stands in [ ] and reports whether it is a duration; it is
// a currency with a locale, a colour or a condition otherwise.
func (f *format) bracket(in []byte) bool {
	if len(in) > 0 && in[0] == '$' {
		sign, _, _ := bytes.Cut(in[1:], []byte{'-'})
		f.note(sign)
		return false
	}
	return len(in) > 0 && len(bytes.Trim(bytes.ToLower(in), "hms")) == 0
}

// note takes a literal for the currency sign when it looks like one: letters
// and symbols, no digits, and short.
func (f *format) note(literal []byte) {
	sign := strings.Trim(string(literal), " \u00a0\u202f.()-")
	if f.sign == "" && sign != "" && len(sign) <= 5 && !strings.ContainsAny(sign, "0123456789/:,") {
		f.sign = sign
	}
}

func hasFold(b []byte, word string) bool {
	return len(b) >= len(word) && strings.EqualFold(string(b[:len(word)]), word)
}

// runeAt returns the first character of b.
func runeAt(b []byte) []byte {
	n := 0
	for n < len(b) && (n == 0 || b[n]&0xC0 == 0x80) {
		n++
	}
	return b[:n]
}
