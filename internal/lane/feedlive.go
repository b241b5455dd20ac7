package lane

import (
	"context"
	"fmt"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A feed that Amazon may still apply is shown in the tenant's directory of
// feeds, so that a stop finds the lanes it must wake, and its owner what escaped.
const (
	feedsPK = "feeds"
	aFeed   = "feed"
)

func (d *driver) feedKey(w *work, f *feed) store.Key {
	return store.Key{PK: feedsPK, SK: fmt.Sprintf("%s#%s#%05d", d.lease.conn, w.j.Batch, f.N)}
}

func (d *driver) showFeed(ctx context.Context, w *work, f *feed) error {
	_, err := d.e.DB.Update(ctx, d.lease.tenant, store.Offers, d.feedKey(w, f), store.Update{
		Set: map[string]any{aFeed: mustJSON(f.view(w.j.Batch, d.lease.conn)), aFence: d.lease.fence},
		If:  []store.Cond{store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},
	})
	return lostOr(err, "show feed")
}

func (d *driver) hideFeed(ctx context.Context, w *work, f *feed) error {
	err := d.e.DB.Delete(ctx, d.lease.tenant, store.Offers, d.feedKey(w, f), store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence)))
	return lostOr(err, "hide feed")
}

// LiveFeeds lists the tenant's feeds that Amazon may still apply.
func (s Stops) LiveFeeds(ctx context.Context, t tenant.ID) ([]FeedView, error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: feedsPK})
	if err != nil {
		return nil, fmt.Errorf("lane: list feeds: %w", err)
	}
	var out []FeedView
	for _, it := range page.Items {
		var v FeedView
		if err := unmarshal(it.Bytes(aFeed), &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// wakeFeeds rings the lanes in the scope of a new stop that have a feed at
// Amazon, so that they have it cancelled. The stop stands whether or not that
// works: a lane with a feed looks at the stops by itself every few minutes.
func (s Stops) wakeFeeds(ctx context.Context, t tenant.ID, stop Stop) {
	if s.Bell.Queue == nil {
		return
	}
	if stop.Scope == ScopeGlobal {
		_ = Registered(ctx, s.DB, func(owner tenant.ID, c price.ConnectionID) error {
			return s.Bell.Ring(ctx, Doorbell{Kind: KindLane, Tenant: owner, Connection: c}, 0)
		})
		return
	}
	live, err := s.LiveFeeds(ctx, t)
	if err != nil {
		return
	}
	rung := map[price.ConnectionID]bool{}
	for _, f := range live {
		if !rung[f.Connection] && (standing{stop}).blocks(f.Connection, f.Marketplace, f.Batch) {
			rung[f.Connection] = true
			_ = s.Bell.Ring(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: f.Connection}, 0)
		}
	}
}

// routed is what a batch that is done keeps about its way to Amazon.
type routed struct {
	Route Route  `json:"route,omitzero"`
	Feeds []feed `json:"feeds,omitempty"`
}

func routeAttr(c price.ConnectionID) string { return "r_" + string(c) }

func (b *Batch) went(c price.ConnectionID, r routed) {
	if r.Route.Kind != "" {
		b.Routes[c] = r.Route
	}
	for i := range r.Feeds {
		b.Feeds = append(b.Feeds, r.Feeds[i].view(b.ID, c))
	}
}
