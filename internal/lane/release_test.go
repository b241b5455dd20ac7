package lane

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// A release is for one row, what it was held for, and the prices that it was
// looked at with.
func TestAReleasedRowPassesWhatItWasReleasedFromAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		release []price.Code
		old     string // what the plan showed as the price before
		guards  func(*price.Guards)
		sent    int
	}{
		{"released", []price.Code{price.CodeMove}, "20.00", func(*price.Guards) {}, 1},
		{"not released", nil, "20.00", func(*price.Guards) {}, 0},
		{"released from something else", []price.Code{price.CodeMAP}, "20.00", func(*price.Guards) {}, 0},
		{"looked at with another price", []price.Code{price.CodeMove}, "21.00", func(*price.Guards) {}, 0},
		{"held for more than that now", []price.Code{price.CodeMove}, "20.00", func(g *price.Guards) { g.MAP = eur("15.00") }, 0},
		{"refused now", []price.Code{price.CodeMove}, "20.00", func(g *price.Guards) { g.Minimum = eur("15.00") }, 0},
		{"never touched now", []price.Code{price.CodeMove}, "20.00", func(g *price.Guards) { g.NeverTouch = true }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(1)
				w.apply("bat_a", "10.00", skus...)
				planned := w.engine.Planned
				w.engine.Planned = func(ctx context.Context, t tenant.ID, id string, conn price.ConnectionID, from int64, limit int) ([]Row, error) {
					rows, err := planned(ctx, t, id, conn, from, limit)
					for i := range rows {
						rows[i].Release, rows[i].Old = c.release, price.Prices{Our: eur(c.old)}
					}
					return rows, err
				}
				g := price.DefaultGuards()
				c.guards(&g)
				w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) { return g, nil }
				w.pump(10 * time.Minute)
				if len(w.shop.patches) != c.sent {
					t.Errorf("%d sent, want %d; %v", len(w.shop.patches), c.sent, w.batch("bat_a").Counts)
				}
			})
		})
	}
}

// Once a change of ours was observed, what it replaced is known, and only as long
// as the price is ours.
func TestAnOfferKnowsWhatOurChangeReplaced(t *testing.T) {
	t.Parallel()
	known := price.Prices{Our: eur("14.00")}
	ours := &Change{Batch: "bat_a", State: Observed, Edit: price.Edit{Set: known}, Old: price.Prices{Our: eur("20.00")}, At: time.Unix(1, 0)}
	for _, c := range []struct {
		name   string
		change func(*record)
		want   bool
	}{
		{"ours and live", func(*record) {}, true},
		{"somebody else changed it since", func(r *record) { r.Known.Our = eur("13.00") }, false},
		{"not observed", func(r *record) { r.change.State = Accepted }, false},
		{"no price before", func(r *record) { r.change.Old.Our = nil }, false},
		{"another field of it", func(r *record) { r.change.Edit.Set = price.Prices{Min: eur("5.00")} }, false},
		{"never changed by us", func(r *record) { r.change = nil }, false},
	} {
		own := *ours
		r := record{Offer: price.Offer{Known: known}, change: &own}
		c.change(&r)
		got := replaced(r)
		if (got != nil) != c.want || got != nil && (got.Price != *eur("20.00") || got.Batch != "bat_a" || !got.Until.Equal(ours.At)) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
