package fakeamazon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

// Delays at speed 1 where the configuration says nothing. Amazon documents no
// visibility delay; these keep a demonstration lively and are no measurement.
var (
	defaultVisibility  = Delay{2 * time.Second, 6 * time.Second}
	defaultReportDelay = Delay{15 * time.Second, 45 * time.Second}
	defaultFeedQueue   = Delay{30 * time.Second, 2 * time.Minute}
	defaultFeedProcess = Delay{time.Minute, 5 * time.Minute}
)

const defaultLogLimit = 100_000

// Fake is one running fake Amazon: an http.Handler. Its methods are safe for
// concurrent use.
type Fake struct {
	cfg   Config
	pace  pace
	spec  *contract.Spec
	admin http.Handler
	life  context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup
	wake  chan struct{} // tells the saver that there is something to save

	mu      sync.Mutex // guards all below
	sellers map[sellerKey]*seller
	auth    authority
	budgets budgets
	reports map[string]*reportJob
	uploads map[string]*upload
	feeds   []*feedJob // oldest first
	// feedTimes are the latest submissions of listings feeds.
	feedTimes     map[sellerKey][]time.Time
	waiting       appearances
	destinations  []destination
	subscriptions []*subscription
	post          post
	faults        faultBoard
	log           requestLog
	counter       int64 // makes identifiers unique, also over a restart
	planted       int64 // see Planted
	dirty         bool  // there is something to save
	closed        bool
}

type sellerKey struct {
	region price.Region
	id     string
}

var _ http.Handler = (*Fake)(nil)

// New returns a fake, with the content of the state file if there is one. Call
// Close to flush the state.
func New(cfg Config) (*Fake, error) {
	if cfg.Clock == nil || cfg.Application.ID == "" || cfg.Application.ClientID == "" ||
		cfg.Application.ClientSecret.Empty() || len(cfg.Application.RedirectURIs) == 0 {
		return nil, errors.New("fakeamazon: the configuration needs a clock and an application with id, client, secret and redirect URI")
	}
	if cfg.Speed < 0 {
		return nil, fmt.Errorf("fakeamazon: speed %d is negative", cfg.Speed)
	}
	cfg.Speed = max(cfg.Speed, 1)
	if cfg.Visibility == (Delay{}) {
		cfg.Visibility = defaultVisibility
	}
	if cfg.Reports.Delay == (Delay{}) {
		cfg.Reports.Delay = defaultReportDelay
	}
	if cfg.Feeds.Queue == (Delay{}) {
		cfg.Feeds.Queue = defaultFeedQueue
	}
	if cfg.Feeds.Process == (Delay{}) {
		cfg.Feeds.Process = defaultFeedProcess
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.LogLimit <= 0 {
		cfg.LogLimit = defaultLogLimit
	}
	spec, err := contract.Load()
	if err != nil {
		return nil, err
	}
	f := &Fake{
		cfg: cfg, spec: spec, pace: pace{cfg.Seed, int64(cfg.Speed)},
		sellers: map[sellerKey]*seller{}, reports: map[string]*reportJob{},
		uploads: map[string]*upload{}, feedTimes: map[sellerKey][]time.Time{},
		auth: newAuthority(cfg.Application.ClientSecret, cfg.Clock.Now()),
		wake: make(chan struct{}, 1),
		log:  requestLog{limit: cfg.LogLimit, pace: pace{cfg.Seed, int64(cfg.Speed)}, logger: cfg.Logger, effects: map[offerKey]*Effect{}},
	}
	f.budgets = budgets{pace: f.pace, spec: spec, changed: cfg.Rates, buckets: map[budgetKey]*bucket{}}
	for op, r := range cfg.Rates {
		if _, known := spec.Operation(op); !known && op != preview {
			return nil, fmt.Errorf("fakeamazon: a rate for %q, which is no operation", op)
		}
		if _, err := newBucket(r, f.pace.speed); err != nil {
			return nil, err
		}
	}
	f.admin = f.adminRoutes()
	if err := f.loadState(); err != nil {
		return nil, err
	}
	f.life, f.stop = context.WithCancel(context.Background())
	if cfg.StateFile != "" {
		f.tasks.Go(f.saveLoop)
	}
	if cfg.Notify != nil {
		f.tasks.Go(f.deliver)
	}
	return f, nil
}

// Close cuts the requests that faults hold, stops the writer and Notify, and
// flushes the state file.
func (f *Fake) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.faults.releaseAll()
	f.mu.Unlock()
	f.stop()
	f.tasks.Wait()
	return f.saveState()
}

// ServeHTTP routes by the first segment of the path.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "na", "eu", "fe":
		f.serveAPI(w, r, price.Region(strings.ToUpper(first)))
	case "auth":
		f.serveToken(w, r)
	case "consent":
		f.serveConsent(w, r)
	case "documents":
		f.serveDocument(w, r)
	case "_fake":
		f.admin.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// touch notes that the state changed; the caller holds the lock.
func (f *Fake) touch() {
	f.dirty = true
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// next counts; the caller holds the lock.
func (f *Fake) next() int64 {
	f.counter++
	return f.counter
}
