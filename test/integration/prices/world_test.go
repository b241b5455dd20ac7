package prices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

const (
	owner   = tenant.ID("t_pricesowner")
	germany = price.MarketplaceID("A1PA6795UKMFR9")
	japan   = price.MarketplaceID("A1VC38T7YXB528")
	euConn  = price.ConnectionID("conn_eu")
	feConn  = price.ConnectionID("conn_fe")
	seller  = "A2PRICES"
)

// market says who serves a marketplace.
var market = map[price.MarketplaceID]struct {
	conn   price.ConnectionID
	region price.Region
}{germany: {euConn, price.EU}, japan: {feConn, price.FE}}

// exchange is one call as it was on the wire.
type exchange struct {
	method, path, sku string
	request, response []byte
}

// wire carries calls to the fake and keeps their bytes.
type wire struct {
	amazon *fakeamazon.Fake

	mu    sync.Mutex
	calls []exchange
	half  func(patch []byte) []byte // what Amazon makes of patches of SKUs that begin with halfOf; nil leaves them

	halfOf string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := body
	_, sku, _ := strings.Cut(r.URL.Path, seller+"/")
	if r.Method == http.MethodPatch && w.half != nil && strings.HasPrefix(sku, w.halfOf) {
		sent = w.half(bytes.Clone(body))
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(sent))
	in.Header = r.Header.Clone()
	out := httptest.NewRecorder()
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.WroteRequest != nil {
		t.WroteRequest(httptrace.WroteRequestInfo{}) // it is on the wire, as a real transport says
	}
	if !answered(func() { w.amazon.ServeHTTP(out, in) }) {
		return nil, io.ErrUnexpectedEOF
	}
	if strings.Contains(r.URL.Path, "/listings/") {
		w.calls = append(w.calls, exchange{r.Method, r.URL.EscapedPath(), sku, body, bytes.Clone(out.Body.Bytes())})
	}
	return out.Result(), nil
}

// answered reports false when the fake cut the connection, as a handler does it.
func answered(serve func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // a panic's value is what it is
			panic(cause)
		}
	}()
	serve()
	return true
}

// take returns the calls since the last time.
func (w *wire) take() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.calls
	w.calls = nil
	return out
}

// world is the part of the product that prices go through.
type world struct {
	t       *testing.T
	clock   clock.Clock
	fake    *fakeamazon.Fake
	wire    *wire
	db      *memory.DB
	blobs   *memory.Blobs
	queue   *memory.Queue
	client  *spapi.Client
	engine  *lane.Engine
	plans   *plan.Store
	rows    map[string][]lane.Row // by plan: rows that no file can ask for
	refresh map[price.Region]secret.Value
	log     bytes.Buffer
	owners  int
	crashed bool // a call of the engine may fail: its message comes back
	stream  *memory.Reader
	told    map[string][]ledger.Event // by batch and target, in order
}

const base = "http://amazon.test"

