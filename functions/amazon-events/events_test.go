package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/test/replay"
)

func TestRecordedNotificationsOnlyHaveListingsRead(t *testing.T) {
	var queue *memory.Queue
	outcome := func(want string, rung int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			var r result
			if err != nil || json.Unmarshal(out, &r) != nil || r.Outcome != want {
				t.Fatalf("%s, %v; want %s", out, err, want)
			}
			messages := queue.Receive(10, time.Minute)
			if len(messages) != rung {
				t.Fatalf("%d doorbells, want %d", len(messages), rung)
			}
			for _, m := range messages {
				d, err := lane.ParseDoorbell(m.Body)
				if err != nil || d.Tenant != "t_replay0001" || !strings.HasPrefix(string(d.Connection), "conn_") {
					t.Errorf("rang %+v, %v", d, err)
				}
			}
		}
	}
	replay.Run(t, "amazon-events", false, func(t *testing.T) replay.Handler {
		clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
		db := memory.New(clk)
		queue = memory.NewQueue(clk)
		// The seller account that a tenant has proven to own.
		err := db.Put(t.Context(), store.Directory, store.Connections, store.Item{
			Key:   store.Key{PK: "seller#EU#A2REPLAY", SK: "claim"},
			Attrs: map[string]any{"tenant": "t_replay0001", "connection": "conn_" + strings.Repeat("a", 26)},
		})
		if err != nil {
			t.Fatal(err)
		}
		h := &handler{
			app:         &runtime.App{Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(io.Discard, clk, "amazon-events", "local"), Clock: clk},
			connections: &connect.Service{DB: db, Clock: clk}, bell: lane.Bell{DB: db, Queue: queue, Now: clk.Now},
		}
		return replay.Handler(runtime.JSON(h.event))
	}, map[string]replay.Check{
		"success-status-change":       outcome("noticed", 1),
		"success-issues-change":       outcome("noticed", 1),
		"success-other-type":          outcome("ignored", 0),
		"success-unknown-seller":      outcome("unknown-seller", 0),
		"failure-no-sku":              replay.Error("lacks its seller"),
		"failure-unknown-marketplace": replay.Error("lacks its seller"),
	})
}
