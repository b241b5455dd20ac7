package lane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	seller = tenant.ID("t_laneowner1")
	conn   = price.ConnectionID("conn_one")
	de     = price.MarketplaceID("A1PA6795UKMFR9")
	fr     = price.MarketplaceID("A13V1IB3VIYZZH")
)

func eur(s string) *price.Money {
	m, err := price.ParseMoney(s, "EUR")
	if err != nil {
		panic(err)
	}
	return &m
}

// shop is a small Amazon: it keeps prices, shows them some time after it took
// them, and counts every effect. It meters its budget like the real one.
type shop struct {
	mu       sync.Mutex
	clock    clock.Clock
	listings map[price.MarketplaceID]map[price.SKU]*shelf
	effects  map[price.SKU]int
	patches  []time.Time
	tokens   float64
	refilled time.Time
	refused  int
	// unmetered lifts the budget, for tests with several sellers.
	unmetered bool
	foreign   float64 // calls per second that somebody else makes on the same budget
	latency   time.Duration
	token     time.Duration // how long the access token takes that all calls need
	tokenAt   time.Time
	visible   time.Duration
	// script answers instead of the shop for a SKU; nil goes on normally.
	script func(p amazon.Patch, n int) (effect bool, err error)
	calls  map[price.SKU]int
}

type shelf struct {
	now, next price.Prices
	at        time.Time // when next shows
}

func (s *shop) admit(now time.Time) bool {
	s.tokens = max(0, min(5, s.tokens+now.Sub(s.refilled).Seconds()*(5-s.foreign)))
	s.refilled = now
	if s.unmetered {
		return true
	}
	if s.tokens < 1 {
		s.refused++
		return false
	}
	s.tokens--
	return true
}

// way is what a call goes through before it arrives: the first ones wait for the
// token together.
func (s *shop) way(ctx context.Context) error {
	s.mu.Lock()
	now := s.clock.Now()
	if s.tokenAt.IsZero() {
		s.tokenAt = now.Add(s.token)
	}
	wait := max(s.tokenAt.Sub(now), 0) + s.latency
	s.mu.Unlock()
	return s.clock.Sleep(ctx, wait)
}

func (s *shop) Patch(ctx context.Context, _ amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	if err := s.way(ctx); err != nil {
		return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Reached: true, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if !s.admit(now) {
		return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Status: http.StatusTooManyRequests, Code: "QuotaExceeded"}
	}
	s.patches = append(s.patches, now)
	s.calls[p.SKU]++
	effect, err := true, error(nil)
	if s.script != nil {
		n := s.calls[p.SKU]
		s.mu.Unlock() // the script may call back
		effect, err = s.script(p, n)
		s.mu.Lock()
	}
	if sh := s.listings[p.Marketplace][p.SKU]; effect && sh != nil {
		sh.settle(now)
		sh.next, sh.at = p.Edit.Apply(sh.now), now.Add(s.visible)
		s.effects[p.SKU]++
	}
	if err != nil {
		return amazon.Submission{}, err
	}
	return amazon.Submission{ID: "sub-" + strconv.Itoa(len(s.patches)), Status: amazon.Accepted, Call: amazon.Call{RateLimit: 5}}, nil
}

func (sh *shelf) settle(now time.Time) {
	if !sh.at.IsZero() && !now.Before(sh.at) {
		sh.now, sh.at = sh.next, time.Time{}
	}
}

