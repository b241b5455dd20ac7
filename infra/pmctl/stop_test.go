package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
	"pricemanager/internal/store/memory"
)

func TestTheGlobalStopIsSetAndLiftedOnce(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	bell := lane.Bell{DB: db, Queue: memory.NewQueue(clk), Now: clk.Now}
	stops := lane.Stops{DB: db, Bell: bell}
	if err := bell.RequestImport(t.Context(), "t_alpha0001", "conn_a"); err != nil {
		t.Fatal(err)
	}
	queue := memory.NewQueue(clk)
	stops.Bell.Queue = queue
	stands := func() bool {
		list, err := stops.List(t.Context(), "t_alpha0001")
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].Scope == lane.ScopeGlobal && list[0].Actor == "operator:ann"
	}
	var out bytes.Buffer
	if err := switchGlobal(t.Context(), stops, "set", "operator:ann", "penny prices", &out); err != nil || !stands() || queue.Len() != 1 {
		t.Fatalf("set: %v, stands: %t, %d lanes woken that may have feeds to cancel", err, stands(), queue.Len())
	}
	if err := switchGlobal(t.Context(), stops, "lift", "operator:ann", "", &out); err != nil || stands() || queue.Len() != 2 {
		t.Fatalf("lift: %v, stands: %t, %d lanes rung", err, stands(), queue.Len())
	}
	if err := switchGlobal(t.Context(), stops, "lift", "operator:ann", "", &out); !errors.Is(err, errVerdict) {
		t.Errorf("lifting what does not stand: %v", err)
	}
	if err := switchGlobal(t.Context(), stops, "party", "operator:ann", "", &out); err == nil {
		t.Error("an unknown word is taken")
	}
}
