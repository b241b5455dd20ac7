package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
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
	seller   = tenant.ID("t_replay0001")
	conn     = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de       = price.MarketplaceID("A1PA6795UKMFR9")
	uploaded = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa" // waits to be made
	made     = "plan_bbbbbbbbbbbbbbbbbbbbbbbbbb"
	broken   = "plan_cccccccccccccccccccccccccc" // of a file without a header
	busy     = "plan_dddddddddddddddddddddddddd" // another run is at it
	taskless = "plan_eeeeeeeeeeeeeeeeeeeeeeeeee" // its task is gone
	long     = "plan_ffffffffffffffffffffffffff" // too long for one run
)

// world is the function over memory stores, with the plans that the recorded
// events name.
type world struct {
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue
	clock  *clock.Manual
	ledger *book
	maker  *plan.Maker
	plans  *plan.Store
	serve  replay.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Now()) // the deadline of a context is of real time
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk, ledger: &book{}}
	h := newHandler(deps{
		app: &runtime.App{Log: replay.Log(t), Metrics: metrics.New(replay.Told(t), clk, "price-plan", "local"), Clock: clk},
		db:  w.db, blobs: slow{w.blobs, clk}, queue: w.queue, ledger: w.ledger,
	})
	w.maker, w.plans = h.maker, h.maker.Store
	known := price.FromMinor(2000, "EUR")
	err := lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: clk.Now(),
		Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{uploaded, made, broken, busy, taskless, long} {
		w.begin(t, id, content(id))
	}
	w.beginBack(t)
	run := h.app.SQS(h.message)
	w.serve = func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		ctx, cancel := context.WithDeadline(context.Background(), clk.Now().Add(5*time.Minute))
		defer cancel()
		return run(ctx, event)
	}
	return w
}

// content is the uploaded file of a plan.
func content(id string) string {
	switch id {
	case broken:
		return "this;is\nno;price file\n"
	case long:
		var b strings.Builder
		b.WriteString("sku;price\nSKU-1;18,50\n")
		for i := range longRows - 1 {
			fmt.Fprintf(&b, "NO-%d;18,00\n", i)
		}
		return b.String()
	}
	return "sku;price\nSKU-1;18,50\nSKU-9;18,00\n"
}

// longRows are more than are made between two looks at the clock.
const longRows = 1_500

// slow takes nearly a whole run to fetch the long plan's file.
type slow struct {
	*memory.Blobs
	clock *clock.Manual
}

func (s slow) Read(ctx context.Context, t tenant.ID, b store.Bucket, name string) (io.ReadCloser, int64, error) {
	if name == plan.UploadName(long) {
		s.clock.Advance(4*time.Minute + 45*time.Second)
	}
	return s.Blobs.Read(ctx, t, b, name)
}

func (w *world) begin(t *testing.T, id, content string) {
	t.Helper()
	ctx := t.Context()
	if err := w.blobs.Put(ctx, seller, store.Files, plan.UploadName(id), "text/csv", []byte(content)); err != nil {
		t.Fatal(err)
	}
	in := plan.Input{ID: id, Tenant: seller, Actor: "key:test", File: "p.csv", Policy: plan.SkipBadRows, Now: w.clock.Now(), Marketplace: de,
		Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}
	if err := w.maker.Guards(ctx, &in); err != nil {
		t.Fatal(err)
	}
	if _, err := w.plans.Begin(ctx, in, plan.UploadName(id)); err != nil {
		t.Fatal(err)
	}
	switch id {
	case made:
		if done, err := w.maker.Run(ctx, seller, id, w.clock.Now().Add(5*time.Minute)); err != nil || !done {
			t.Fatal(done, err)
		}
	case busy:
		if _, err := w.db.Update(ctx, seller, store.Offers, store.Key{PK: "plans", SK: id}, store.Update{
			Set: map[string]any{"lease": store.Millis(w.clock.Now().Add(time.Minute))}}); err != nil {
			t.Fatal(err)
		}
	case taskless:
		if err := w.blobs.Delete(ctx, seller, store.Files, "plans/"+id+"/task.json"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordedMessagesMakePlans(t *testing.T) {
	t.Parallel()
	var w *world
	becomes := func(id string, want plan.State, rings int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed()(t, out, err)
			p, err := w.plans.Load(context.Background(), seller, id)
			if err != nil || p.State != want || (p.Token == "") == (want == plan.Ready) {
				t.Errorf("the plan is %s with token %q, %v; want %s", p.State, p.Token, err, want)
			}
			if n := w.queue.Len(); n != rings {
				t.Errorf("%d messages sent, want %d", n, rings)
			}
		}
	}
	replay.Run(t, "price-plan", false, func(t *testing.T) replay.Handler {
		w = newWorld(t)
		return w.serve
	}, map[string]replay.Check{
		"success-plan":            becomes(uploaded, plan.Ready, 0),
		"success-delivered-again": becomes(made, plan.Ready, 0),
		"success-unreadable-file": becomes(broken, plan.Failed, 0),
		"success-handed-on":       becomes(long, plan.Reading, 1),
		"success-way-back":        wayBack(&w),
		"success-busy":            becomes(busy, plan.Reading, 1),
		"success-foreign-plan":    becomes(uploaded, plan.Reading, 0), // a tenant names its own plans only
		"failure-unknown-kind":    replay.Error("malformed"),
		"failure-malformed-plan":  replay.Error("malformed"),
		"failure-not-json":        replay.Error("malformed"),
		"failure-task-is-gone":    replay.Error("not found"),
	})
}