func (s *shop) Search(ctx context.Context, _ amazon.Account, m price.MarketplaceID, skus []price.SKU) ([]amazon.Listing, amazon.Call, error) {
	if err := s.way(ctx); err != nil {
		return nil, amazon.Call{}, &amazon.Error{Op: "searchListingsItems", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(skus) > 20 {
		return nil, amazon.Call{}, &amazon.Error{Op: "searchListingsItems", Status: http.StatusBadRequest}
	}
	var out []amazon.Listing
	for _, sku := range skus {
		if strings.Contains(string(sku), ",") {
			return nil, amazon.Call{}, &amazon.Error{Op: "searchListingsItems", Status: http.StatusBadRequest}
		}
		if sh := s.listings[m][sku]; sh != nil {
			sh.settle(s.clock.Now())
			out = append(out, amazon.Listing{Marketplace: m, SKU: sku, Prices: sh.now})
		}
	}
	return out, amazon.Call{}, nil
}

func (s *shop) Get(_ context.Context, _ amazon.Account, m price.MarketplaceID, sku price.SKU) (amazon.Listing, amazon.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.listings[m][sku]
	if sh == nil {
		return amazon.Listing{}, amazon.Call{}, &amazon.Error{Op: "getListingsItem", Status: http.StatusNotFound}
	}
	sh.settle(s.clock.Now())
	return amazon.Listing{Marketplace: m, SKU: sku, Prices: sh.now}, amazon.Call{}, nil
}

func (s *shop) CreateReport(_ context.Context, _ amazon.Account, _ string, m price.MarketplaceID) (string, error) {
	return string(m), nil
}

func (s *shop) Report(_ context.Context, _ amazon.Account, id string) (amazon.ReportStatus, string, error) {
	return amazon.ReportDone, id, nil
}

func (s *shop) Document(_ context.Context, _ amazon.Account, id string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	for sku := range s.listings[price.MarketplaceID(id)] {
		fmt.Fprintln(&b, sku)
	}
	return io.NopCloser(&b), nil
}

// books are the connections of the test: one, with two marketplaces.
type books struct {
	mu       sync.Mutex
	renew    string
	onRenew  func()
	imported int64
	imports  int
	onDone   func()
}

func (b *books) Account(context.Context, tenant.ID, price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	return amazon.Account{Tenant: seller, Connection: conn, Region: price.EU, Seller: "A2TEST"}, []price.MarketplaceID{de, fr}, nil
}

func (b *books) MarkReauthorise(_ context.Context, _ amazon.Account, reason string) error {
	b.mu.Lock()
	b.renew = reason
	b.mu.Unlock()
	if b.onRenew != nil {
		b.onRenew()
	}
	return nil
}

func (b *books) ImportProgress(context.Context, tenant.ID, price.ConnectionID, int64, int64) error {
	return nil
}

func (b *books) ImportDone(_ context.Context, _ tenant.ID, _ price.ConnectionID, n int64) error {
	b.mu.Lock()
	b.imported = n
	b.imports++
	onDone := b.onDone
	b.onDone = nil
	b.mu.Unlock()
	if onDone != nil {
		onDone()
	}
	return nil
}

// world is an engine with everything around it.
type world struct {
	t      *testing.T
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue
	shop   *shop
	books  *books
	engine *Engine
	plans  map[string][]Row
	owners atomic.Int64
	later  time.Time // when batches that are applied begin; zero for at once
}

func newWorld(t *testing.T) *world {
	clk := clock.Real{} // inside a synctest bubble this clock is virtual
	w := &world{t: t, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), books: &books{}, plans: map[string][]Row{},
		shop: &shop{clock: clk, listings: map[price.MarketplaceID]map[price.SKU]*shelf{de: {}, fr: {}}, effects: map[price.SKU]int{},
			calls: map[price.SKU]int{}, tokens: 5, refilled: clk.Now(), latency: 80 * time.Millisecond, visible: 4 * time.Second}}
	w.engine = &Engine{
		Config: Config{UnknownFor: 20 * time.Second, ConfirmWithin: 3 * time.Minute},
		DB:     w.db, Blobs: w.blobs, Listings: w.shop, Reports: w.shop, Connections: w.books, Clock: clk,
		Bell:   Bell{DB: w.db, Queue: w.queue, Now: clk.Now},
		Guards: func(context.Context, tenant.ID) (GuardSet, error) { return price.DefaultGuards(), nil },
		Planned: func(_ context.Context, _ tenant.ID, plan string, _ price.ConnectionID, from int64, limit int) ([]Row, error) {
			rows := w.plans[plan]
			return rows[from:min(from+int64(limit), int64(len(rows)))], nil
		},
		Catalogue: func(r io.Reader, _ price.MarketplaceID, row func(CatalogueRow) error) error {
			b, err := io.ReadAll(r)
			for _, sku := range strings.Fields(string(b)) {
				err = errors.Join(err, row(CatalogueRow{SKU: price.SKU(sku)}))
			}
			return err
		},
		Log:      slog.New(slog.DiscardHandler),
		NewOwner: func() string { return "worker-" + strconv.FormatInt(w.owners.Add(1), 10) },
	}
	return w
}

// stock puts n offers at 20.00 EUR on the shelf of Germany and makes them known.
func (w *world) stock(n int) []price.SKU {
	skus := make([]price.SKU, n)
	for i := range skus {
		skus[i] = price.SKU(fmt.Sprintf("SKU-%04d", i))
		w.put(skus[i], price.Prices{Our: eur("20.00")})
	}
	return skus
}

func (w *world) put(sku price.SKU, p price.Prices) {
	w.shop.listings[de][sku] = &shelf{now: p}
	err := NewOffers(w.db).Learn(w.t.Context(), seller, Read{Key: offer(sku), Prices: p, Begun: w.engine.Clock.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
}

func offer(sku price.SKU) price.OfferKey {
	return price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}
}

// apply plans and applies new prices, as the API does.
func (w *world) apply(batch string, to string, skus ...price.SKU) {
	w.t.Helper()
	ctx := w.t.Context()
	var rows []Row
	for i, sku := range skus {
		known, err := NewOffers(w.db).Offers(ctx, seller, []price.OfferKey{offer(sku)})
		if err != nil {
			w.t.Fatal(err)
		}
		o := known[offer(sku)]
		rows = append(rows, Row{N: int64(i), Line: i + 2, Marketplace: de, SKU: sku, Version: o.Version, Edit: price.Edit{Set: price.Prices{Our: eur(to)}}, Old: o.Known})
	}
	w.plans["plan-"+batch] = rows
	err := NewBatches(w.db, w.blobs).Create(ctx, seller, NewBatch{ID: batch, Plan: "plan-" + batch, File: "f.csv", Actor: "key:test",
		Rows: map[price.ConnectionID]int64{conn: int64(len(rows))}, At: w.later}, w.engine.Bell)
	if err != nil {
		w.t.Fatal(err)
	}
}

// pump delivers doorbells until the queue is empty, or until the deadline. It
// is the Lambda event source: one message at a time, failures come back.
func (w *world) pump(limit time.Duration) {
	w.t.Helper()
	end := w.engine.Clock.Now().Add(limit)
	for {
		at, ok := w.queue.Next()
		if !ok || at.After(end) {
			return
		}
		_ = w.engine.Clock.Sleep(w.t.Context(), at.Sub(w.engine.Clock.Now()))
		for _, m := range w.queue.Receive(1, 6*time.Minute) {
			d, err := ParseDoorbell(m.Body)
			if err != nil {
				w.t.Fatal(err)
			}
			if _, err := w.engine.Handle(w.t.Context(), d); err != nil {
				w.t.Logf("handle %+v: %v", d, err)
				continue
			}
			w.queue.Delete(m.ID)
		}
	}
}

func (w *world) batch(id string) Batch {
	w.t.Helper()
	b, err := NewBatches(w.db, w.blobs).Get(w.t.Context(), seller, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// events are all ledger events so far, counted by type.
func (w *world) events() map[ledger.Type]int {
	out := map[ledger.Type]int{}
	for _, r := range w.db.Records(store.Offers, "") {
		if r.Tenant == store.Directory {
			continue
		}
		for _, e := range Events(r) {
			out[e.Type]++
		}
	}
	return out
}

// wantPrices checks what the shop finally shows.
func (w *world) wantPrices(to string, skus ...price.SKU) {
	w.t.Helper()
	for _, sku := range skus {
		sh := w.shop.listings[de][sku]
		sh.settle(w.engine.Clock.Now())
		if sh.now.Our == nil || *sh.now.Our != *eur(to) {
			w.t.Errorf("%s: Amazon shows %v, want %s", sku, sh.now.Our, to)
		}
	}
}

// mostPerSecond is the largest number of patches in any window of one second.
func (w *world) mostPerSecond() (most int) {
	at := slices.Clone(w.shop.patches)
	slices.SortFunc(at, func(a, b time.Time) int { return a.Compare(b) })
	for i, from := range at {
		n := 0
		for _, x := range at[i:] {
			if x.Sub(from) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
