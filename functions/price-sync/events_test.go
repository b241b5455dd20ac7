package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
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
)

// world is the function over memory stores, with one connection, one known
// offer and one applied plan.
type world struct {
	db    *memory.DB
	blobs *memory.Blobs
	queue *memory.Queue
	// planQueue has ways back planned.
	planQueue *memory.Queue
	app       *runtime.App
	clock     clock.Clock
}

// newWorld is a world in which another worker holds the lane, so that what is
// rung stays to be seen: there is no Amazon to send to.
func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	clk.AutoAdvance = true
	w := newWorldAt(t, clk)
	err := w.db.Put(t.Context(), seller, store.Offers, store.Item{Key: store.Key{PK: "lane#" + string(conn), SK: "lane"}, Attrs: map[string]any{
		"owner": "another", "fence": int64(1), "until": store.Millis(clk.Now().Add(24 * time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newWorldAt(t *testing.T, clk clock.Clock) *world {
	t.Helper()
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), planQueue: memory.NewQueue(clk), clock: clk,
		app: &runtime.App{Log: replay.Log(t), Metrics: metrics.New(replay.Told(t), clk, "price-sync", "local"), Clock: clk}}
	ctx := t.Context()
	err := w.db.Put(ctx, seller, store.Connections, store.Item{Key: store.Key{PK: "connections", SK: string(conn)}, Attrs: map[string]any{
		"region": "EU", "state": "active", "seller": "A2REPLAY", "grant": int64(1), "authorised": store.Millis(clk.Now()), "markets": []byte(`["A1PA6795UKMFR9"]`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	key := price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}
	known := price.FromMinor(2000, "EUR")
	if err := lane.NewOffers(w.db).Learn(ctx, seller, lane.Read{Key: key, Prices: price.Prices{Our: &known}, Begun: clk.Now()}); err != nil {
		t.Fatal(err)
	}
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk}
	p, err := plans.Create(ctx, plan.Input{ID: "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa", Tenant: seller, Actor: "key:test", File: "p.csv",
		Content: []byte("sku;marketplace;price\nSKU-1;DE;19,00\n"), Policy: plan.SkipBadRows, Guards: price.DefaultGuards(), Now: clk.Now(),
		Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}, lane.NewOffers(w.db))
	if err != nil {
		t.Fatal(err)
	}
	bell := lane.Bell{DB: w.db, Queue: memory.NewQueue(clk), Now: clk.Now}
	err = lane.NewBatches(w.db, w.blobs).Create(ctx, seller, lane.NewBatch{ID: "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa", Plan: p.ID, File: "p.csv", Actor: "key:test",
		Rows: map[price.ConnectionID]int64{conn: 1}}, bell)
	if err != nil {
		t.Fatal(err)
	}
	// One of which nothing was sent, to be taken back now.
	err = lane.NewBatches(w.db, w.blobs).Create(ctx, seller, lane.NewBatch{ID: dueBack, Plan: p.ID, File: "p.csv", Actor: "key:test",
		Rows: map[price.ConnectionID]int64{conn: 1}, RevertAt: clk.Now()}, bell)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Put(ctx, seller, store.Offers, withState(t, w.db, lane.Done)); err != nil {
		t.Fatal(err)
	}
	_, err = plans.Create(ctx, plan.Input{ID: previewed, Tenant: seller, Actor: "key:test", File: "p.csv",
		Content: []byte("sku;marketplace;price\nSKU-1;DE;19,00\n"), Policy: plan.SkipBadRows, Guards: price.DefaultGuards(), Now: clk.Now(),
		Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}, lane.NewOffers(w.db))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.previews().Ask(ctx, seller, previewed, "key:test", bell); err != nil {
		t.Fatal(err)
	}
	return w
}

// previewed is a plan of whose sample Amazon is to be asked.
const previewed = "plan_bbbbbbbbbbbbbbbbbbbbbbbbbb"

func (w *world) previews() *preview.Service {
	return &preview.Service{DB: w.db, Clock: w.clock, Plans: &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}}
}

const dueBack = "bat_bbbbbbbbbbbbbbbbbbbbbbbbbb"

// withState is the batch that is due, in a state.
func withState(t *testing.T, db *memory.DB, s lane.BatchState) store.Item {
	t.Helper()
	it, err := db.Get(t.Context(), seller, store.Offers, store.Key{PK: "batches", SK: dueBack})
	if err != nil {
		t.Fatal(err)
	}
	it.Attrs["state"] = string(s)
	return it
}

// agreeable is an Amazon that takes every subscription.
type agreeable struct{}

func (agreeable) CreateDestination(_ context.Context, _ price.Region, name string, _ amazon.Destination) (string, error) {
	return name, nil
}

func (agreeable) Subscribe(_ context.Context, _ amazon.Account, t amazon.NotificationType, destination string) (string, error) {
	return destination + "/" + string(t), nil
}

func (w *world) handler() replay.Handler {
	h := newHandler(deps{app: w.app, db: w.db, blobs: w.blobs, queue: w.queue, planQueue: w.planQueue, connections: &connect.Service{DB: w.db, Clock: w.clock},
		notifications: agreeable{}})
	return replay.Handler(w.app.SQSCrew(h.message, h.crew))
}

func TestRecordedDoorbellsAreAnsweredOneByOne(t *testing.T) {
	var w *world
	replay.Run(t, "price-sync", true, func(t *testing.T) replay.Handler {
		w = newWorld(t)
		return w.handler()
	}, map[string]replay.Check{
		"success-lane": replay.Failed(), // nothing to do is success
		"success-subscribe": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed()(t, out, err)
			c, err := (&connect.Service{DB: w.db, Clock: w.clock}).Get(context.Background(), seller, conn)
			if err != nil || len(c.Subscriptions) != 3 {
				t.Fatalf("%+v, %v", c.Subscriptions, err)
			}
			for _, s := range c.Subscriptions {
				if s.State != connect.Standing {
					t.Errorf("%+v", s)
				}
			}
		},
		"success-revert": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed()(t, out, err)
			b, err := lane.NewBatches(w.db, w.blobs).Get(context.Background(), seller, dueBack)
			if err != nil || b.Revert.State != lane.RevertBegun || b.Revert.Plan == "" {
				t.Fatalf("%+v, %v; want the plan of its way back begun", b.Revert, err)
			}
			sent := w.planQueue.Receive(10, time.Minute)
			if len(sent) != 1 {
				t.Fatalf("%d messages to price-plan, want one", len(sent))
			}
			if j, err := plan.ParseJob(sent[0].Body); err != nil || j.Plan != b.Revert.Plan || j.Tenant != seller {
				t.Errorf("sent %+v, %v; want %s made", j, err, b.Revert.Plan)
			}
		},
		"success-preview": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed()(t, out, err)
			// Its lane is driven by another worker: the preview waits, and rings again.
			doc, err := w.previews().Get(context.Background(), seller, previewed)
			if err != nil || doc.State != preview.Waiting || doc.Reason == "" || w.queue.Len() != 1 {
				t.Errorf("%+v, %v, %d messages", doc, err, w.queue.Len())
			}
		},
		"failure-preview-of-no-plan": replay.Error("malformed"),
		"success-revert-of-a-foreign-batch": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed()(t, out, err)
			b, err := lane.NewBatches(w.db, w.blobs).Get(context.Background(), seller, dueBack)
			if err != nil || b.Revert.State != lane.RevertWaiting || w.planQueue.Len() != 0 {
				t.Errorf("%+v, %v; a tenant takes back its own batches only", b.Revert, err)
			}
		},
		"failure-revert-of-no-batch": replay.Error("malformed"),
		"partial-malformed":          replay.Failed("22222222-2222-4222-8222-222222222222"),
		"partial-not-json":           replay.Failed("11111111-1111-4111-8111-111111111111"),
		"failure-all-malformed":      replay.Error("malformed"),
		"success-apply-and-lane": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed()(t, out, err)
			b, err := lane.NewBatches(w.db, w.blobs).Get(context.Background(), seller, "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa")
			if err != nil || b.State != lane.Sending || b.Counts[lane.Desired] != 1 {
				t.Errorf("batch %s with %v, %v; want it committed with its row desired", b.State, b.Counts, err)
			}
			rung := w.queue.Receive(10, time.Minute)
			if len(rung) != 1 {
				t.Fatalf("%d doorbells, want the lane's", len(rung))
			}
			d, err := lane.ParseDoorbell(rung[0].Body)
			if err != nil || d.Kind != lane.KindLane || d.Connection != conn {
				t.Errorf("rang %+v, %v; want the lane of %s", d, err, conn)
			}
		},
	})
}
