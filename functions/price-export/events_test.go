package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/download"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/export"
	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/replay"
)

const (
	seller = tenant.ID("t_replay0001")
	conn   = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de     = price.MarketplaceID("A1PA6795UKMFR9")
	planID = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	batch  = "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// What the recorded events name.
const (
	ofOffers  = "dl_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	ofHistory = "dl_baaaaaaaaaaaaaaaaaaaaaaaaa"
	ofBatch   = "dl_caaaaaaaaaaaaaaaaaaaaaaaaa"
	ofPlan    = "dl_daaaaaaaaaaaaaaaaaaaaaaaaa"
	made      = "dl_eaaaaaaaaaaaaaaaaaaaaaaaaa"
	busy      = "dl_faaaaaaaaaaaaaaaaaaaaaaaaa" // another run is at it
	ofNothing = "dl_gaaaaaaaaaaaaaaaaaaaaaaaaa" // of a plan that is gone
)

// world is the function over memory stores, with the downloads that the recorded
// events name.
type world struct {
	db    *memory.DB
	blobs *memory.Blobs
	queue *memory.Queue
	clock *clock.Manual
	h     *handler
	serve replay.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Now()) // the deadline of a context is of real time
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk}
	log := ledger.New(w.db, envelope.New(memkms.New(crand.Reader), w.db, clk), clk, crand.Reader)
	w.h = newHandler(deps{
		app: &runtime.App{Log: replay.Log(t), Metrics: metrics.New(replay.Told(t), clk, "price-export", "local"), Clock: clk},
		db:  w.db, blobs: w.blobs, queue: w.queue, ledger: log,
	})
	known := price.FromMinor(2000, "EUR")
	key := price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}
	must(t, lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: clk.Now(), Key: key}))
	must(t, log.AppendDirect(t.Context(), seller, "imported", ledger.Event{Type: ledger.OfferImported, At: clk.Now(), Actor: "system:price-sync",
		Target: "offer:" + key.String(), After: json.RawMessage(`{"price":{"amount":"20.00","currency":"EUR"}}`)}))
	w.apply(t)
	for i, spec := range []download.Spec{
		{What: download.Offers, Format: export.XLSX, Connections: []price.ConnectionID{conn}},
		{What: download.History, Format: export.CSV, SKUs: []price.SKU{"SKU-1"}},
		{What: download.Batch, Format: export.JSON, Batch: batch},
		{What: download.Plan, Format: export.CSV, Plan: planID},
		{What: download.Offers, Format: export.CSV, Connections: []price.ConnectionID{conn}},
		{What: download.Offers, Format: export.CSV, Connections: []price.ConnectionID{conn}},
		{What: download.Plan, Format: export.CSV, Plan: "plan_bbbbbbbbbbbbbbbbbbbbbbbbbb"},
	} {
		id := make([]byte, 16)
		id[0] = byte(i << 3) // the first letter
		s := *w.h.maker.Store
		s.Rand, s.Queue = bytes.NewReader(id), memory.NewQueue(clk)
		if _, err := s.Request(t.Context(), seller, "key:test", "req-1", spec); err != nil {
			t.Fatal(err)
		}
		// They are more than a tenant may have made at a time.
		must(t, w.db.Delete(t.Context(), seller, store.Offers, store.Key{PK: "downloads-running", SK: "now"}))
	}
	if done, err := w.h.maker.Run(t.Context(), seller, made, clk.Now().Add(5*time.Minute)); err != nil || !done {
		t.Fatal(done, err)
	}
	_, err := w.db.Update(t.Context(), seller, store.Offers, store.Key{PK: "downloads", SK: busy}, store.Update{
		Set: map[string]any{"lease": store.Millis(clk.Now().Add(time.Minute))}})
	must(t, err)
	run := w.h.app.SQS(w.h.message)
	w.serve = func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		ctx, cancel := context.WithDeadline(context.Background(), clk.Now().Add(5*time.Minute))
		defer cancel()
		return run(ctx, event)
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// apply makes a plan of two rows and a batch of the one that may be sent.
func (w *world) apply(t *testing.T) {
	t.Helper()
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}
	offers := lane.NewOffers(w.db)
	in := plan.Input{ID: planID, Tenant: seller, Actor: "key:test", File: "p.csv", Policy: plan.SkipBadRows, Now: w.clock.Now(), Marketplace: de,
		Content: []byte("sku;price\nSKU-1;18,50\nSKU-9;18,00\n"), Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}
	must(t, plan.Judged(&guard.Store{DB: w.db, Clock: w.clock}, nil)(t.Context(), &in))
	_, err := plans.Create(t.Context(), in, offers)
	must(t, err)
	engine := &lane.Engine{DB: w.db, Blobs: w.blobs, Bell: lane.Bell{DB: w.db, Queue: memory.NewQueue(w.clock), Now: w.clock.Now}, Clock: w.clock,
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
			rows, err := plans.LaneRows(ctx, t, id, c, from, limit)
			out := make([]lane.Row, len(rows))
			for i, r := range rows {
				out[i] = lane.Row(r)
			}
			return out, err
		}}
	must(t, lane.NewBatches(w.db, w.blobs).Create(t.Context(), seller, lane.NewBatch{ID: batch, Plan: planID, File: "p.csv", Actor: "key:test",
		Rows: map[price.ConnectionID]int64{conn: 1}}, engine.Bell))
	must(t, engine.Apply(t.Context(), seller, batch))
}

