package virtual

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/amazon/tokencache"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

const (
	owner = tenant.ID("t_benchtenant")
	de    = price.MarketplaceID("A1PA6795UKMFR9")
)

// How long things take in virtual time. Amazon's are what a caller in the same
// continent sees; DynamoDB's is a write's.
const (
	wayThere, wayBack = 60 * time.Millisecond, 40 * time.Millisecond // each up to twice as long
	dynamoWrite       = 5 * time.Millisecond
)

// amazonTest is where Amazon is without a network.
const amazonTest = "http://amazon.test"

// world is a deployment in virtual time.
type world struct {
	t      *testing.T
	clock  clock.Clock
	amazon *fakeamazon.Fake
	db     *memory.DB
	data   store.DB // where everybody keeps everything: db, or a twin of it
	blobs  *memory.Blobs
	queue  *memory.Queue
	kms    *memkms.KMS
	plans  map[string]map[price.ConnectionID][]lane.Row

	mu       sync.Mutex
	engine   *lane.Engine // of the version that is deployed
	stop     context.CancelFunc
	deployed context.Context
	base     string            // Amazon's address
	calls    http.RoundTripper // the way there
	refresh  map[price.ConnectionID]secret.Value
	owners   atomic.Int64
	invoked  atomic.Int64 // invocations of price-sync
	rung     atomic.Int64 // doorbells that they drove lanes for
	billed   atomic.Int64 // milliseconds of all functions
	handed   atomic.Int64 // lanes that were left with work to do
	adopted  atomic.Int64 // lanes that an invocation drove without a doorbell
	lanes    int          // lane.Config.Lanes
	// visibility is what the fake looks at when a price is sent.
	visibility map[price.MarketplaceID]fakeamazon.Delay
	tolerant   bool // a message may fail, and comes back
	edited     bool // offers are no longer at the version they began with
	done       chan struct{}
	running    sync.WaitGroup
}

// newWorld is called inside a bubble, where the real clock is virtual.
func newWorld(t *testing.T) *world { return newSeededWorld(t, 7) }

// newSeededWorld has Amazon take its delays from a seed.
func newSeededWorld(t *testing.T, seed uint64) *world {
	return newWorldOver(t, seed, func(db *memory.DB) store.DB { return db })
}

// newWorldOver is newWorld with something put in front of its database.
func newWorldOver(t *testing.T, seed uint64, over func(*memory.DB) store.DB) *world {
	clk := clock.Real{}
	visibility := map[price.MarketplaceID]fakeamazon.Delay{}
	fake, err := fakeamazon.New(fakeamazon.Config{
		Seed: seed, Clock: clk, LogLimit: 1_000_000, MarketplaceVisibility: visibility,
		Application: fakeamazon.Application{ID: "amzn1.sp.solution.bench", ClientID: "client", ClientSecret: secret.New("hidden"),
			RedirectURIs: []string{"https://price.example/back"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, clock: clk, amazon: fake, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), kms: memkms.New(rand.Reader),
		plans: map[string]map[price.ConnectionID][]lane.Row{}, refresh: map[price.ConnectionID]secret.Value{},
		base: amazonTest, visibility: visibility,
		calls: &rest{clock: clk, amazon: fake, jitter: mathrand.New(mathrand.NewPCG(1, 2))},
		done:  make(chan struct{}),
	}
	w.db.NoStreams = true
	w.data = over(w.db)
	w.deploy()
	return w
}

// lag makes the stores as slow as DynamoDB. Call it once everything is seeded.
func (w *world) lag() {
	w.db.Hook = func(memory.Op) (bool, error) {
		return true, w.clock.Sleep(context.Background(), dynamoWrite)
	}
}

// deploy replaces all workers: those that run are told to stop, as Lambda does
// it through the deadline, and new ones start with nothing cached.
func (w *world) deploy() {
	tokens := tokencache.New(w.clock, rand.Reader, time.Minute, 2*time.Minute, w.token)
	client, err := spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: w.base}, Tokens: brokered{tokens}, Clock: w.clock,
		UserAgent: "PriceManager/bench (Language=Go/1.26; Platform=Lambda)", HTTP: &http.Client{Transport: w.calls}, AllowInsecure: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
	w.deployed, w.stop = context.WithCancel(context.Background())
	w.engine = &lane.Engine{
		Config: lane.Config{Lanes: w.lanes},
		DB:     w.data, Blobs: w.blobs, Listings: client, Reports: client, Connections: books{}, Clock: w.clock,
		Bell:      lane.Bell{DB: w.data, Queue: w.queue, Now: w.clock.Now},
		Guards:    func(context.Context, tenant.ID) (lane.GuardSet, error) { return price.DefaultGuards(), nil },
		Planned:   w.planned,
		Catalogue: func(io.Reader, price.MarketplaceID, func(lane.CatalogueRow) error) error { return nil },
		Log:       slog.New(slog.DiscardHandler),
		NewOwner:  func() string { return "worker-" + strconv.FormatInt(w.owners.Add(1), 10) },
	}
}

func (w *world) planned(_ context.Context, _ tenant.ID, plan string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := w.plans[plan][c]
	return rows[from:min(from+int64(limit), int64(len(rows)))], nil
}

type brokered struct{ cache *tokencache.Cache }

func (b brokered) Access(ctx context.Context, a amazon.Account) (secret.Value, error) {
	t, err := b.cache.Get(ctx, a)
	return t.Access, err
}

func (w *world) token(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: w.base, Clock: w.clock, UserAgent: "bench", HTTP: &http.Client{Transport: w.calls}, AllowInsecure: true})
	if err != nil {
		return amazon.Token{}, err
	}
	defer w.bill(w.clock.Now()) // token-broker, while price-sync waits for it
	g, err := lwa.Refresh(ctx, amazon.Credentials{ClientID: "client", ClientSecret: secret.New("hidden")}, w.refresh[a.Connection])
	return g.Token, err
}

