package price

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Money is an exact amount in one currency. It is comparable with ==. The zero
// value has no currency and stands for nothing: use pointers where a price may
// be absent, because an absent price is never zero.
type Money struct {
	minor    int64
	currency Currency
}

// Errors of amounts.
var (
	ErrAmount   = errors.New("price: not a plain decimal amount")
	ErrDecimals = errors.New("price: more decimals than the currency has")
	ErrCurrency = errors.New("price: unknown currency")
	ErrRange    = errors.New("price: amount out of range")
)

// FromMinor returns an amount given in the currency's minor unit (cents, or
// whole yen, or thousandths of a dinar).
func FromMinor(minor int64, c Currency) Money { return Money{minor: minor, currency: c} }

// ParseMoney reads a plain decimal such as "19.99": an optional minus, digits,
// and at most one point. No exponent, no grouping, no spaces. Trailing zeros
// beyond the currency's decimals are accepted ("10.000" EUR is 10.00), other
// digits beyond them are ErrDecimals.
func ParseMoney(s string, c Currency) (Money, error) {
	exp, ok := c.Exponent()
	if !ok {
		return Money{}, fmt.Errorf("%w %q", ErrCurrency, string(c))
	}
	digits, neg := strings.CutPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if whole == "" || (point && frac == "") || !allDigits(whole) || !allDigits(frac) {
		return Money{}, ErrAmount
	}
	if len(frac) > exp {
		if strings.Trim(frac[exp:], "0") != "" {
			return Money{}, fmt.Errorf("%w: %s has %d", ErrDecimals, c, exp)
		}
		frac = frac[:exp]
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole)+exp > 18 {
		return Money{}, ErrRange
	}
	n := int64(0)
	for i := range len(whole) {
		n = n*10 + int64(whole[i]-'0')
	}
	for i := range exp {
		n *= 10
		if i < len(frac) {
			n += int64(frac[i] - '0')
		}
	}
	if neg {
		n = -n
	}
	return Money{minor: n, currency: c}, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Minor returns the amount in the currency's minor unit.
func (m Money) Minor() int64 { return m.minor }

// Currency returns the currency.
func (m Money) Currency() Currency { return m.currency }

// Decimal returns the amount in major units with exactly the currency's
// decimals, e.g. "19.90" for EUR, "1000" for JPY, "1.234" for KWD.
func (m Money) Decimal() string {
	var buf [24]byte // 20 digits, a sign and a point, and some
	return string(m.AppendDecimal(buf[:0]))
}

func magnitude(n int64) uint64 {
	if n == math.MinInt64 {
		return 1 << 63
	}
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

// String returns the amount with its currency, e.g. "19.90 EUR".
func (m Money) String() string { return m.Decimal() + " " + string(m.currency) }

// Cmp compares two amounts of the same currency: -1, 0 or 1. Amounts of
// different currencies have no order: that is a programming error and panics.
func (m Money) Cmp(o Money) int {
	if m.currency != o.currency {
		panic("price: comparing " + string(m.currency) + " with " + string(o.currency))
	}
	switch {
	case m.minor < o.minor:
		return -1
	case m.minor > o.minor:
		return 1
	default:
		return 0
	}
}

// Positive reports whether the amount is above zero.
func (m Money) Positive() bool { return m.minor > 0 }

// Add returns m + o, or ErrRange when it does not fit or the currencies differ.
func (m Money) Add(o Money) (Money, error) {
	sum := m.minor + o.minor
	if m.currency != o.currency || (o.minor > 0 && sum < m.minor) || (o.minor < 0 && sum > m.minor) {
		return Money{}, ErrRange
	}
	return Money{minor: sum, currency: m.currency}, nil
}

// Sub returns m - o, or ErrRange when it does not fit or the currencies differ.
func (m Money) Sub(o Money) (Money, error) {
	if o.minor == math.MinInt64 {
		return Money{}, ErrRange
	}
	return m.Add(Money{minor: -o.minor, currency: o.currency})
}

// Mul returns m times n, or ErrRange when it does not fit.
func (m Money) Mul(n int64) (Money, error) {
	if m.minor != 0 && n != 0 {
		p := m.minor * n
		if p/n != m.minor || (m.minor == -1 && n == math.MinInt64) || (n == -1 && m.minor == math.MinInt64) {
			return Money{}, ErrRange
		}
		return Money{minor: p, currency: m.currency}, nil
	}
	return Money{currency: m.currency}, nil
}

type moneyJSON struct {
	Amount   string   `json:"amount"`
	Currency Currency `json:"currency"`
}

// MarshalJSON encodes {"amount":"19.90","currency":"EUR"}: the amount is a
// string so that no reader turns it into a float.
func (m Money) MarshalJSON() ([]byte, error) {
	return json.Marshal(moneyJSON{Amount: m.Decimal(), Currency: m.currency})
}

// UnmarshalJSON decodes what MarshalJSON writes.
func (m *Money) UnmarshalJSON(b []byte) error {
	var j moneyJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("price: money: %w", err)
	}
	parsed, err := ParseMoney(j.Amount, j.Currency)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
