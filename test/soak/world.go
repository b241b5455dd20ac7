package soak

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

var markets = []price.MarketplaceID{"A1PA6795UKMFR9", "A13V1IB3VIYZZH"} // Germany, France

// fate is what Amazon does with a change, decided when it is planned.
type fate string

const (
	applied fate = "applied"
	invalid fate = "invalid" // refused inside a 200
	ignored fate = "ignored" // accepted and never applied
	partly  fate = "partly"  // accepted, and one field of two is never applied
)

type offerID struct {
	market price.MarketplaceID
	sku    price.SKU
}

// offer is one offer of the world, at Amazon and in the product.
type offer struct {
	key      price.OfferKey
	t        *seller
	shelf    shelf
	base     int64 // cents that prices move around
	low, top int64 // Amazon's bounds, in cents
	used     map[int64]bool
	changes  []*change // in the order of planning
	current  []*change // what the item holds, from its stream
	onWire   int       // patches that may still arrive
	known    []knownAt // what the product knew, newest last
	staged   []*change // in the order of staging
	reserved *change   // no other change until this one has ended
}

type knownAt struct {
	until  time.Duration // when it was replaced; 0 while it stands
	prices price.Prices
}

// change is one planned row and everything that happened to it.
type change struct {
	offer    *offer
	batch    *batch
	n        int64
	cents    int64
	top      int64 // the maximum that it sets as well, 0 for none
	fate     fate
	lostOnce bool // a request of it was lost without effect
	scripted bool // Amazon took it and will never apply it
	effects  int
	attempts map[int]int // sent events per attempt
	events   map[string]int
	place    int // in the order of staging of its offer, from 1; 0: not staged
	state    lane.State
}

type batch struct {
	id      string
	t       *seller
	rows    map[price.ConnectionID][]*change
	planned map[price.ConnectionID][]lane.Row
	count   int64
	events  map[string]int
	state   lane.BatchState
	since   time.Duration // of the state
}

type seller struct {
	id     tenant.ID
	conns  []*connection
	guards []guardsAt // newest last
	tight  bool
}

type guardsAt struct {
	until  time.Duration // 0 while they stand
	guards price.Guards
}

func (t *seller) now() price.Guards { return t.guards[len(t.guards)-1].guards }

type connection struct {
	id                      price.ConnectionID
	t                       *seller
	offers                  map[offerID]*offer
	list                    []*offer
	patches, reads, reports bucket
	stormUntil              time.Duration
	revoked, asked          bool
	works                   map[string]bool // batches it has work of
	last                    leaving
}

// world is the simulation of one seed.
type world struct {
	s        *scheduler
	plan     *rand.Rand // what the sellers do, apart from what chance does to it
	db       *memory.DB
	blobs    *memory.Blobs
	rates    rates
	slow     int  // calls of Amazon in a million that take long
	late     int  // prices in a million that take long to show
	guarding int  // operations in a hundred that change guards
	hot      bool // the same few offers all the time
	calm     bool // no more mishaps: the world comes to rest
	sellers  []*seller
	conns    map[price.ConnectionID]*connection
	batches  map[string]*batch
	order    []*batch
	offers   map[string]*offer // by tenant and key
	markers  map[string]bool   // that stand
	stops    []*standing
	refused  bool      // our own credentials are refused
	audit    *audit    // nil: this history is not passed to the ledger
	canaries *canaries // nil likewise

	procs, submissions, overBudget int64
	adopted                        int64 // lanes that a worker drove beside its own
	open                           int   // sellers' requests under way
	left                           int   // operations to come
	tracing                        bool
	lines                          []string
	faults                         map[Fault]int64
	checks
}

const (
	sellersPerWorld = 14
	connsPerWorld   = 20
	offersPerConn   = 800
	ledgerEvery     = 6 // one history in so many is passed to the ledger
)

func newWorld(o Options) *world {
	w := &world{s: newScheduler(o.Seed), plan: rand.New(rand.NewPCG(o.Seed, 77)), rates: usual.times(cmp.Or(o.Harsh, 1)), left: o.Ops,
		slow: cmp.Or(o.Slow, 4500), late: cmp.Or(o.Late, 30_000), guarding: cmp.Or(o.Guards, 5), hot: o.Hot, tracing: o.Trace, markers: map[string]bool{},
		conns: map[price.ConnectionID]*connection{}, batches: map[string]*batch{}, offers: map[string]*offer{}, faults: map[Fault]int64{}}
	clk := trueClock{w.s}
	w.db, w.blobs = memory.New(clk), memory.NewBlobs(clk)
	for i := range connsPerWorld {
		if i < sellersPerWorld {
			w.sellers = append(w.sellers, &seller{id: tenant.ID(fmt.Sprintf("t_soakseller%02d", i)), guards: []guardsAt{{guards: price.DefaultGuards()}}})
		}
		t := w.sellers[i%sellersPerWorld]
		c := &connection{id: price.ConnectionID(fmt.Sprintf("conn_%02d", i)), t: t, offers: map[offerID]*offer{}, works: map[string]bool{}}
		c.patches.tokens, c.reads.tokens, c.reports.tokens = burst, burst, burst
		t.conns = append(t.conns, c)
		w.conns[c.id] = c
		for n := range cmp.Or(o.Offers, offersPerConn) {
			w.stock(c, n)
		}
	}
	w.stream = w.db.Subscribe("offers")
	if o.Ledger || o.Seed%ledgerEvery == 0 {
		w.audit, w.canaries = w.newAudit(o.Seed), newCanaries()
	}
	return w
}

