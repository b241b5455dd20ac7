package price

import (
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAmountsAreReadAndWrittenDigitForDigit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency Currency
		text     string
		minor    int64
		written  string // "" is text
	}{
		{"EUR", "0.10", 10, ""},
		{"EUR", "1234567.89", 123456789, ""},
		{"EUR", "0.1", 10, "0.10"},
		{"EUR", "7", 700, "7.00"},
		{"EUR", "007.50", 750, "7.50"},
		{"EUR", "10.000", 1000, "10.00"},
		{"EUR", "-0.05", -5, ""},
		{"EUR", "-0", 0, "0.00"},
		{"EUR", "9999999999999999.99", 999999999999999999, ""},
		{"JPY", "1000", 1000, ""},
		{"JPY", "1000.0", 1000, "1000"},
		{"JPY", "999999999999999999", 999999999999999999, ""},
		{"KWD", "1.234", 1234, ""},
		{"KWD", "0.001", 1, ""},
		{"KWD", "1.2", 1200, "1.200"},
		{"CLF", "0.0001", 1, ""},
	} {
		m, err := ParseMoney(c.text, c.currency)
		if c.written == "" {
			c.written = c.text
		}
		if err != nil || m != FromMinor(c.minor, c.currency) || m.Decimal() != c.written {
			t.Errorf("%s %s is %s (%d), %v; want %s (%d)", c.text, c.currency, m.Decimal(), m.Minor(), err, c.written, c.minor)
		}
	}
}

func TestWhatIsNoExactAmountIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency Currency
		text     string
		want     error
	}{
		{"EUR", "0.101", ErrDecimals}, {"JPY", "1000.5", ErrDecimals}, {"KWD", "1.2345", ErrDecimals},
		{"EUR", "", ErrAmount}, {"EUR", "-", ErrAmount}, {"EUR", ".5", ErrAmount}, {"EUR", "5.", ErrAmount}, {"EUR", "1,5", ErrAmount},
		{"EUR", "1e3", ErrAmount}, {"EUR", "+1", ErrAmount}, {"EUR", " 1", ErrAmount}, {"EUR", "--1", ErrAmount}, {"EUR", "1.2.3", ErrAmount},
		{"EUR", "0x10", ErrAmount}, {"EUR", "NaN", ErrAmount}, {"EUR", "１", ErrAmount},
		{"EUR", "10000000000000000.00", ErrRange}, {"JPY", "1000000000000000000", ErrRange},
		{"XXX", "1", ErrCurrency}, {"", "1", ErrCurrency}, {"eur", "1", ErrCurrency},
	} {
		if m, err := ParseMoney(c.text, c.currency); !errors.Is(err, c.want) || m != (Money{}) {
			t.Errorf("%q %s is %v, %v; want %v", c.text, c.currency, m, err, c.want)
		}
	}
}

func TestAnyAmountOfAnyCurrencySurvivesTextAndJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const most = 999_999_999_999_999 // 15 digits
		m := FromMinor(rapid.Int64Range(-most, most).Draw(t, "minor"), rapid.SampledFrom(slices.Sorted(maps.Keys(exponents))).Draw(t, "currency"))
		exp, _ := m.Currency().Exponent()
		_, frac, point := strings.Cut(m.Decimal(), ".")
		if len(frac) != exp || point != (exp > 0) {
			t.Errorf("%s has %d decimals, want %d", m, len(frac), exp)
		}
		if got, err := ParseMoney(m.Decimal(), m.Currency()); err != nil || got != m {
			t.Errorf("%s reads as %s, %v", m, got, err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"amount":"` + m.Decimal() + `","currency":"` + string(m.Currency()) + `"}`; string(text) != want {
			t.Errorf("%s, want %s", text, want)
		}
		var back Money
		if err := json.Unmarshal(text, &back); err != nil || back != m {
			t.Errorf("%s reads as %s, %v", text, back, err)
		}
	})
}

// FuzzParseMoney: an amount has exactly the value of its text, or is an error.
// The judge is math/big, which knows no floats either.
func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"0.10", "1234567.89", "1000", "1.234", "-0", "1e3", "9999999999999999.99", "00", ".5"} {
		f.Add(s, uint8(0))
	}
	all := []Currency{"EUR", "JPY", "KWD", "CLF"}
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		c := all[int(n)%len(all)]
		m, err := ParseMoney(s, c)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		have, ok2 := new(big.Rat).SetString(m.Decimal())
		if !ok || !ok2 || want.Cmp(have) != 0 || strings.ContainsAny(s, "eE/_xX+") {
			t.Errorf("%q became %s", s, m)
		}
	})
}
