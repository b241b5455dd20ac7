package xlsx

import "bytes"

// digitsKept is how many significant digits of a number are what was typed; see
// the package comment.
const digitsKept = 15

// decimal is a number taken apart: 0.d1d2d3... times ten to the power of point.
type decimal struct {
	negative bool
	digits   []byte // significant ones: the first and the last are not 0; empty for zero
	point    int
}

// maxNumber is the longest text that is looked at as a number. Doubles have at
// most 24 characters.
const maxNumber = 64

// parseDecimal reads a number as XML Schema writes doubles, such as -19.99 or
// 1.5E-3. It uses buf for the digits.
func parseDecimal(buf, text []byte) (decimal, bool) {
	var d decimal
	if len(text) == 0 || len(text) > maxNumber {
		return d, false
	}
	if text[0] == '-' || text[0] == '+' {
		d.negative, text = text[0] == '-', text[1:]
	}
	exponent := 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		var ok bool
		if exponent, ok = parseExponent(text[i+1:]); !ok {
			return d, false
		}
		text = text[:i]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	d.digits = append(append(buf[:0], whole...), fraction...)
	if len(d.digits) == 0 {
		return d, false
	}
	for _, c := range d.digits {
		if c < '0' || c > '9' {
			return d, false
		}
	}
	d.point = len(whole) + exponent
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.point--
	}
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		d.negative, d.point = false, 1
	}
	return d, true
}

func parseExponent(text []byte) (int, bool) {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative, text = text[0] == '-', text[1:]
	}
	if len(text) == 0 || len(text) > 3 { // the largest double has E+308
		return 0, false
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// round leaves 15 significant digits, half away from zero as Excel shows them.
func (d *decimal) round() {
	if len(d.digits) <= digitsKept {
		return
	}
	up := d.digits[digitsKept] >= '5'
	d.digits = d.digits[:digitsKept]
	for i := digitsKept - 1; up && i >= 0; i-- {
		if d.digits[i] == '9' {
			d.digits = d.digits[:i]
			continue
		}
		d.digits[i]++
		up = false
	}
	if up { // 999...9 became 1000...0
		d.digits = append(d.digits, '1')
		d.point++
	}
	d.digits = bytes.TrimRight(d.digits, "0")
}

// appendPlain writes the number without an exponent.
func (d *decimal) appendPlain(out []byte) []byte {
	if d.negative {
		out = append(out, '-')
	}
	if d.point <= 0 {
		out = append(out, '0')
	}
	for i := 0; i < d.point; i++ {
		if i < len(d.digits) {
			out = append(out, d.digits[i])
		} else {
			out = append(out, '0')
		}
	}
	if d.point < len(d.digits) {
		out = append(out, '.')
		for i := d.point; i < 0; i++ {
			out = append(out, '0')
		}
		out = append(out, d.digits[max(d.point, 0):]...)
	}
	return out
}

// wide reports whether the number has more digits before the point than a
// double keeps.
func (d *decimal) wide() bool { return d.point > digitsKept }

// tiny reports whether the number begins so far behind the point that writing
// it out says nothing: what is left of a subtraction of equal values.
func (d *decimal) tiny() bool { return d.point < -30 }
