package fx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// Limits of a table. The European Central Bank's has 30 rates, ISO 4217 some 180.
const (
	MaxTable   = 64 << 10 // bytes, as uploaded
	maxRates   = 300
	maxSource  = 200 // bytes
	maxDigits  = 24  // of one rate
	maxErrors  = 50  // told at once
	dateLayout = time.DateOnly
)

// Table is what one unit of a currency was worth in others on a day.
type Table struct {
	Base   price.Currency `json:"base"`
	On     string         `json:"on"`     // the day, as 2006-01-02
	Source string         `json:"source"` // whose figures they are, in words
	// Rates are units of each currency for one of the base, as plain decimals.
	Rates map[price.Currency]string `json:"rates"`
}

// RateError is one thing wrong with one line of a table.
type RateError struct {
	Line   int    `json:"line,omitempty"` // 0: the format has no lines
	Value  string `json:"value"`
	Reason string `json:"reason"`
	Fix    string `json:"fix"`
}

// fails is the fault for the lines of a table that are wrong: all of them, up to
// maxErrors.
func fails(errs []RateError) error {
	first := errs[0]
	where := ""
	if first.Line > 0 {
		where = fmt.Sprintf("Line %d: ", first.Line)
	}
	return fault.New(fault.Invalid, "rates", "%s%s %s (%d in all)", where, first.Reason, first.Fix, len(errs)).
		With("errors", errs[:min(len(errs), maxErrors)])
}

func bad(format string, args ...any) error { return fault.New(fault.Invalid, "rates", format, args...) }

// validate returns a fault of kind Invalid for a table that cannot be used at now,
// and rewrites rates to their shortest form, so that equal tables have one hash.
func (t *Table) validate(now time.Time) error {
	on, err := time.Parse(dateLayout, t.On)
	switch {
	case !code(t.Base):
		return bad("The base currency is %q, want an ISO 4217 code such as EUR.", t.Base)
	case err != nil:
		return bad("The day of the rates is %q, want one such as 2026-11-20.", t.On)
	case on.After(now.UTC().AddDate(0, 0, 1)): // a day's difference is the zone's
		return bad("The rates are of %s, which is to come.", t.On)
	case t.Source == "" || len(t.Source) > maxSource || !utf8.ValidString(t.Source) || strings.ContainsFunc(t.Source, unicode.IsControl):
		return bad("Say in 1 to %d bytes whose rates they are.", maxSource)
	case len(t.Rates) == 0 || len(t.Rates) > maxRates:
		return bad("The table has %d rates, want 1 to %d.", len(t.Rates), maxRates)
	}
	var errs []RateError
	for _, c := range slices.Sorted(maps.Keys(t.Rates)) {
		rate, why := shortest(t.Rates[c])
		switch {
		case !code(c):
			errs = append(errs, RateError{0, string(c), fmt.Sprintf("%q is not a currency.", c), "Give ISO 4217 codes such as SEK."})
		case why != "":
			errs = append(errs, RateError{0, t.Rates[c], fmt.Sprintf("The rate of %s %s.", c, why), plainDecimal})
		case c == t.Base && rate != "1":
			errs = append(errs, RateError{0, rate, fmt.Sprintf("One %s is said to be %s %s.", c, rate, c), "Leave the base out, or give 1."})
		default:
			t.Rates[c] = rate
		}
	}
	if errs != nil {
		return fails(errs)
	}
	return nil
}

const plainDecimal = "Write it as a plain decimal such as 11.2345."

// code reports whether c has the form of an ISO 4217 code.
func code(c price.Currency) bool {
	return len(c) == 3 && strings.Trim(string(c), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

const isZero = "is zero"

// shortest returns a plain decimal above zero without needless zeros, or why s is
// none.
func shortest(s string) (decimal, why string) {
	whole, frac, point := strings.Cut(s, ".")
	switch {
	case strings.Trim(whole+frac, "0123456789") != "" || whole == "" || point && frac == "":
		return "", "is not a plain decimal"
	case len(whole)+len(frac) > maxDigits:
		return "", fmt.Sprintf("has more than %d digits", maxDigits)
	}
	whole, frac = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
	switch {
	case whole+frac == "":
		return "", isZero
	case whole == "":
		whole = "0"
	}
	if frac == "" {
		return whole, ""
	}
	return whole + "." + frac, ""
}

// Hash names the table by its content; "" for none.
func (t *Table) Hash() string {
	if t == nil {
		return ""
	}
	return digest(t.encode())
}

// encode is the canonical form: JSON in the order of the struct, currencies in
// that of their codes.
func (t *Table) encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		panic("fx: " + err.Error()) // text can always be written
	}
	return b
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// of returns the rate of a currency, which for the base is 1.
func (t *Table) of(c price.Currency) (text string, rate *big.Rat, ok bool) {
	if t == nil {
		return "", nil, false
	}
	if text = t.Rates[c]; c == t.Base {
		text = "1"
	}
	rate, ok = new(big.Rat).SetString(text)
	return text, rate, ok
}

// age is how many days before now the table's day began.
func (t *Table) age(now time.Time) int64 {
	on, err := time.Parse(dateLayout, t.On)
	if err != nil {
		panic("fx: table of " + t.On) // was validated
	}
	return int64(now.Sub(on) / (24 * time.Hour))
}