// books are connections that are always well.
type books struct{}

func (books) Account(_ context.Context, t tenant.ID, c price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	return amazon.Account{Tenant: t, Connection: c, Region: price.EU, Seller: sellerOf(c), Grant: 1}, []price.MarketplaceID{de}, nil
}

func (books) MarkReauthorise(_ context.Context, a amazon.Account, reason string) error {
	return fmt.Errorf("%s had to authorise again: %s", a.Connection, reason)
}

func (books) ImportProgress(context.Context, tenant.ID, price.ConnectionID, int64, int64) error {
	return nil
}
func (books) ImportDone(context.Context, tenant.ID, price.ConnectionID, int64) error { return nil }

func sellerOf(c price.ConnectionID) string { return "A2" + string(c) }

// connect adds a seller with n offers at 20.00 EUR that are known already.
func (w *world) connect(c price.ConnectionID, n int) {
	w.t.Helper()
	listings := make([]fakeamazon.Listing, n)
	for i := range listings {
		listings[i] = fakeamazon.Listing{Marketplace: de, SKU: sku(i), Price: "20.00"}
	}
	err := w.amazon.AddSeller(fakeamazon.Seller{ID: sellerOf(c), Region: price.EU, Marketplaces: []price.MarketplaceID{de}, Listings: listings})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.refresh[c], err = w.amazon.Authorize(price.EU, sellerOf(c)); err != nil {
		w.t.Fatal(err)
	}
	known := price.FromMinor(2000, "EUR")
	offers := lane.NewOffers(w.data)
	for i := range n {
		read := lane.Read{Key: price.OfferKey{Connection: c, Marketplace: de, SKU: sku(i)}, ASIN: fmt.Sprintf("B%09d", i), ProductType: "PRODUCT",
			Title: "A title of the length that titles on Amazon usually have, " + string(sku(i)), Prices: price.Prices{Our: &known}, Begun: w.clock.Now()}
		if err := offers.Learn(w.t.Context(), owner, read); err != nil {
			w.t.Fatal(err)
		}
	}
}

func sku(i int) price.SKU { return price.SKU(fmt.Sprintf("SKU-%06d", i)) }

// apply applies new prices to the first offers of the connections.
func (w *world) apply(batch, to string, from int, rows map[price.ConnectionID]int64) {
	w.t.Helper()
	money, err := price.ParseMoney(to, "EUR")
	if err != nil {
		w.t.Fatal(err)
	}
	old := price.FromMinor(2000, "EUR")
	planned := map[price.ConnectionID][]lane.Row{}
	n := int64(0)
	for c, count := range rows {
		for i := range int(count) {
			planned[c] = append(planned[c], lane.Row{N: n, Line: int(n) + 2, Marketplace: de, SKU: sku(from + i), Version: w.version(c, sku(from+i)),
				Edit: price.Edit{Set: price.Prices{Our: &money}}, Old: price.Prices{Our: &old}})
			n++
		}
	}
	w.mu.Lock()
	w.plans["plan-"+batch] = planned
	w.mu.Unlock()
	err = lane.NewBatches(w.data, w.blobs).Create(w.t.Context(), owner, lane.NewBatch{
		ID: batch, Plan: "plan-" + batch, File: "prices.csv", Actor: "key:bench", Rows: rows}, w.engine.Bell)
	if err != nil {
		w.t.Fatal(err)
	}
}

// version is that of an offer, which a plan has to know.
func (w *world) version(c price.ConnectionID, sku price.SKU) int64 {
	if !w.edited {
		return 1
	}
	key := price.OfferKey{Connection: c, Marketplace: de, SKU: sku}
	all, err := lane.NewOffers(w.data).Offers(w.t.Context(), owner, []price.OfferKey{key})
	if err != nil {
		w.t.Fatal(err)
	}
	return all[key].Version
}

