package main

import (
	"context"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// growEvery is how many changes of a tenant's offers this process sees before the
// tenant's price history takes them over from the ledger.
const growEvery = 500

// maxGrown bounds how many tenants a process counts changes of.
const maxGrown = 10_000

// growth has price histories follow their ledgers. A history is whole without it:
// what it has not taken over is read from the ledger. So an error is noted and
// nothing is retried; the next changes come.
type growth struct {
	grow func(context.Context, tenant.ID) error
	// closed reports whose erasure has begun: their histories grow no more.
	closed func(context.Context, tenant.ID) (bool, error)
	seen   map[tenant.ID]int // changes since the history last grew here
}

// note counts the changes and lets those histories grow whose time has come, among
// them those of tenants that this process has not met before.
func (g *growth) note(ctx context.Context, records []store.Record, warn func(tenant.ID, error)) {
	if g.grow == nil {
		return
	}
	if g.seen == nil || len(g.seen) > maxGrown {
		g.seen = map[tenant.ID]int{}
	}
	touched := map[tenant.ID]int{}
	for _, r := range records {
		if r.Table == store.Offers && r.Tenant != store.Directory {
			touched[r.Tenant]++
		}
	}
	for t, n := range touched {
		before, met := g.seen[t]
		g.seen[t] = before + n
		if met && g.seen[t] < growEvery {
			continue
		}
		g.seen[t] = 0
		if err := g.unlessClosed(ctx, t); err != nil {
			warn(t, err)
		}
	}
}

// unlessClosed may come too late by the moment between the two calls. The erasure
// waits for longer than that before it looks whether all is gone.
func (g *growth) unlessClosed(ctx context.Context, t tenant.ID) error {
	if closed, err := g.closed(ctx, t); err != nil || closed {
		return err
	}
	return g.grow(ctx, t)
}