func cents(n int64) *price.Money {
	m := price.FromMinor(n, "EUR")
	return &m
}

func (w *world) stock(c *connection, n int) {
	base := 2000 + w.plan.Int64N(8000)
	o := &offer{t: c.t, base: base, low: base * 7 / 10, top: base * 14 / 10, used: map[int64]bool{base: true},
		key: price.OfferKey{Connection: c.id, Marketplace: markets[n%2], SKU: price.SKU(fmt.Sprintf("%s-%04d", c.id, n))}}
	p := price.Prices{Our: cents(base), Min: cents(o.low), Max: cents(o.top)}
	o.shelf = shelf{actual: p, shown: p}
	o.known = []knownAt{{prices: p}}
	c.offers[offerID{o.key.Marketplace, o.key.SKU}] = o
	c.list = append(c.list, o)
	w.offers[string(c.t.id)+"/"+o.key.String()] = o
	err := lane.NewOffers(w.db).Learn(context.Background(), c.t.id, lane.Read{Key: o.key, ProductType: "PRODUCT", Prices: p, Begun: epoch})
	if err != nil {
		panic(err)
	}
}

// trueClock dates what the stores do.
type trueClock struct{ s *scheduler }

func (c trueClock) Now() time.Time { return c.s.time() }
func (trueClock) Sleep(context.Context, time.Duration) error {
	panic("nobody sleeps by the true clock")
}

// start runs fn as a process of its own; ended is told whether it died. Either
// happens exactly once.
func (w *world) start(fn func(*process, *lane.Engine), ended func(died bool)) {
	w.procs++
	p := &process{s: w.s, id: w.procs}
	if !w.calm && w.hit(300_000) {
		w.fault(Skew)
		p.skew = w.between(-400*time.Millisecond, 400*time.Millisecond)
	}
	w.s.spawn(p, func() {
		finished := false
		defer func() { p.ended = true; ended(!finished) }()
		fn(p, w.engine(p))
		finished = true
	})
}

func (w *world) engine(p *process) *lane.Engine {
	clk := clockOf{p}
	shop := shopOf{w, p}
	owners := 0
	return &lane.Engine{
		Config: lane.Config{UnknownFor: unknownFor, ConfirmWithin: 3 * time.Minute},
		DB:     dbOf{w, p}, Blobs: blobsOf{w, p}, Listings: shop, Reports: shop,
		Bell:        lane.Bell{DB: dbOf{w, p}, Queue: queueOf{w, p}, Now: clk.Now},
		Catalogue:   catalogue,
		Connections: booksOf{w, p},
		Guards: func(_ context.Context, t tenant.ID) (g lane.GuardSet, err error) {
			err = w.call(p, "guards", false, func() error { g = w.seller(t).now(); return nil })
			return g, err
		},
		Planned: func(_ context.Context, _ tenant.ID, plan string, c price.ConnectionID, from int64, limit int) (rows []lane.Row, err error) {
			err = w.call(p, "planned rows", false, func() error {
				all := w.batches[plan].planned[c]
				rows = all[from:min(from+int64(limit), int64(len(all)))]
				return nil
			})
			return rows, err
		},
		Clock: clk, Log: slog.New(logTo{w, p}),
		NewOwner:  func() string { owners++; return fmt.Sprintf("p%d-%d", p.id, owners) },
		NewFlight: func(int) lane.Flight { return &flight{p: p} },
	}
}

// unknownFor is lane.Config.UnknownFor: above shownWithin.
const unknownFor = 20 * time.Second

func (w *world) seller(id tenant.ID) *seller {
	for _, t := range w.sellers {
		if t.id == id {
			return t
		}
	}
	return nil
}

// deliver is the queue's event source: what fails or dies comes again.
func (w *world) deliver(body []byte, times int) {
	again := func(d time.Duration) {
		if times < 5 {
			w.s.after(d, func() { w.deliver(body, times+1) })
		}
	}
	w.start(func(p *process, e *lane.Engine) {
		d, err := lane.ParseDoorbell(body)
		if err != nil {
			panic(err)
		}
		w.trace(p, "handles %s %s%s, delivery %d", d.Kind, d.Connection, d.Batch, times)
		w.limit(p)
		ctx := bounded{context.Background(), clockOf{p}.Now().Add(timeLimit)}
		e.Crew(ctx, []func(){func() {
			if _, err := e.Handle(ctx, d); err != nil {
				w.trace(p, "failed: %v", err)
				again(w.between(10*time.Second, 30*time.Second))
				return
			}
			w.checkHandOver(p, d)
		}}, func(_ context.Context, a lane.Adopted) {
			w.trace(p, "adopted lane %s: %v", a.Doorbell.Connection, a.Err)
			w.adopted++
			if a.Err == nil {
				w.checkHandOver(p, a.Doorbell)
			}
		})
	}, func(died bool) {
		if died {
			again(w.between(60*time.Second, 90*time.Second))
		}
	})
}

// sweep runs every minute until the world is at rest.
func (w *world) sweep() {
	w.start(func(p *process, e *lane.Engine) {
		if n, err := e.Bell.Sweep(context.Background()); err == nil {
			w.faults[Swept] += int64(n)
		}
	}, func(bool) {})
	w.watch()
	if w.left == 0 && w.open == 0 && w.rested() && (w.audit == nil || w.audit.drained()) {
		return
	}
	if w.s.now > w.deadline || w.s.steps > w.mostSteps {
		w.breach(nil, "the world does not come to rest: %s", w.unrest())
		return
	}
	w.s.after(time.Minute, w.sweep)
}
