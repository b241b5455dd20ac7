package price

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Plans hold a row for every line of a price file, up to millions, and nearly
// all their time went into encoding/json. What follows writes the same bytes
// as encoding/json does, which the tests prove: stored hashes depend on them.

// AppendJSON appends the amount as MarshalJSON writes it.
func (m Money) AppendJSON(b []byte) []byte {
	b = append(b, `{"amount":"`...)
	b = m.AppendDecimal(b)
	b = append(b, `","currency":`...)
	b = AppendJSONString(b, string(m.currency))
	return append(b, '}')
}

// AppendDecimal appends the amount as Decimal gives it.
func (m Money) AppendDecimal(b []byte) []byte {
	if m.minor < 0 {
		b = append(b, '-')
	}
	exp, _ := m.currency.Exponent()
	return appendScaled(b, magnitude(m.minor), exp)
}

// appendScaled appends n with its last exp digits, 0 to 4, behind the point.
func appendScaled(b []byte, n uint64, exp int) []byte {
	scale := [...]uint64{1, 10, 100, 1_000, 10_000}[exp]
	b = strconv.AppendUint(b, n/scale, 10)
	if exp == 0 {
		return b
	}
	b = append(b, '.')
	for n %= scale; exp > 0; exp-- {
		scale /= 10
		b = append(b, '0'+byte(n/scale))
		n %= scale
	}
	return b
}

// AppendJSON appends the prices as encoding/json writes them. An error means
// that a time cannot be written (a year after 9999).
func (p *Prices) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	before := len(b)
	name := func(s string) {
		if len(b) > before {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	if p.Our != nil {
		name(`"price":`)
		b = p.Our.AppendJSON(b)
	}
	if p.Sale != nil {
		name(`"sale_price":`)
		var err error
		if b, err = p.Sale.appendJSON(b); err != nil {
			return b, err
		}
	}
	if p.Min != nil {
		name(`"minimum_price":`)
		b = p.Min.AppendJSON(b)
	}
	if p.Max != nil {
		name(`"maximum_price":`)
		b = p.Max.AppendJSON(b)
	}
	if p.B2B != nil {
		name(`"b2b_price":`)
		b = p.B2B.AppendJSON(b)
	}
	if len(p.Tiers) > 0 {
		name(`"b2b_tiers":[`)
		for i, t := range p.Tiers {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"quantity":`...)
			b = strconv.AppendInt(b, int64(t.Quantity), 10)
			b = append(b, `,"price":`...)
			b = append(t.Price.AppendJSON(b), '}')
		}
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

func (s *Sale) appendJSON(b []byte) ([]byte, error) {
	start, err := s.Start.MarshalJSON()
	if err != nil {
		return b, fmt.Errorf("price: start of a sale: %w", err)
	}
	end, err := s.End.MarshalJSON()
	if err != nil {
		return b, fmt.Errorf("price: end of a sale: %w", err)
	}
	b = append(b, `{"price":`...)
	b = s.Price.AppendJSON(b)
	b = append(append(b, `,"start":`...), start...)
	b = append(append(b, `,"end":`...), end...)
	return append(b, '}'), nil
}

// AppendJSON appends the edit as encoding/json writes it; errors as of Prices.
func (e *Edit) AppendJSON(b []byte) ([]byte, error) {
	b, err := e.Set.AppendJSON(append(b, `{"set":`...))
	if err != nil {
		return b, err
	}
	for i, f := range e.Clear {
		if i == 0 {
			b = append(b, `,"clear":[`...)
		} else {
			b = append(b, ',')
		}
		b = AppendJSONString(b, string(f))
	}
	if len(e.Clear) > 0 {
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

// AppendJSONString appends s as encoding/json writes a string. What needs no
// escape, nearly everything, is copied; the rest is left to that package.
func AppendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if !unescaped[s[i]] {
			quoted, _ := json.Marshal(s) // a string always can be
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// unescaped are the bytes that encoding/json writes as they are.
var unescaped = func() (plain [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		plain[c] = !strings.ContainsRune(`"\<>&`, rune(c))
	}
	return plain
}()