// The event source of price-sync as template.yaml sets it.
const (
	perInvocation = 5
	concurrency   = 150
	pollEvery     = 50 * time.Millisecond
)

// start delivers doorbells as Lambda's event source does, until halt: up to five
// messages an invocation, up to 150 invocations at a time; what succeeded is
// deleted together when the invocation ends, the rest comes back.
func (w *world) start() {
	slots := make(chan struct{}, concurrency)
	w.running.Go(func() {
		for {
			select {
			case <-w.done:
				return
			default:
			}
			slots <- struct{}{}
			messages := w.queue.Receive(perInvocation, 450*time.Second)
			if len(messages) == 0 {
				<-slots
				_ = w.clock.Sleep(context.Background(), pollEvery)
				continue
			}
			w.running.Go(func() {
				w.invoke(messages)
				<-slots
			})
		}
	})
}

func (w *world) invoke(messages []memory.Message) {
	w.mu.Lock()
	engine, ctx := w.engine, w.deployed
	w.mu.Unlock()
	begun := w.clock.Now()
	var calls []func()
	for _, m := range messages {
		calls = append(calls, func() {
			bell, err := lane.ParseDoorbell(m.Body)
			if err != nil {
				w.t.Error(err)
				return
			}
			s, err := engine.Handle(ctx, bell)
			if s.Handed {
				w.handed.Add(1)
			}
			if errors.Is(err, context.Canceled) {
				return // stopped by a deployment: its message comes back
			}
			if err != nil {
				if !w.tolerant {
					w.t.Errorf("%s %s: %v", bell.Kind, bell.Connection, err)
				}
				return
			}
			w.queue.Delete(m.ID)
		})
	}
	engine.Crew(ctx, calls, func(_ context.Context, a lane.Adopted) {
		w.adopted.Add(1)
		if a.Stats.Handed {
			w.handed.Add(1)
		}
		if a.Err != nil && !errors.Is(a.Err, context.Canceled) && !w.tolerant {
			w.t.Errorf("adopted %s: %v", a.Doorbell.Connection, a.Err)
		}
	})
	w.invoked.Add(1)
	w.rung.Add(int64(len(messages)))
	w.bill(begun)
}

// bill adds an invocation that began at a time and ends now: Lambda bills whole
// milliseconds of each (AWS Lambda pricing).
func (w *world) bill(begun time.Time) {
	d := w.clock.Now().Sub(begun)
	w.billed.Add(int64((d + time.Millisecond - 1) / time.Millisecond))
}

// halt ends the delivery and all workers.
func (w *world) halt() {
	close(w.done)
	w.mu.Lock()
	w.stop()
	w.mu.Unlock()
	w.running.Wait()
	if w.base == amazonTest {
		// A worker that was stopped leaves without its last calls.
		_ = w.clock.Sleep(context.Background(), time.Minute)
	}
	if err := w.amazon.Close(); err != nil {
		w.t.Error(err)
	}
}

// finish waits until the batch is done.
func (w *world) finish(batch string, limit time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(limit)
	for w.clock.Now().Before(end) {
		b, err := lane.NewBatches(w.data, w.blobs).Get(w.t.Context(), owner, batch)
		if err != nil {
			w.t.Fatal(err)
		}
		if b.State == lane.Done {
			if b.Counts[lane.Observed] != b.Counts.Total() {
				w.t.Errorf("batch %s is done with %v, want all observed", batch, b.Counts)
			}
			return
		}
		_ = w.clock.Sleep(w.t.Context(), 2*time.Second)
	}
	w.t.Errorf("batch %s is not done after %s", batch, limit)
}

// patches are the requests to patch that Amazon answered, of one connection or
// of all with "".
func (w *world) patches(c price.ConnectionID) []fakeamazon.Request {
	q := fakeamazon.Query{Op: "patchListingsItem"}
	if c != "" {
		q.Seller = sellerOf(c)
	}
	return w.amazon.Requests(q)
}

// clean wants that Amazon found nothing wrong: no request over a budget, no
// double effect, no malformed call.
func (w *world) clean() {
	w.t.Helper()
	v := w.amazon.Violations()
	for _, one := range v[:min(5, len(v))] {
		w.t.Errorf("violation: %s %s %s at %s", one.Kind, one.Seller, one.Detail, one.Time.Format(time.StampMilli))
	}
	if len(v) > 5 {
		w.t.Errorf("and %d more violations", len(v)-5)
	}
}

// mostPerSecond is the largest number of requests in any window of one second.
func mostPerSecond(requests []fakeamazon.Request) (most int) {
	from := 0
	for to, r := range requests {
		for r.Time.Sub(requests[from].Time) >= time.Second {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}
