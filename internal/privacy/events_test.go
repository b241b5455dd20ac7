package privacy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func TestEachStepOfAnExportIsOneLedgerEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := w.done(t, tenantA)
	if err := w.Run(ctx, tenantA, e.ID); err != nil { // a duplicate adds no event
		t.Fatal(err)
	}
	w.Sources = []privacy.Source{privacy.SourceFunc("x", func(context.Context, tenant.ID, *privacy.Writer) error { return errors.New("x") })}
	failing := w.request(t, tenantA)
	for range 5 {
		_ = w.Run(ctx, tenantA, failing.ID)
	}
	var got []ledger.Type
	for _, r := range w.db.Records(store.Privacy, "") {
		for _, ev := range privacy.Events(r) {
			got = append(got, ev.Type)
			if ev.Target != e.ID && ev.Target != failing.ID || ev.Correlation != "req-1" || ev.At.IsZero() {
				t.Errorf("event %+v", ev)
			}
			if ev.Type == ledger.ExportCompleted && !strings.Contains(string(ev.After), mustGet(t, w, e.ID).SHA256) {
				t.Errorf("completed without the archive's digest: %s", ev.After)
			}
		}
	}
	want := []ledger.Type{ledger.ExportRequested, ledger.ExportCompleted, ledger.ExportRequested, ledger.ExportFailed}
	if !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func mustGet(tb testing.TB, w *world, id string) privacy.Export {
	tb.Helper()
	e, err := w.Get(ctx, tenantA, id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}
