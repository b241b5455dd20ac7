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

// MoneyAtRisk is what the change could cost if it were a mistake and all stock
// sold at it: how far the price falls, times the stock, or times one when the
// stock is not known. Of several prices that fall the deepest fall counts. Our
// price and the B2B price are compared with their old values; a sale with our
// old price, which it replaces. The answer is zero when nothing falls or there
// is no old price, and stops at 18 digits.
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
	fall(old.B2B, set.B2B)
	if set.Sale != nil && !set.EqualField(FieldSale, old) {
		fall(old.Our, &set.Sale.Price)
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
	moves := func(f Field, from *Money, to Money) bool {
		return from != nil && from.currency == to.currency && (to.minor < from.minor || !dropsOnly) &&
			compareMove(*from, to, percent) > 0 && !set.equalField(f, old)
	}
	business := cmp.Or(old.B2B, old.Our)
	if set.Our != nil && moves(FieldOur, old.Our, *set.Our) || set.Sale != nil && moves(FieldSale, old.Our, set.Sale.Price) ||
		set.B2B != nil && moves(FieldB2B, business, *set.B2B) {
		return true
	}
	return slices.ContainsFunc(set.Tiers, func(t Tier) bool { return moves(FieldTiers, business, t.Price) })
}
