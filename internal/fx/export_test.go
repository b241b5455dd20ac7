package fx

import (
	"math/big"

	"pricemanager/internal/price"
)

// Convert turns an amount into another currency, as a set does with a percentage
// and an ending.
func Convert(m price.Money, rate, percent *big.Rat, to price.Currency, ending *price.Rounding) (price.Money, bool) {
	return newStep(rate, percent, m.Currency(), to).of(m, ending)
}
