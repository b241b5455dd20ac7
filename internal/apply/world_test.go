package apply

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	seller = tenant.ID("t_applytest1")
	conn   = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de     = price.MarketplaceID("A1PA6795UKMFR9")
	fr     = price.MarketplaceID("A13V1IB3VIYZZH")
	sale   = "bat_saleaaaaaaaaaaaaaaaaaaaaaa"
)

// place is one price tag at Amazon.
type place struct {
	market price.MarketplaceID
	sku    price.SKU
}

// shop is an Amazon that shows a price a little after it took it.
type shop struct {
	mu    sync.Mutex
	clock clock.Clock
	shows map[place]price.Prices
	// patches counts writes per place.
	patches map[place]int
	// hides has a place show nothing of what was accepted until it is taken out.
	hides map[place]bool
	taken map[place]price.Prices
	// refuses answers every patch of a place with Amazon's no.
	refuses map[place]bool
	// slow is how long a patch takes.
	slow time.Duration
}

func (s *shop) Patch(ctx context.Context, _ amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	if err := s.clock.Sleep(ctx, s.slow); err != nil {
		return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Reached: true, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{p.Marketplace, p.SKU}
	if s.refuses[at] {
		return amazon.Submission{ID: "no", Status: "INVALID", Issues: []amazon.Issue{{Code: "90220", Message: "no"}}}, nil
	}
	s.patches[at]++
	next := p.Edit.Apply(s.shows[at])
	if s.hides[at] {
		s.taken[at] = next
	} else {
		s.shows[at] = next
	}
	return amazon.Submission{ID: "sub", Status: amazon.Accepted}, nil
}

func (s *shop) Search(_ context.Context, _ amazon.Account, m price.MarketplaceID, skus []price.SKU) (out []amazon.Listing, _ amazon.Call, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sku := range skus {
		if p, ok := s.shows[place{m, sku}]; ok {
			out = append(out, amazon.Listing{Marketplace: m, SKU: sku, Prices: p})
		}
	}
	return out, amazon.Call{}, nil
}

func (s *shop) Get(context.Context, amazon.Account, price.MarketplaceID, price.SKU) (amazon.Listing, amazon.Call, error) {
	return amazon.Listing{}, amazon.Call{}, &amazon.Error{Op: "getListingsItem", Status: 404}
}

// reveal has a hidden price show at last.
func (s *shop) reveal(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hides, at)
	s.shows[at] = s.taken[at]
}

// books are the connections of the test: one, with two marketplaces.
type books struct{}

func (books) Account(context.Context, tenant.ID, price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	return amazon.Account{Tenant: seller, Connection: conn, Region: price.EU, Seller: "A2TEST"}, []price.MarketplaceID{de, fr}, nil
}
func (books) MarkReauthorise(context.Context, amazon.Account, string) error { return nil }
func (books) ImportProgress(context.Context, tenant.ID, price.ConnectionID, int64, int64) error {
	return nil
}
func (books) ImportDone(context.Context, tenant.ID, price.ConnectionID, int64) error { return nil }

// world is everything that a batch needs, over memory stores.
type world struct {
	t         *testing.T
	clock     clock.Clock
	db        *memory.DB
	blobs     *memory.Blobs
	queue     *memory.Queue
	planQueue *memory.Queue
	shop      *shop
	guards    *guard.Store
	engine    *lane.Engine
	maker     *plan.Maker
	// worker answers the doorbells of reverts.
	worker     *Reverter
	incomplete []string // reasons
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.Real{} // inside a synctest bubble this clock is virtual
	w := &world{t: t, clock: clk, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), planQueue: memory.NewQueue(clk),
		shop: &shop{clock: clk, shows: map[place]price.Prices{}, patches: map[place]int{}, hides: map[place]bool{}, taken: map[place]price.Prices{}, refuses: map[place]bool{}}}
	w.guards = &guard.Store{DB: w.db, Clock: clk}
	w.worker = w.reverter(w.db, w.blobs, w.queue, w.planQueue)
	w.maker = &plan.Maker{Store: w.worker.Plans, Offers: lane.NewOffers(w.db), Guards: plan.Judged(w.guards, nil), SaveEvery: 1,
		Undo: Undoing(w.worker.Batches)}
	owners := 0
	w.engine = &lane.Engine{
		Config: lane.Config{UnknownFor: 20 * time.Second, ConfirmWithin: 5 * time.Minute},
		DB:     w.db, Blobs: w.blobs, Listings: w.shop, Connections: books{}, Clock: clk, Bell: w.worker.Bell, Log: slog.New(slog.DiscardHandler),
		Guards: func(ctx context.Context, t tenant.ID) (lane.GuardSet, error) { return w.guards.Load(ctx, t) },
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) (out []lane.Row, err error) {
			rows, err := w.worker.Plans.LaneRows(ctx, t, id, c, from, limit)
			for _, r := range rows {
				out = append(out, lane.Row(r))
			}
			return out, err
		},
		NewOwner: func() string { owners++; return "worker-" + strconv.Itoa(owners) },
	}
	return w
}

