package apply

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

// TestASaleWithinASaleLeavesBothEnds: a flash sale of a day within a sale of a week.
// The end of the inner one brings the outer one's price back, and that ends at its
// own time.
func TestASaleWithinASaleLeavesBothEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(2, de)
		all := w.places()
		begun := w.clock.Now()
		w.apply(sale, "15.00", never(), begun.Add(5*time.Hour), all...)
		w.minutes(time.Hour)
		w.apply("bat_flash", "12.00", never(), begun.Add(3*time.Hour), all...)
		w.minutes(time.Hour)
		w.wantShown("12.00", all...)
		w.minutes(2 * time.Hour)
		w.wantShown("15.00", all...)
		w.minutes(2 * time.Hour) // a rise of a third, over the 30 % that are held: it was agreed on
		w.wantReverted(lane.Reverted, "")
		w.wantShown("20.00", all...)
		if len(w.incomplete) != 0 {
			t.Errorf("incomplete: %q", w.incomplete)
		}
		w.quiet()
	})
}

// TestASaleThatEndsUnderAnotherIsReported: the later one, which ends after it, will
// bring a price back that is over by then.
func TestASaleThatEndsUnderAnotherIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(2, de)
		all := w.places()
		begun := w.clock.Now()
		w.apply(sale, "18.00", never(), begun.Add(3*time.Hour), all...)
		w.minutes(time.Hour)
		w.apply("bat_flash", "16.00", never(), begun.Add(5*time.Hour), all...)
		w.minutes(3 * time.Hour)
		w.wantReverted(lane.RevertFailed, "2 prices come back with a later batch")
		if len(w.incomplete) != 1 {
			t.Errorf("alarmed %q", w.incomplete)
		}
		p := w.batch(sale).Revert.Plan
		rows, err := w.worker.Plans.Rows(t.Context(), seller, p, "", 10, price.Refused)
		if err != nil || len(rows.Rows) != 2 || rows.Rows[0].Findings[0].Code != plan.CodeReturns || !strings.Contains(rows.Rows[0].Findings[0].Reason, "bat_flash") {
			t.Errorf("%+v, %v", rows.Rows, err)
		}
		w.minutes(2 * time.Hour)
		w.wantShown("18.00", all...)
		// What was said is to be done then can be done.
		undo, err := w.worker.Batches.Undo(t.Context(), seller, sale)
		if err != nil || len(undo) != 2 || undo[0].Skip != "" || *undo[0].Edit.Set.Our != *eur("20.00") {
			t.Errorf("%+v, %v", undo, err)
		}
	})
}

// TestALaterChangeThatDidNotTouchThePriceDoesNotKeepIt: one that Amazon refused, or
// that is about another price of the offer.
func TestALaterChangeThatDidNotTouchThePriceDoesNotKeepIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(3, de)
		all := w.places()
		begun := w.clock.Now()
		w.apply(sale, "18.00", never(), begun.Add(5*time.Hour), all...)
		w.minutes(time.Hour)
		w.shop.refuses[all[0]] = true
		w.apply("bat_refused", "16.00", never(), never(), all[0])
		w.minutes(time.Hour)
		w.shop.refuses[all[0]] = false
		w.applyFile("bat_minimum", "sku;marketplace;minimum_price\n"+string(all[1].sku)+";DE;5,00\n", 1, never(), never())
		w.minutes(time.Hour)
		w.wantShown("18.00", all...)
		w.minutes(3 * time.Hour)
		w.wantReverted(lane.Reverted, "")
		w.wantShown("20.00", all...)
		if now := w.shop.shows[all[1]]; now.Min == nil || *now.Min != *eur("5.00") {
			t.Errorf("the other price of the offer is %v", now.Min)
		}
	})
}
