package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/audit"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/incident"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/replay"
)

const (
	seller = tenant.ID("t_replay0001")
	conn   = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
)

// newHandler is the function over memory stores, with one registered lane that
// has an import to do and nobody driving it, and a ledger of one event.
func newHandler(t *testing.T) (*handler, *memory.Queue, *memory.Blobs) {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db, queue, blobs := memory.New(clk), memory.NewQueue(clk), memory.NewBlobs(clk)
	signer, err := ledger.NewSigner(secret.New("a generated secret of more than thirty-two characters"))
	if err != nil {
		t.Fatal(err)
	}
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader).WithSigner(func(context.Context) (*ledger.Signer, error) { return signer, nil })
	err = log.AppendDirect(t.Context(), seller, "k", ledger.Event{Type: ledger.TenantCreated, At: clk.Now()})
	if err != nil {
		t.Fatal(err)
	}
	// Its own doorbell is lost: that is what the sweep is for.
	lost := lane.Bell{DB: db, Queue: memory.NewQueue(clk), Now: clk.Now}
	if err := lost.RequestImport(t.Context(), seller, conn); err != nil {
		t.Fatal(err)
	}
	clk.Advance(time.Minute)
	app := &runtime.App{Log: replay.Log(t), Metrics: metrics.New(replay.Told(t), clk, "scheduler", "local"), Clock: clk}
	compare := &audit.Reconciler{DB: db, Blobs: blobs, Ledger: log, Mappers: audit.Mappers(), Clock: clk,
		Outbox: ledger.Outbox{DB: db, Table: store.Offers, Clock: clk}, Closed: privacy.Doors{DB: db}.Closed}
	return &handler{app: app, db: db, blobs: blobs, log: log, audit: compare, bell: lane.Bell{DB: db, Queue: queue, Now: clk.Now},
		pulls: pull.Bell{DB: db, Queue: memory.NewQueue(clk), Now: clk.Now}}, queue, blobs
}

func TestRecordedSchedulesDoTheirJobs(t *testing.T) {
	var queue *memory.Queue
	var blobs *memory.Blobs
	var again replay.Handler
	done := func(n int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			var r result
			if err != nil || json.Unmarshal(out, &r) != nil || r.Done != n {
				t.Fatalf("%s, %v; want %d done", out, err, n)
			}
		}
	}
	rings := func(kinds ...lane.Kind) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			done(1)(t, out, err)
			var rung []lane.Kind
			for _, m := range queue.Receive(10, time.Minute) {
				d, err := lane.ParseDoorbell(m.Body)
				if err != nil || d.Tenant != seller || d.Connection != conn {
					t.Errorf("rang %+v, %v", d, err)
				}
				rung = append(rung, d.Kind)
			}
			if !slices.Equal(rung, kinds) {
				t.Errorf("rang %v, want %v", rung, kinds)
			}
		}
	}
	replay.Run(t, "scheduler", false, func(t *testing.T) replay.Handler {
		var h *handler
		h, queue, blobs = newHandler(t)
		again = replay.Handler(runtime.JSON(h.job))
		return again
	}, map[string]replay.Check{
		"success-sweep":   rings(lane.KindLane),
		"success-refresh": rings(lane.KindLane, lane.KindSubscribe),
		"success-checkpoint": func(t *testing.T, out json.RawMessage, err error) {
			done(1)(t, out, err)
			names, err := blobs.List(t.Context(), seller, store.Archive, "checkpoints/")
			if err != nil || len(names) != 1 {
				t.Fatalf("archived %v, %v; want one checkpoint", names, err)
			}
			// A ledger that did not grow is not archived twice.
			out, err = again(t.Context(), json.RawMessage(`{"job":"checkpoint"}`))
			done(0)(t, out, err)
		},
		"success-incidents": done(0),
		"success-reconcile": func(t *testing.T, out json.RawMessage, err error) {
			done(1)(t, out, err)
			// Whom there is nothing about to find is left alone for a day.
			out, err = again(t.Context(), json.RawMessage(`{"job":"reconcile"}`))
			done(0)(t, out, err)
		},
		"failure-unknown-job": replay.Error(`no job "clean-the-windows"`),
		"failure-no-job":      replay.Error("no job"),
	})
}

func TestTheSweepRingsForPriceFilesThatAreDue(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t)
	queue := memory.NewQueue(h.app.Clock)
	h.pulls.Queue = queue
	sources := &pull.Store{DB: h.db, Sealer: envelope.New(memkms.New(rand.Reader), h.db, h.app.Clock), Clock: h.app.Clock, Check: func(url string) (string, error) { return url, nil }}
	p, err := sources.Create(t.Context(), seller, pull.By{Actor: "key:test"}, pull.Source{URL: "https://files.example.com/p.csv", Schedule: pull.Schedule{EveryMinutes: 15}}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := h.sweep(t.Context()); err != nil || n != 2 { // the lane of newHandler is the other
		t.Fatal(n, err)
	}
	rung := queue.Receive(10, time.Minute)
	if len(rung) != 1 {
		t.Fatalf("rang for %d sources", len(rung))
	}
	if j, err := pull.ParseJob(rung[0].Body); err != nil || j.Pull != p.ID || j.Tenant != seller {
		t.Errorf("rang for %+v, %v", j, err)
	}
}

func TestAnOpenIncidentIsToldInHoursSinceWeBecameAware(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t)
	var told bytes.Buffer
	h.app.Metrics = metrics.New(&told, h.app.Clock, "scheduler", "local")
	if n, err := h.incidents(t.Context()); n != 0 || err != nil || told.Len() != 0 {
		t.Fatal(n, err, told.String())
	}
	log := &incident.Log{DB: h.db, Clock: h.app.Clock, Rand: rand.Reader}
	now := h.app.Clock.Now()
	i, err := log.Open(t.Context(), incident.Incident{By: "operator:ann", Nature: "x", Aware: now.Add(-25 * time.Hour), From: now.Add(-30 * time.Hour), Tables: []store.Table{store.Offers}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := h.incidents(t.Context()); n != 1 || err != nil || !strings.Contains(told.String(), `"IncidentHours":25`) || !strings.Contains(told.String(), `"IncidentAmazonHours":25`) {
		t.Error(n, err, told.String())
	}
	if _, err := log.Tell(t.Context(), i.ID, incident.Amazon, "operator:ann", "mail"); err != nil {
		t.Fatal(err)
	}
	told.Reset()
	if n, err := h.incidents(t.Context()); n != 1 || err != nil || !strings.Contains(told.String(), `"IncidentAmazonHours":0`) {
		t.Error(n, err, told.String())
	}
}

func TestAChangeThatTheLedgerWasNeverToldOfIsReportedTheSecondTime(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t)
	var told bytes.Buffer
	clk := h.app.Clock.(*clock.Manual)
	h.app.Metrics = metrics.New(&told, clk, "scheduler", "local")
	stops := lane.Stops{DB: h.db, Bell: h.bell}
	if err := stops.Set(t.Context(), seller, lane.Stop{Scope: lane.ScopeTenant, Actor: "key:1", Reason: "no stream is read here"}); err != nil {
		t.Fatal(err)
	}
	for look, want := range []string{"", `"LedgerGaps":1`} {
		n, err := h.reconcile(t.Context())
		if n != 1 || err != nil || want != "" != strings.Contains(told.String(), "LedgerGaps") || !strings.Contains(told.String(), want) {
			t.Errorf("look %d: %d, %v, %s", look, n, err, told.String())
		}
		clk.Advance(time.Hour)
	}
}
