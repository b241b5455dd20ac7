package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// open says that no erasure has begun.
func open(context.Context, tenant.ID) (bool, error) { return false, nil }

func TestAHistoryGrowsAtFirstSightAndAfterManyChanges(t *testing.T) {
	t.Parallel()
	var grew []tenant.ID
	g := growth{grow: func(_ context.Context, id tenant.ID) error { grew = append(grew, id); return nil }, closed: open}
	change := func(id tenant.ID, n int) []store.Record {
		return slices.Repeat([]store.Record{{Table: store.Offers, Tenant: id}}, n)
	}
	never := func(id tenant.ID, err error) { t.Errorf("%s: %v", id, err) }
	g.note(t.Context(), change(owner, 3), never)
	g.note(t.Context(), change(owner, growEvery-1), never)
	g.note(t.Context(), append(change(store.Directory, growEvery), store.Record{Table: store.Identity, Tenant: "t_bbbbbb"}), never)
	if fmt.Sprint(grew) != "[t_aaaaaa]" {
		t.Errorf("grew %v, want the first tenant once: it was new", grew)
	}
	g.note(t.Context(), change(owner, 1), never)
	g.note(t.Context(), change(owner, 1), never)
	if fmt.Sprint(grew) != "[t_aaaaaa t_aaaaaa]" {
		t.Errorf("grew %v, want once more after %d changes", grew, growEvery)
	}
}

func TestTheHistoryOfATenantThatIsBeingErasedGrowsNoMore(t *testing.T) {
	t.Parallel()
	var grew []tenant.ID
	g := growth{
		grow:   func(_ context.Context, id tenant.ID) error { grew = append(grew, id); return nil },
		closed: func(_ context.Context, id tenant.ID) (bool, error) { return id == "t_bbbbbb", nil },
	}
	g.note(t.Context(), []store.Record{{Table: store.Offers, Tenant: owner}, {Table: store.Offers, Tenant: "t_bbbbbb"}},
		func(id tenant.ID, err error) { t.Errorf("%s: %v", id, err) })
	if fmt.Sprint(grew) != "[t_aaaaaa]" {
		t.Errorf("grew %v, want only the tenant that stays", grew)
	}
}

func TestAHistoryThatCannotGrowDoesNotHoldTheLedgerUp(t *testing.T) {
	t.Parallel()
	w := setup(t)
	asked := 0
	w.growth = growth{grow: func(context.Context, tenant.ID) error { asked++; return errors.New("no bucket") }, closed: open}
	// A change of an offer is noted whatever it means.
	r := created(t, 1, "exp_1")
	r.EventSourceArn = "arn:aws:dynamodb:eu-central-1:1:table/pm-offers/stream/2026-01-01T00:00:00.000"
	if failed := w.handle(t, r, created(t, 2, "exp_2")); len(failed) != 0 || asked != 1 {
		t.Errorf("failed %v, asked %d times; want the ledger written and the history asked once", failed, asked)
	}
	if got := w.targets(t); !slices.Equal(got, []string{"exp_2"}) {
		t.Errorf("events of %v", got)
	}
}
