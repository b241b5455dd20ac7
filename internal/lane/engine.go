package lane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Config holds the engine's numbers. Zero values take the defaults.
type Config struct {
	// Lease is how long a worker may drive a lane without renewing. Default 15 s.
	Lease time.Duration
	// Slice is how long one invocation drives lanes before it hands them on.
	// Default 50 s, which leaves a 75 s function time to finish its calls.
	Slice time.Duration
	// SendDeadline is the most one patch may take. Default 10 s.
	SendDeadline time.Duration
	// Settle is how long a price usually takes from accepted to visible; the
	// first read-back waits for it. Default 3 s, then measured.
	Settle time.Duration
	// UnknownFor is how long a price without an answer is looked for before it
	// is sent once more: the marketplace's p99 visibility delay. Default 60 s.
	UnknownFor time.Duration
	// ConfirmWithin is how long an accepted price is looked for before it is
	// unconfirmed. Default 30 min.
	ConfirmWithin time.Duration
	// Rate and Burst are Amazon's default budget of patchListingsItem and of
	// searchListingsItems, per seller and application, in requests per second
	// and requests (listingsItems_2021-08-01 usage plans). The rate that
	// Amazon's answers state is followed instead once seen.
	Rate, Burst float64
	// InFlight is the most calls one lane has open. Default 32.
	InFlight int
	// Breaker says when a batch is paused by itself.
	Breaker Breaker
	// Window is the most rows of a batch between the first unfinished one and
	// the last one sent. Default 10,000.
	Window int64
	// Lanes is the most lanes that one invocation drives when it adopts some
	// beside those it was rung for: each has up to Window rows in memory. Default
	// 5, which is also the most doorbells that one invocation gets; 1 adopts none.
	Lanes int
	// Together sends the prices of one SKU in several marketplaces in one request.
	// Off by default: each row then has Amazon's verdict about itself, and nothing
	// says whether one bad marketplace spoils the others.
	Together bool
	// FeedFrom is the least number of rows for which feeds are considered.
	// Default 1,500, what Amazon's page about feeds recommends.
	FeedFrom int64
	// FeedTakes is how long a feed is assumed to take until some were measured.
	// Default 30 min (Amazon's issue tracker, March 2026: about that in Europe).
	FeedTakes time.Duration
	// FeedStall is how long a feed may stand in Amazon's queue before it is
	// cancelled and its rows go by single patches. Default 2 h.
	FeedStall time.Duration
	// FeedDeadline is the most one call about a feed may take. Default 20 s.
	FeedDeadline time.Duration
}

// confirmWithin is the default of Config.ConfirmWithin.
const confirmWithin = 30 * time.Minute

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Lease, 15*time.Second)
	def(&c.Slice, 50*time.Second)
	def(&c.SendDeadline, 10*time.Second)
	def(&c.Settle, 3*time.Second)
	def(&c.UnknownFor, time.Minute)
	def(&c.ConfirmWithin, confirmWithin)
	def(&c.FeedTakes, 30*time.Minute)
	def(&c.FeedStall, 2*time.Hour)
	def(&c.FeedDeadline, 20*time.Second)
	if c.FeedFrom == 0 {
		c.FeedFrom = 1500
	}
	if c.Rate == 0 {
		c.Rate = 5
	}
	if c.Burst == 0 {
		c.Burst = 5
	}
	if c.InFlight == 0 {
		c.InFlight = 32
	}
	c.Breaker = c.Breaker.withDefaults()
	if c.Lanes == 0 {
		c.Lanes = 5
	}
	if c.Window == 0 {
		c.Window = 10_000
	}
	return c
}

// Connections is what the engine asks about connections.
type Connections interface {
	// Account returns the seller account of a connection and its marketplaces.
	Account(ctx context.Context, t tenant.ID, c price.ConnectionID) (amazon.Account, []price.MarketplaceID, error)
	// MarkReauthorise records that Amazon refuses the account's authorisation.
	MarkReauthorise(ctx context.Context, a amazon.Account, reason string) error
	// ImportProgress and ImportDone tell how the import of known offers goes.
	ImportProgress(ctx context.Context, t tenant.ID, c price.ConnectionID, known, total int64) error
	ImportDone(ctx context.Context, t tenant.ID, c price.ConnectionID, known int64) error
}

