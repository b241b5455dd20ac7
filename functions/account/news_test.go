package main

import (
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
)

// change leaves the notices of two changes in the recorded company, by its owner and by
// its key.
func (w *world) change() {
	w.t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 23, 10, 0, 1, 0, time.UTC))
	guards := &guard.Store{DB: w.db, Clock: clk}
	_, err := guards.Put(w.t.Context(), w.company, "member:"+w.names["member-ann"], guard.Default(), guard.Default().Hash())
	w.ok(err)
	clk.Advance(time.Second)
	_, err = guards.PutCosts(w.t.Context(), w.company, "key:"+w.names["key"], []byte("sku,cost,currency\nSKU-1,12.34,EUR\n"), "")
	w.ok(err)
}