// newWorld is called inside a bubble, where the real clock is virtual. The
// listings are known already, as an import would make them.
func newWorld(t *testing.T, listings ...fakeamazon.Listing) *world {
	clk := clock.Real{}
	fake, err := fakeamazon.New(fakeamazon.Config{Seed: 3, Clock: clk, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.prices", ClientID: "client", ClientSecret: secret.New("hidden"), RedirectURIs: []string{"https://us.test/back"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: clk, fake: fake, wire: &wire{amazon: fake, halfOf: "half"}, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk),
		rows: map[string][]lane.Row{}, refresh: map[price.Region]secret.Value{}}
	w.stream, w.told = w.db.Subscribe(store.Offers), map[string][]ledger.Event{}
	w.plans = &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk}
	for id, m := range market {
		var own []fakeamazon.Listing
		for _, l := range listings {
			if l.Marketplace == id {
				own = append(own, l)
			}
		}
		if err := fake.AddSeller(fakeamazon.Seller{ID: seller, Region: m.region, Marketplaces: []price.MarketplaceID{id}, Listings: own}); err != nil {
			t.Fatal(err)
		}
		if w.refresh[m.region], err = fake.Authorize(m.region, seller); err != nil {
			t.Fatal(err)
		}
	}
	w.client, err = spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: base + "/eu", price.FE: base + "/fe"}, Tokens: w, Clock: clk,
		UserAgent: "PriceManager/1.0 (Language=Go/1.26; Platform=Test)", HTTP: &http.Client{Transport: w.wire}, AllowInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = &lane.Engine{
		DB: w.db, Blobs: w.blobs, Listings: w.client, Reports: w.client, Connections: w, Clock: clk,
		Bell:      lane.Bell{DB: w.db, Queue: w.queue, Now: clk.Now},
		Guards:    func(context.Context, tenant.ID) (lane.GuardSet, error) { return price.DefaultGuards(), nil },
		Planned:   w.planned,
		Catalogue: func(io.Reader, price.MarketplaceID, func(lane.CatalogueRow) error) error { return nil },
		Log:       slog.New(slog.NewTextHandler(&w.log, nil)),
		NewOwner:  func() string { w.owners++; return "worker-" + strconv.Itoa(w.owners) },
	}
	for _, l := range listings {
		got := w.read(l.Marketplace, l.SKU)
		err := w.known().Learn(t.Context(), owner, lane.Read{Key: key(l.Marketplace, l.SKU), ProductType: got.ProductType, Prices: got.Prices, Begun: clk.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, v := range fake.Violations() {
			t.Errorf("Amazon objects: %s of %s %s: %s", v.Kind, v.Op, v.SKU, v.Detail)
		}
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func key(m price.MarketplaceID, sku price.SKU) price.OfferKey {
	return price.OfferKey{Connection: market[m].conn, Marketplace: m, SKU: sku}
}

// Access is spapi.Tokens, without a cache.
func (w *world) Access(ctx context.Context, a amazon.Account) (secret.Value, error) {
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: base, Clock: w.clock, UserAgent: "prices", HTTP: &http.Client{Transport: w.wire}, AllowInsecure: true})
	if err != nil {
		return secret.Value{}, err
	}
	g, err := lwa.Refresh(ctx, amazon.Credentials{ClientID: "client", ClientSecret: secret.New("hidden")}, w.refresh[a.Region])
	return g.Access, err
}

func account(c price.ConnectionID) (a amazon.Account, all []price.MarketplaceID) {
	for id, m := range market {
		if m.conn == c {
			a = amazon.Account{Tenant: owner, Connection: c, Region: m.region, Seller: seller, Grant: 1}
			all = append(all, id)
		}
	}
	return a, all
}

// Account and the next three are lane.Connections.
func (w *world) Account(_ context.Context, _ tenant.ID, c price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	a, all := account(c)
	return a, all, nil
}

func (w *world) MarkReauthorise(_ context.Context, _ amazon.Account, reason string) error {
	return errors.New("it had to authorise again: " + reason)
}

func (w *world) ImportProgress(context.Context, tenant.ID, price.ConnectionID, int64, int64) error {
	return nil
}
func (w *world) ImportDone(context.Context, tenant.ID, price.ConnectionID, int64) error { return nil }

func (w *world) planned(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
	if rows, ok := w.rows[id]; ok {
		return rows[from:min(from+int64(limit), int64(len(rows)))], nil
	}
	rows, err := w.plans.LaneRows(ctx, t, id, c, from, limit)
	out := make([]lane.Row, len(rows))
	for i, r := range rows {
		out[i] = lane.Row(r)
	}
	return out, err
}

// change is what a batch wants of one offer in Germany.
type change struct {
	sku  price.SKU
	edit price.Edit
}

// send makes a batch of the changes and drives it to its end.
func (w *world) send(batch string, changes ...change) {
	w.t.Helper()
	var rows []lane.Row
	for i, c := range changes {
		o := w.offer(germany, c.sku)
		rows = append(rows, lane.Row{N: int64(i), Line: i + 2, Marketplace: germany, SKU: c.sku, Version: o.Version, Edit: c.edit, Old: o.Known})
	}
	w.rows["plan-"+batch] = rows
	w.run(batch, "plan-"+batch, map[price.ConnectionID]int64{euConn: int64(len(rows))})
}

// run makes a plan a batch and drives it to its end.
func (w *world) run(batch, plan string, rows map[price.ConnectionID]int64) {
	w.t.Helper()
	ctx := w.t.Context()
	if err := lane.NewBatches(w.db, w.blobs).Create(ctx, owner, lane.NewBatch{ID: batch, Plan: plan, File: "f.csv", Actor: "key:test", Rows: rows}, w.engine.Bell); err != nil {
		w.t.Fatal(err)
	}
	w.drive(batch)
}

// drive delivers doorbells until nothing is left to do, and the batch is done.
func (w *world) drive(batch string) {
	w.t.Helper()
	ctx := w.t.Context()
	for end := w.clock.Now().Add(24 * time.Hour); ; {
		at, ok := w.queue.Next()
		if !ok || at.After(end) {
			break
		}
		_ = w.clock.Sleep(ctx, at.Sub(w.clock.Now()))
		for _, m := range w.queue.Receive(1, 6*time.Minute) {
			d, err := lane.ParseDoorbell(m.Body)
			if err == nil {
				_, err = w.engine.Handle(ctx, d)
			}
			if err != nil {
				if !w.crashed {
					w.t.Fatal(err)
				}
				continue
			}
			w.queue.Delete(m.ID)
		}
	}
	b, err := lane.NewBatches(w.db, w.blobs).Get(ctx, owner, batch)
	if err != nil || b.State != lane.Done {
		w.t.Fatalf("batch %s is %s with %v, %v", batch, b.State, b.Counts, err)
	}
}

// ended is where each row of a batch ended.
func (w *world) ended(batch string) map[price.SKU]lane.RowReport {
	w.t.Helper()
	out := map[price.SKU]lane.RowReport{}
	for after := ""; ; {
		rows, next, err := lane.NewBatches(w.db, w.blobs).Report(w.t.Context(), owner, batch, after, lane.ReportPage, "")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rows {
			out[r.SKU] = r
		}
		if after = next; next == "" {
			return out
		}
	}
}

func (w *world) known() *lane.Offers { return lane.NewOffers(w.db) }

func (w *world) offer(m price.MarketplaceID, sku price.SKU) price.Offer {
	w.t.Helper()
	got, err := w.known().Offers(w.t.Context(), owner, []price.OfferKey{key(m, sku)})
	if err != nil {
		w.t.Fatal(err)
	}
	return got[key(m, sku)]
}

// read asks Amazon.
func (w *world) read(m price.MarketplaceID, sku price.SKU) amazon.Listing {
	w.t.Helper()
	_ = w.clock.Sleep(w.t.Context(), time.Second) // the budget
	a, _ := account(market[m].conn)
	got, _, err := w.client.Get(w.t.Context(), a, m, sku)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// events are the ledger events about an offer that belong to a batch, in order.
func (w *world) events(batch string, k price.OfferKey) []ledger.Event {
	for records := w.stream.Poll(1000); len(records) > 0; records = w.stream.Poll(1000) {
		for _, r := range records {
			for _, e := range lane.Events(r) {
				w.told[e.Batch+" "+e.Target] = append(w.told[e.Batch+" "+e.Target], e)
			}
		}
	}
	return w.told[batch+" offer:"+k.String()]
}

func kinds(events []ledger.Event) (out []ledger.Type) {
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

// goneWell is the life of a change that becomes true, one event a step.
var goneWell = []ledger.Type{ledger.ChangeDesired, ledger.ChangeSent, ledger.ChangeAccepted, ledger.ChangeObserved}

func (w *world) wantEvents(batch string, k price.OfferKey, want []ledger.Type) {
	w.t.Helper()
	if got := kinds(w.events(batch, k)); !slices.Equal(got, want) {
		w.t.Errorf("%s of %s: events %v, want %v", batch, k.SKU, got, want)
	}
}

func money(amount string, c price.Currency) *price.Money {
	m, err := price.ParseMoney(amount, c)
	if err != nil {
		panic(fmt.Sprintf("%s %s: %v", amount, c, err))
	}
	return &m
}

func eur(amount string) *price.Money { return money(amount, "EUR") }
