// Package front puts together what stands before the routes of every function that
// has any: who is turned away, how often one may ask, who is signed in, what is
// counted and what the ledger hears. One place does it, so that no function can
// forget a part.
//
// It decides nothing by itself: what each part promises when things fail is said by
// web, edge, limit and identity.
package front

import (
	"io"
	"log/slog"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// Parts are what a front is made of.
type Parts struct {
	DB      store.DB
	Clock   clock.Clock
	Random  io.Reader
	Log     *slog.Logger
	Metrics *metrics.Writer
	Hashes  edge.Hashes
	Quotas  limit.Quotas
	// Uses hears of what is asked for; nil: the ledger of this function has no uses.
	Uses web.Uses
}

// Front makes routers. Its parts are for functions that work with them, too.
type Front struct {
	List     *edge.List
	Sessions *identity.Sessions

	parts  Parts
	limits *limit.Limits
}

// New refuses quotas that limit.New refuses.
func New(p Parts) (*Front, error) {
	list := edge.New(p.DB, p.Hashes, p.Clock, p.Log)
	limits, err := limit.New(p.DB, p.Hashes, list, p.Quotas, p.Clock, p.Log, p.Metrics)
	if err != nil {
		return nil, err
	}
	return &Front{
		List: list, Sessions: &identity.Sessions{DB: p.DB, Clock: p.Clock, Random: p.Random}, parts: p, limits: limits,
	}, nil
}

// Router returns a router of the routes with everything that stands before them.
func (f *Front) Router(routes ...web.Route) (*web.Router, error) {
	rt, err := web.New(f.parts.Log, f.parts.Clock, "", routes...)
	if err != nil {
		return nil, err
	}
	rt.WithSessions(f.Sessions).WithLimits(f.limits).WithGate(f.List).WithSources(f.List.Source).WithMetrics(f.parts.Metrics)
	if f.parts.Uses != nil {
		rt.WithUses(f.parts.Uses, f.List.Sources)
	}
	return rt, nil
}
