package fx

import (
	"math/big"

	"pricemanager/internal/price"
)

// step turns amounts of one currency into another, a percentage on top included,
// exactly: an amount times num over den is the other one, both in minor units.
//
// It is rounded once, to the minor unit that ISO 4217 gives the target (a yen, a
// hundredth of a forint, a thousandth of a dinar): to the closer one, up when both
// are equally close. With an ending such as .99 the price goes from the exact
// amount to the ending at once: see of.
type step struct {
	num, den *big.Int
	to       price.Currency
}

// mostMinor is the largest amount that can be written and read again.
const mostMinor = 999_999_999_999_999_999

// newStep makes the step of a rate, units of one currency for one of the other,
// and a percentage. Both currencies are known.
func newStep(rate, percent *big.Rat, from, to price.Currency) step {
	fromExp, _ := from.Exponent()
	toExp, _ := to.Exponent()
	factor := new(big.Rat).Add(percent, big.NewRat(100, 1))
	factor.Mul(factor.Quo(factor, big.NewRat(100, 1)), rate)
	factor.Mul(factor, new(big.Rat).SetFrac(tenTo(toExp), tenTo(fromExp)))
	return step{num: factor.Num(), den: factor.Denom(), to: to}
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// of returns what an amount above zero makes, false when that is too large to be
// written.
//
// For an ending it is enough to know the exact amount to the minor unit: upwards
// the next one counts, and otherwise the one below, because two neighbours with
// the ending, and the middle between them, are whole minor units themselves.
func (s step) of(m price.Money, ending *price.Rounding) (price.Money, bool) {
	quotient, rest := new(big.Int).Mul(big.NewInt(m.Minor()), s.num), new(big.Int)
	quotient.QuoRem(quotient, s.den, rest)
	up := false
	switch {
	case ending == nil:
		up = rest.Lsh(rest, 1).Cmp(s.den) >= 0
	case ending.Direction == price.Up:
		up = rest.Sign() > 0
	}
	if up {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsInt64() || quotient.Int64() > mostMinor {
		return price.Money{}, false
	}
	out := price.FromMinor(quotient.Int64(), s.to)
	if ending != nil {
		out = ending.Of(out)
	}
	return out, out.Minor() <= mostMinor
}
