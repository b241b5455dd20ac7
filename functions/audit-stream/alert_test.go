package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
)

func TestDetectorsThatFailDoNotHoldTheLedgerUp(t *testing.T) {
	t.Parallel()
	for _, follow := range []func(context.Context, tenant.ID) error{
		func(context.Context, tenant.ID) error { return errors.New("no table") },
		func(context.Context, tenant.ID) error { panic("a rule of ours") },
	} {
		w := setup(t)
		var told bytes.Buffer
		w.app.Metrics = metrics.New(&told, w.app.Clock, "audit-stream", "test")
		w.alert.follow = follow
		if failed := w.handle(t, created(t, 1, "exp_1"), created(t, 2, "exp_2")); len(failed) != 0 {
			t.Errorf("failed %v", failed)
		}
		if got := w.targets(t); !slices.Equal(got, []string{"exp_1", "exp_2"}) {
			t.Errorf("events of %v", got)
		}
		if strings.Count(told.String(), `"DetectorsFailed":1`) != 1 {
			t.Errorf("told %s", told.String())
		}
	}
}

func TestDetectorsLookAtOnceExceptAtBulk(t *testing.T) {
	t.Parallel()
	var a alert
	of := func(id tenant.ID, table store.Table, pk string, n int) []store.Record {
		return slices.Repeat([]store.Record{{Table: table, Tenant: id, Key: store.Key{PK: pk, SK: "x"}, New: &store.Item{}}}, n)
	}
	for i, c := range []struct {
		records []store.Record
		want    string
	}{
		{of("t_bulk000001", store.Offers, "offer#c/m", watchEvery-1), "[]"},
		{of("t_bulk000001", store.Offers, "lane#c", 1), "[t_bulk000001]"},
		{of("t_bulk000001", store.Offers, "offer#c/m", 1), "[]"},
		{slices.Concat(of("t_bulk000001", store.Offers, "batches", 1), of("t_other00001", store.Identity, "apikey", 2)), "[t_bulk000001 t_other00001]"},
		{slices.Concat(of(store.Directory, store.Identity, "apikey", 1), of("t_other00001", store.Offers, "watch", 5000)), "[]"},
		{[]store.Record{{Table: store.Privacy, Tenant: "t_erased0001", Key: store.Key{PK: "export", SK: "x"}, Old: &store.Item{}}}, "[]"},
	} {
		if got := fmt.Sprint(a.due(c.records)); got != c.want {
			t.Errorf("step %d: %s, want %s", i, got, c.want)
		}
	}
}

// An invocation that is nearly over leaves the detectors to the next one.
func TestDetectorsLeaveTimeForTheLedger(t *testing.T) {
	t.Parallel()
	w := setup(t)
	asked := 0
	w.alert.follow = func(context.Context, tenant.ID) error { asked++; return nil }
	records := []store.Record{{Table: store.Identity, Tenant: owner, Key: store.Key{PK: "apikey", SK: "k"}, New: &store.Item{}}}
	for _, left := range []time.Duration{watchFor + spareFor - time.Second, watchFor + spareFor + time.Second} {
		ctx, cancel := context.WithDeadline(t.Context(), w.app.Clock.Now().Add(left))
		w.alert.note(ctx, w.app, records)
		cancel()
	}
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
}

// The metric comes from the stream of findings, so it is told although the process
// that found one died.
func TestANewFindingIsToldByItsKind(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var told bytes.Buffer
	w.app.Metrics = metrics.New(&told, w.app.Clock, "audit-stream", "test")
	w.alert.follow = func(context.Context, tenant.ID) error { return nil }
	it := store.Item{Key: store.Key{PK: "suspicions", SK: "1.new-keys"}, Attrs: map[string]any{"kind": string(watch.NewKeys)}}
	w.alert.note(t.Context(), w.app, []store.Record{
		{Table: store.Offers, Tenant: owner, Key: it.Key, New: &it},
		{Table: store.Offers, Tenant: owner, Key: it.Key, Old: &it, New: &it}, // answered
	})
	if strings.Count(told.String(), `"SuspectedNewKeys":1`) != 1 || strings.Contains(told.String(), string(owner)) {
		t.Errorf("told %s", told.String())
	}
}

// From the stream through the ledger to a finding, in the same invocation, and once
// however often the stream delivers.
func TestWhatTheStreamBringsIsLookedThroughAfterItIsInTheLedger(t *testing.T) {
	t.Parallel()
	w := setup(t)
	clk := w.app.Clock
	db := memory.New(clk)
	w.alert.follow = (&watch.Watcher{DB: db, Ledger: w.log, Clock: clk, Doors: privacy.Doors{DB: db}}).Follow
	for range 2 {
		if failed := w.handle(t, created(t, 1, "exp_1"), created(t, 2, "exp_2"), created(t, 3, "exp_3")); len(failed) != 0 {
			t.Fatalf("failed %v", failed)
		}
	}
	list, _, err := (&watch.Findings{DB: db, Clock: clk}).List(t.Context(), owner, "", 10)
	if err != nil || len(list) != 1 || list[0].Kind != watch.MassExport || list[0].Subject != "key:1" || list[0].Events != 3 || list[0].Last != 2 {
		t.Errorf("%+v, %v; want one finding of three archives", list, err)
	}
}