// reverter is a worker with its own way to the stores.
func (w *world) reverter(db store.DB, blobs store.Blobs, queue, planQueue store.Queue) *Reverter {
	plans := &plan.Store{DB: db, Blobs: blobs, Clock: w.clock, GuardsHash: plan.GuardsNow(w.guards)}
	return &Reverter{
		Applier: Applier{Plans: plans, Batches: lane.NewBatches(db, blobs), Bell: lane.Bell{DB: db, Queue: queue, Now: w.clock.Now}},
		Judged:  plan.Judged(w.guards, nil), PlanBell: plan.Bell{Queue: planQueue}, Random: rand.Reader,
	}
}

func eur(s string) *price.Money {
	m, err := price.ParseMoney(s, "EUR")
	if err != nil {
		panic(err)
	}
	return &m
}

// stock puts n offers at 20.00 EUR up in each of the marketplaces.
func (w *world) stock(n int, markets ...price.MarketplaceID) {
	w.t.Helper()
	for _, m := range markets {
		for i := range n {
			w.set(m, price.SKU(fmt.Sprintf("SKU-%d", i)), "20.00")
		}
	}
}

// set has Amazon show a price, and the offer known with it.
func (w *world) set(m price.MarketplaceID, sku price.SKU, to string) {
	w.t.Helper()
	p := price.Prices{Our: eur(to)}
	w.shop.shows[place{m, sku}] = p
	err := lane.NewOffers(w.db).Learn(w.t.Context(), seller, lane.Read{Key: price.OfferKey{Connection: conn, Marketplace: m, SKU: sku}, Prices: p, Begun: w.clock.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
}

// apply plans new prices for what is in stock and applies them.
func (w *world) apply(id, to string, at, revertAt time.Time, places ...place) {
	w.t.Helper()
	var file strings.Builder
	file.WriteString("sku;marketplace;price\n")
	for _, p := range places {
		country, _ := price.MarketplaceByID(p.market)
		fmt.Fprintf(&file, "%s;%s;%s\n", p.sku, country.Country, strings.Replace(to, ".", ",", 1))
	}
	w.applyFile(id, file.String(), len(places), at, revertAt)
}

// applyFile plans a file, all of whose rows may be sent, and applies it.
func (w *world) applyFile(id, file string, rows int, at, revertAt time.Time) {
	w.t.Helper()
	ctx := w.t.Context()
	planID, err := plan.NewID(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	in := plan.Input{ID: planID, Tenant: seller, Actor: "key:maker", File: "sale.csv", Content: []byte(file), Policy: plan.SkipBadRows,
		Now: w.clock.Now(), Connections: map[price.MarketplaceID]price.ConnectionID{de: conn, fr: conn}}
	if err := w.maker.Guards(ctx, &in); err != nil {
		w.t.Fatal(err)
	}
	p, err := w.worker.Plans.Create(ctx, in, lane.NewOffers(w.db))
	if err != nil || p.State != plan.Ready || p.Summary.Planned != int64(rows) {
		w.t.Fatalf("plan %s with %+v, %v", p.State, p.Summary, err)
	}
	got, err := w.worker.Apply(ctx, seller, Order{Plan: p.ID, Token: p.Token, Key: "k-" + id, Batch: id, Actor: "key:seller", At: at, RevertAt: revertAt})
	if err != nil || got != id {
		w.t.Fatal(got, err)
	}
}

// places are all price tags that are up, in order.
func (w *world) places() []place {
	return slices.SortedFunc(maps.Keys(w.shop.shows), func(a, b place) int {
		return strings.Compare(string(a.market)+string(a.sku), string(b.market)+string(b.sku))
	})
}

// pump delivers what is in the queues for a time.
func (w *world) pump(limit time.Duration) {
	w.t.Helper()
	for end := w.clock.Now().Add(limit); ; {
		var q *memory.Queue
		var at time.Time
		for _, c := range []*memory.Queue{w.queue, w.planQueue} {
			if next, ok := c.Next(); ok && (q == nil || next.Before(at)) {
				q, at = c, next
			}
		}
		if q == nil || at.After(end) {
			_ = w.clock.Sleep(w.t.Context(), end.Sub(w.clock.Now()))
			return
		}
		_ = w.clock.Sleep(w.t.Context(), at.Sub(w.clock.Now()))
		for _, m := range q.Receive(1, time.Minute) {
			if err := w.deliver(q, m.Body); err != nil {
				w.t.Logf("%s: %v", m.Body, err)
				continue
			}
			q.Delete(m.ID)
		}
	}
}

func (w *world) deliver(q *memory.Queue, body []byte) error {
	ctx := w.t.Context()
	if q == w.planQueue {
		job, err := plan.ParseJob(body)
		if err != nil {
			return err
		}
		done, err := w.maker.Run(ctx, job.Tenant, job.Plan, w.clock.Now().Add(5*time.Minute))
		if err == nil && !done {
			err = errors.New("not done")
		}
		return err
	}
	d, err := lane.ParseDoorbell(body)
	if err != nil {
		return err
	}
	if d.Kind == lane.KindRevert {
		res, err := w.worker.Revert(ctx, d.Tenant, d.Batch)
		if res.Incomplete {
			w.incomplete = append(w.incomplete, res.Reason)
		}
		return err
	}
	_, err = w.engine.Handle(ctx, d)
	return err
}

// minutes lets the scheduler's job run every minute, for a time.
func (w *world) minutes(limit time.Duration) {
	w.t.Helper()
	for end := w.clock.Now().Add(limit); w.clock.Now().Before(end); {
		_, err := w.worker.Bell.Due(w.t.Context())
		if _, serr := w.worker.Bell.Sweep(w.t.Context()); err != nil || serr != nil {
			w.t.Fatal(err, serr)
		}
		w.pump(time.Minute)
	}
}

func (w *world) batch(id string) lane.Batch {
	w.t.Helper()
	b, err := w.worker.Batches.Get(w.t.Context(), seller, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) batches() []lane.Batch {
	w.t.Helper()
	list, _, err := w.worker.Batches.List(w.t.Context(), seller, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// wantShown checks what Amazon shows.
func (w *world) wantShown(to string, places ...place) {
	w.t.Helper()
	for _, at := range places {
		if got := w.shop.shows[at].Our; got == nil || *got != *eur(to) {
			w.t.Errorf("%v shows %v, want %s", at, got, to)
		}
	}
}

// wantReverted checks how taking back the sale ended.
func (w *world) wantReverted(state lane.RevertState, reason string) lane.Batch {
	w.t.Helper()
	b := w.batch(sale)
	if b.Revert == nil || b.Revert.State != state || (reason == "") != (b.Revert.Reason == "") || !strings.Contains(b.Revert.Reason, reason) {
		w.t.Fatalf("revert %+v, want %s because %q", b.Revert, state, reason)
	}
	return b
}

// events are the ledger events about batches so far, in order, as "type actor".
func (w *world) events() (out []string) {
	for _, r := range w.db.Records(store.Offers, "") {
		if r.Tenant == store.Directory {
			continue
		}
		for _, e := range lane.Events(r) {
			if e.Type == ledger.RevertAsked || e.Type == ledger.BatchReverted {
				out = append(out, string(e.Type)+" "+e.Actor)
			}
		}
	}
	return out
}

// quiet checks that nobody rings any more.
func (w *world) quiet() {
	w.t.Helper()
	for _, pk := range []string{"due", "open"} {
		page, err := w.db.Query(w.t.Context(), store.Directory, store.Offers, store.Query{PK: pk})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, it := range page.Items {
			if strings.Contains(it.SK, "revert") {
				w.t.Errorf("%s %s is left", pk, it.SK)
			}
		}
	}
}
