package price

import (
	"errors"
	"fmt"
	"strconv"
)

// Direction says which neighbour a price is rounded to.
type Direction string

// The directions.
const (
	Nearest Direction = "nearest" // the closer one; up when both are equally close
	Down    Direction = "down"
	Up      Direction = "up"
)

// Rounding gives prices a psychological ending. A price that has it already is
// left alone.
type Rounding struct {
	// Ending are the last digits of the price, written without its decimal point:
	// "99" is x.99 euro, x99 yen and x.x99 dinar. Leading zeros count.
	Ending    string    `json:"ending"`
	Direction Direction `json:"direction"`
}

// maxEnding is how many digits an ending may have.
const maxEnding = 6

var errRounding = errors.New("price: guard rounding")

func (r *Rounding) validate() error {
	switch {
	case r == nil:
		return nil
	case r.Ending == "" || len(r.Ending) > maxEnding || !allDigits(r.Ending):
		return fmt.Errorf("%w: ending is %q, want 1 to %d digits", errRounding, r.Ending, maxEnding)
	case r.Direction != Nearest && r.Direction != Down && r.Direction != Up:
		return fmt.Errorf("%w: direction is %q, want %s, %s or %s", errRounding, r.Direction, Nearest, Down, Up)
	}
	return nil
}

// Validate returns an error for a rule that no price could follow.
func (r Rounding) Validate() error { return r.validate() }

// Of returns m with the ending. An amount that is not above zero, or too large
// for a neighbour to be written, stays as it is.
func (r Rounding) Of(m Money) Money { return r.round(m) }

// neighbours returns the closest prices with the ending at or below m and at or
// above it; one that is not above zero, or too large to be written, is m itself.
func (r Rounding) neighbours(m Money) (down, up Money) {
	step := int64(1)
	for range r.Ending {
		step *= 10
	}
	ending, err := strconv.ParseInt(r.Ending, 10, 64)
	if err != nil || m.minor <= 0 || m.minor > mostAtRisk-step {
		return m, m
	}
	low := m.minor - m.minor%step + ending
	if low > m.minor {
		low -= step
	}
	high := low
	if low < m.minor {
		high += step
	}
	down, up = Money{low, m.currency}, Money{high, m.currency}
	if low <= 0 {
		down = m
	}
	return down, up
}

// round returns m with the ending.
func (r Rounding) round(m Money) Money {
	down, up := r.neighbours(m)
	switch {
	case r.Direction == Down:
		return down
	case r.Direction == Up || down == m:
		return up
	case distance(m.minor, down.minor) < distance(m.minor, up.minor):
		return down
	default:
		return up
	}
}

// Round returns the edit with our price, the sale price and the B2B price
// rounded, and the fields whose value that changed. Bounds and quantity prices
// stay as they are.
//
// Rounding never crosses a guard: where the rounded edit is not judged exactly as
// well as the edit as it was given, the edit comes back as it was given. That is
// also how a held price stays held although its rounded neighbour would pass.
func (g Guards) Round(e Edit, judge func(Edit) Verdict) (Edit, []Field) {
	if g.Rounding == nil || g.Rounding.validate() != nil {
		return e, nil
	}
	out, fields := e, []Field(nil)
	one := func(f Field, m *Money) *Money {
		if m == nil {
			return nil
		}
		if rounded := g.Rounding.round(*m); rounded != *m {
			fields = append(fields, f)
			return &rounded
		}
		return m
	}
	out.Set.Our = one(FieldOur, e.Set.Our)
	if s := e.Set.Sale; s != nil {
		if p := one(FieldSale, &s.Price); p != &s.Price {
			out.Set.Sale = &Sale{Price: *p, Start: s.Start, End: s.End}
		}
	}
	out.Set.B2B = one(FieldB2B, e.Set.B2B)
	if fields == nil {
		return e, nil
	}
	given, rounded := judge(e), judge(out)
	if rounded == given && given == Allowed || rounded == Unchanged {
		return out, fields
	}
	return e, nil
}
