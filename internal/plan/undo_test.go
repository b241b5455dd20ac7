package plan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// undoRows are what takes a batch of n rows back, a few a page; every tenth offer is
// another version by the time it is looked up, every eleventh row is skipped.
func undoRows(n int) (plan.Undoing, *known) {
	k := shop()
	var all []plan.Restore
	for i := range n {
		sku := price.SKU(fmt.Sprintf("SKU-%05d", i))
		o := offerIn(germany, sku, price.Prices{Our: eur(900)})
		o.Replaced = &price.Replaced{Price: *eur(1500), Until: now.Add(-10 * 24 * time.Hour), Batch: "bat_x"}
		r := plan.Restore{Line: i + 2, Connection: "conn_eu", Marketplace: germany, SKU: sku, Version: o.Version, Edit: price.Edit{Set: price.Prices{Our: eur(1500)}}}
		if i%10 == 0 {
			o.Version++
		}
		if i%11 == 0 {
			r.Skip = "It was never sent."
		}
		k.offers[o.Key] = o
		all = append(all, r)
	}
	const page = 7
	return func(_ context.Context, t tenant.ID, batch, after string) ([]plan.Restore, string, error) {
		from := 0
		if after != "" {
			if _, err := fmt.Sscan(after, &from); err != nil {
				return nil, "", err
			}
		}
		if t != acme || batch != "bat_x" {
			return nil, "", fmt.Errorf("asked for %s of %s", batch, t)
		}
		if from+page >= len(all) {
			return all[from:], "", nil
		}
		return all[from : from+page], fmt.Sprint(from + page), nil
	}, k
}

func undoMaker(t *testing.T, n int, agreed bool) (*plan.Maker, *clock.Manual) {
	t.Helper()
	clk := clock.NewManual(now)
	undo, k := undoRows(n)
	m := &plan.Maker{Store: &plan.Store{DB: memory.New(clk), Blobs: memory.NewBlobs(clk), Clock: clk}, Offers: k, Undo: undo, SaveEvery: 1,
		Guards: func(_ context.Context, in *plan.Input) error { in.Guards = price.DefaultGuards(); return nil }}
	in := plan.Input{ID: planID, Tenant: acme, Actor: "key:k1", File: "revert of bat_x", Policy: plan.SkipBadRows, Now: now, Guards: price.DefaultGuards()}
	if _, err := m.BeginUndo(t.Context(), in, plan.Taken{Batch: "bat_x", Rows: int64(n), Agreed: agreed}); err != nil {
		t.Fatal(err)
	}
	return m, clk
}

// TestEachRowOfAWayBackIsComparedWithItsOwnOffer: in runs and checkpoints too, where
// rows are read long before and long after those that are judged.
func TestEachRowOfAWayBackIsComparedWithItsOwnOffer(t *testing.T) {
	t.Parallel()
	const n = 5_500
	m, clk := undoMaker(t, n, true)
	late := clk.Now().Add(30 * time.Second) // no time for more than the rows up to a border
	runs := 0
	for done := false; !done; runs++ {
		var err error
		if runs == 20 {
			t.Fatal("it is never made")
		}
		if runs == 2 {
			late = clk.Now().Add(time.Hour)
		}
		if done, err = m.Run(t.Context(), acme, planID, late); err != nil {
			t.Fatal(err)
		}
	}
	p, err := m.Load(t.Context(), acme, planID)
	if err != nil || p.State != plan.Ready || p.Origin != plan.OfRollback || p.Summary.Rows != n || runs < 3 {
		t.Fatalf("%s of origin %q with %+v after %d runs, %v", p.State, p.Origin, p.Summary.Counts, runs, err)
	}
	seen := 0
	for after := ""; ; {
		page, err := m.Rows(t.Context(), acme, planID, after, 1000, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			i := r.Line - 2
			stays := i%10 == 0 || i%11 == 0
			want := price.Allowed
			if stays {
				want = price.Refused
			}
			// Ten days later it is a way back because that was agreed on.
			code := string(price.CodeWayBack)
			if stays {
				code = plan.CodeNotRestored
			}
			if r.Verdict != want || len(r.Findings) != 1 || r.Findings[0].Code != code || string(r.Key.SKU) != fmt.Sprintf("SKU-%05d", i) {
				t.Fatalf("row %d: %s with %+v, want %s for %s", i, r.Verdict, r.Findings, want, code)
			}
			seen++
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	if seen != n {
		t.Errorf("%d rows of %d", seen, n)
	}
}

// What a rise on the way back of a drop is let pass for ends a day after the drop, unless
// it was agreed on beforehand.
func TestAWayBackThatNobodyAgreedOnIsHeldLikeAnyOtherMove(t *testing.T) {
	t.Parallel()
	m, clk := undoMaker(t, 20, false)
	if done, err := m.Run(t.Context(), acme, planID, clk.Now().Add(time.Hour)); !done || err != nil {
		t.Fatal(done, err)
	}
	p, err := m.Load(t.Context(), acme, planID)
	if err != nil || p.Origin != plan.OfRollback || p.Summary.Held != 17 || p.Summary.Planned != 0 {
		t.Errorf("%+v, %v", p.Summary.Counts, err)
	}
}

func TestAWayBackThatCannotBeReadIsNoPlan(t *testing.T) {
	t.Parallel()
	m, clk := undoMaker(t, 20, true)
	broken := errors.New("the store broke")
	good := m.Undo
	m.Undo = func(ctx context.Context, t tenant.ID, batch, after string) ([]plan.Restore, string, error) {
		if after != "" {
			return nil, "", broken
		}
		return good(ctx, t, batch, after)
	}
	if done, err := m.Run(t.Context(), acme, planID, clk.Now().Add(time.Hour)); done || !errors.Is(err, broken) {
		t.Errorf("done %t, %v", done, err)
	}
	if p, err := m.Load(t.Context(), acme, planID); err != nil || p.State != plan.Reading || p.Token != "" {
		t.Errorf("the plan is %s, %v", p.State, err)
	}
	m.Undo = good
	if done, err := m.Run(t.Context(), acme, planID, clk.Now().Add(time.Hour)); !done || err != nil {
		t.Fatal(done, err)
	}
	if p, err := m.Load(t.Context(), acme, planID); err != nil || p.State != plan.Ready || !strings.HasPrefix(p.File, "revert of") {
		t.Errorf("the plan is %s, %v", p.State, err)
	}
}