// files are what the links of a download lead to, one after the other.
func (w *world) files(t *testing.T, d download.Download) string {
	t.Helper()
	links, err := w.h.maker.Links(context.Background(), seller, d)
	must(t, err)
	var out strings.Builder
	for _, link := range links {
		_, body, err := w.blobs.Follow(link)
		must(t, err)
		out.Write(body)
	}
	return out.String()
}

func TestRecordedMessagesMakeDownloads(t *testing.T) {
	t.Parallel()
	var w *world
	becomes := func(id string, want download.State, rings int, holds ...string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed()(t, out, err)
			d, err := w.h.maker.Get(context.Background(), seller, id)
			if err != nil || d.State != want {
				t.Fatalf("the download is %s, %v; want %s", d.State, err, want)
			}
			if n := w.queue.Len(); n != rings {
				t.Errorf("%d messages sent, want %d", n, rings)
			}
			text := w.files(t, d) + d.Reason
			for _, part := range holds {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in %q", part, text)
				}
			}
		}
	}
	replay.Run(t, "price-export", false, func(t *testing.T) replay.Handler {
		w = newWorld(t)
		return w.serve
	}, map[string]replay.Check{
		"success-offers":             becomes(ofOffers, download.Done, 0, "PK\x03\x04", "xl/worksheets/sheet1.xml"),
		"success-history":            becomes(ofHistory, download.Done, 0, ",offer.imported,", ",20.00 EUR,"),
		"success-batch":              becomes(ofBatch, download.Done, 0, `"new":"18.50 EUR","state":"desired"`),
		"success-plan":               becomes(ofPlan, download.Done, 0, ",18.50 EUR,allowed,-7.50,", "SKU-9", "refused"),
		"success-delivered-again":    becomes(made, download.Done, 0, "SKU-1,DE,EUR,20.00,"),
		"success-busy":               becomes(busy, download.Running, 1),
		"success-of-a-missing-plan":  becomes(ofNothing, download.Failed, 0, "There is no such plan."),
		"success-foreign-download":   becomes(ofOffers, download.Running, 0), // a tenant names its own downloads only
		"failure-unknown-kind":       replay.Error("malformed"),
		"failure-malformed-download": replay.Error("malformed"),
		"failure-not-json":           replay.Error("malformed"),
	})
}