// GuardSet is a tenant's guard settings as they were read at one moment. A
// price.Guards is one: the same for every offer.
type GuardSet interface {
	For(price.OfferKey) price.Guards
	Hash() string // of everything that For answers by
}

// Guards returns a tenant's current guard settings.
type Guards func(context.Context, tenant.ID) (GuardSet, error)

// PlannedRows opens the planned rows of an applied plan, for one connection,
// from row index from, at most limit; fewer than limit means the end.
type PlannedRows func(ctx context.Context, t tenant.ID, plan string, c price.ConnectionID, from int64, limit int) ([]Row, error)

// Engine drives lanes. All fields are needed.
type Engine struct {
	Config   Config
	DB       store.DB
	Blobs    store.Blobs
	Bell     Bell
	Listings amazon.Listings
	Reports  amazon.Reports
	// Feeds may be nil: then everything goes by single patches.
	Feeds amazon.Feeds
	// Catalogue reads a listings report row by row.
	Catalogue   func(io.Reader, price.MarketplaceID, func(CatalogueRow) error) error
	Connections Connections
	Guards      Guards
	// History may be nil: what depends on past prices is then held.
	History guard.History
	Planned PlannedRows
	Clock   clock.Clock
	Log     *slog.Logger
	// NewOwner returns a new unique name for a lease owner.
	NewOwner func() string

	// NewFlight returns what runs at most limit calls at a time; nil is one
	// goroutine per call. A simulation puts its own scheduler here.
	NewFlight func(limit int) Flight

	inHand sync.Map // lanes that this process drives, see adopt.go
}

// Stats is what one drive of a lane did.
type Stats struct {
	Sent, Accepted, Observed, Throttled, Reads int64
	Unconfirmed                                int64 // accepted and never seen
	Refused                                    int64 // calls for which Amazon refused our own credentials
	Escaped                                    int64 // feeds that could not be held back
	Paused                                     int64 // batches paused by themselves
	QuotaSuspected, QuotaCleared               int64 // times that foreign use of the quota was first, and no longer, suspected
	Handed                                     bool  // work was left and the lane rung again
}

// Handle does what a doorbell rings for. A nil error means that the message is
// done with, also when another worker already drives the lane.
func (e *Engine) Handle(ctx context.Context, d Doorbell) (Stats, error) {
	switch d.Kind {
	case KindApply:
		return Stats{}, e.Apply(ctx, d.Tenant, d.Batch)
	case KindLane:
		return e.Drive(ctx, d.Tenant, d.Connection)
	}
	return Stats{}, fmt.Errorf("%w: kind %q", ErrMalformed, d.Kind)
}

// Drive takes the lane of a connection and works on it until there is nothing
// to do, the slice ends, or the lease is lost.
func (e *Engine) Drive(ctx context.Context, t tenant.ID, c price.ConnectionID) (Stats, error) {
	s, _, err := e.drive(ctx, t, c, time.Time{})
	return s, err
}

// drive is Drive, until a time at the latest, the zero time for a whole slice.
// mine says that the lane was taken.
func (e *Engine) drive(ctx context.Context, t tenant.ID, c price.ConnectionID, until time.Time) (s Stats, mine bool, err error) {
	cfg := e.Config.withDefaults()
	l, left, err := acquire(ctx, e.DB, t, c, e.NewOwner(), e.Clock.Now(), cfg.Lease)
	if errors.Is(err, errNotDue) {
		return Stats{}, false, nil
	}
	if errors.Is(err, store.ErrConflict) {
		// Somebody drives it. The ring that came with this doorbell makes the
		// holder look once more before leaving, so nothing is lost.
		return Stats{}, false, nil
	}
	if err != nil {
		return Stats{}, false, err
	}
	hand := handKey(Doorbell{Tenant: t, Connection: c})
	e.inHand.Store(hand, true)
	defer e.inHand.Delete(hand)
	dr := e.newDriver(cfg, l, left)
	dr.until = until
	if left.parked != "" {
		return Stats{}, true, dr.leave(ctx, time.Time{})
	}
	err = dr.run(ctx)
	if errors.Is(err, errLost) {
		e.Log.WarnContext(ctx, "lane lost to another worker", "connection", string(c))
		return dr.stats, true, nil
	}
	return dr.stats, true, err
}

func (e *Engine) flightFor(limit int) Flight {
	if e.NewFlight != nil {
		return e.NewFlight(limit)
	}
	return newParallel(e.Clock, limit)
}
