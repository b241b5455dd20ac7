package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// lateAnswers has searches show how things were long before their answer came.
type lateAnswers struct {
	*shop
	by time.Duration
}

func (l lateAnswers) Search(ctx context.Context, a amazon.Account, m price.MarketplaceID, skus []price.SKU) ([]amazon.Listing, amazon.Call, error) {
	list, call, err := l.shop.Search(ctx, a, m, skus)
	_ = l.clock.Sleep(ctx, l.by)
	return list, call, err
}

// A price whose answer was lost is sent again only after a read that was begun
// late enough to have shown it, not one that merely ended then.
func TestASlowReadIsNoProofThatALostSendHadNoEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		// The intent is good for 22 s, the price shows after 30 s, the time to look
		// for it ends after 42 s, and the first read lasts from second 23 to 43.
		w.engine.Config.SendDeadline = 20 * time.Second
		w.shop.visible = 30 * time.Second
		w.engine.Listings = lateAnswers{w.shop, 19500 * time.Millisecond}
		w.shop.script = func(_ amazon.Patch, n int) (bool, error) {
			if n == 1 {
				return true, &amazon.Error{Op: "patchListingsItem", Reached: true, Err: errors.New("connection reset")}
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", skus...)
		w.pump(10 * time.Minute)
		if n := w.shop.effects[skus[0]]; n != 1 {
			t.Errorf("the price was set %d times, want once", n)
		}
		if b := w.batch("bat_a"); b.Counts[Observed] != 1 {
			t.Errorf("%v, want it observed", b.Counts)
		}
	})
}
