package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/runtime/metrics"
)

func TestAnAuthorisationThatEndsIsCountedForItsAlarms(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := newWorldAt(t, clk)
	var out bytes.Buffer
	w.app.Metrics = metrics.New(&out, clk, "price-sync", "local")
	h := newHandler(deps{app: w.app, db: w.db, blobs: w.blobs, queue: w.queue, planQueue: w.planQueue,
		connections: &connect.Service{DB: w.db, Clock: clk}, notifications: agreeable{}})
	for _, c := range []struct {
		wait        time.Duration
		month, week bool
	}{{0, false, false}, {335 * 24 * time.Hour, true, false}, {24 * 24 * time.Hour, true, true}, {30 * 24 * time.Hour, true, true}} {
		clk.Advance(c.wait)
		out.Reset()
		if err := h.subscribe(t.Context(), lane.Doorbell{Kind: lane.KindSubscribe, Tenant: seller, Connection: conn}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), `"AuthorisationsEnding":1`); got != c.month {
			t.Errorf("after %s: counted %v: %s", c.wait, got, &out)
		}
		if got := strings.Contains(out.String(), `"AuthorisationsEndingSoon":1`); got != c.week {
			t.Errorf("after %s: counted as soon %v: %s", c.wait, got, &out)
		}
	}
}
