package price

import (
	"cmp"
	"math/big"
	"math/bits"
	"slices"
)

// compareMove compares how far next is from old with percent of old: -1 when
// it moves less, 0 exactly so much, 1 more. Both products are taken in 128
// bits, so that no amount overflows. From an old price of zero or less every
// move counts as more.
func compareMove(old, next Money, percent int64) int {
	if old.minor <= 0 || percent < 0 {
		return 1
	}
	moveHi, moveLo := bits.Mul64(distance(old.minor, next.minor), 100)
	limitHi, limitLo := bits.Mul64(uint64(old.minor), uint64(percent))
	if moveHi != limitHi {
		return cmp.Compare(moveHi, limitHi)
	}
	return cmp.Compare(moveLo, limitLo)
}

// distance is |a-b|, exact also where a-b would overflow.
func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}

// ChangePercent is the move from old to next in percent of old, with two
// decimals, rounded half away from zero: "-12.50". It is "" when old is not
// above zero or the currencies differ.
func ChangePercent(old, next Money) string {
	if old.minor <= 0 || old.currency != next.currency {
		return ""
	}
	var buf [32]byte // 20 digits, a sign and a point, and some
	out := buf[:0]
	if next.minor < old.minor {
		out = append(out, '-')
	}
	hi, lo := bits.Mul64(distance(old.minor, next.minor), 100*100)
	lo, carry := bits.Add64(lo, uint64(old.minor)/2, 0)
	hi += carry
	if hi >= uint64(old.minor) { // the quotient needs more than 64 bits
		n := new(big.Int).SetUint64(hi)
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo))
		digits := n.Quo(n, big.NewInt(old.minor)).String() // at least 20
		return string(out) + digits[:len(digits)-2] + "." + digits[len(digits)-2:]
	}
	q, _ := bits.Div64(hi, lo, uint64(old.minor))
	if q == 0 {
		out = buf[:0]
	}
	return string(appendScaled(out, q, 2))
}

// mostAtRisk is the largest amount that Money can write and read again.
const mostAtRisk = 999_999_999_999_999_999

// compared is the price that a new one of a field is compared with, everywhere:
// what buyers paid whom it is for. That is our price for a sale, and for a B2B
// price that the offer did not have; and for a tier, from so many units, what an
// order of so many cost. nil when there is none.
func (p *Prices) compared(f Field, quantity int) *Money {
	switch f {
	case FieldMin:
		return p.Min
	case FieldMax:
		return p.Max
	case FieldTiers:
		for i := len(p.Tiers) - 1; i >= 0; i-- {
			if t := &p.Tiers[i]; t.Quantity <= quantity {
				return &t.Price
			}
		}
		return cmp.Or(p.B2B, p.Our)
	case FieldB2B:
		return cmp.Or(p.B2B, p.Our)
	case FieldOur, FieldSale:
	}
	return p.Our
}

// MoneyAtRisk is what the change could cost if it were a mistake and all stock
// sold at it: how far the price falls, times the stock, or times one when the
// stock is not known. Of several prices that fall (ours, the sale, B2B and each
// tier) the deepest fall counts. The answer is zero when nothing falls or there is
// no old price, and stops at 18 digits.
func MoneyAtRisk(o Offer, e Edit) Money {
	old, set := o.Known, e.Set
	risk := Money{}
	if m, ok := MarketplaceByID(o.Key.Marketplace); ok {
		risk.currency = m.Currency
	}
	var deepest uint64
	fall := func(from, to *Money) {
		if from != nil && to != nil && from.currency == risk.currency && below(*to, *from) {
			deepest = max(deepest, distance(from.minor, to.minor))
		}
	}
	fall(old.Our, set.Our)
	fall(old.compared(FieldB2B, 1), set.B2B)
	if set.Sale != nil && !set.EqualField(FieldSale, old) {
		fall(old.Our, &set.Sale.Price)
	}
	for i := range set.Tiers {
		fall(old.compared(FieldTiers, set.Tiers[i].Quantity), &set.Tiers[i].Price)
	}
	stock := uint64(1)
	if o.Quantity != nil {
		stock = uint64(max(*o.Quantity, 0))
	}
	hi, lo := bits.Mul64(deepest, stock)
	if hi != 0 || lo > mostAtRisk {
		lo = mostAtRisk
	}
	risk.minor = int64(lo)
	return risk
}

// Moves reports whether a price that the edit sets (ours, the sale, B2B or a tier)
// falls, or unless dropsOnly moves either way, by more than percent of what it is
// compared with.
func Moves(o Offer, e Edit, percent int64, dropsOnly bool) bool {
	old, set := &o.Known, &e.Set
	moves := func(f Field, quantity int, to *Money) bool {
		from := old.compared(f, quantity)
		return from != nil && to != nil && from.currency == to.currency && (to.minor < from.minor || !dropsOnly) &&
			compareMove(*from, *to, percent) > 0 && !set.equalField(f, old)
	}
	return moves(FieldOur, 1, set.Our) || set.Sale != nil && moves(FieldSale, 1, &set.Sale.Price) || moves(FieldB2B, 1, set.B2B) ||
		slices.ContainsFunc(set.Tiers, func(t Tier) bool { return moves(FieldTiers, t.Quantity, &t.Price) })
}
