package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// HealthState says whether Amazon gives access tokens for a connection.
type HealthState string

// The states of a connection's health.
const (
	HealthGood    HealthState = "good"
	HealthFailing HealthState = "failing"
)

// Health is how asking Amazon for access tokens goes. The zero Health is that of a
// connection that was never asked for.
type Health struct {
	State     HealthState
	Since     time.Time // of the state
	LastGood  time.Time // a token was given, to the day while they are given; zero: never
	LastFail  time.Time // the last time that a failure began; zero: never
	Reason    string    // of that failure, in Amazon's words
	grant     int64
	exclusive int64 // counts the writes, for the condition of the next
}

// healthPK is of items beside the connections, so that who reports here can write
// no connection, and the connection's own writes never wait for these.
const healthPK = "health" // SK: connection id

const (
	aHealth, aSince, aLastGood, aLastFail = "health", "since", "lastGood", "lastFail"
	aWrites                               = "writes"
)

func healthKey(c price.ConnectionID) store.Key { return store.Key{PK: healthPK, SK: string(c)} }

// goodEvery is how fine LastGood is: a connection that works is written once a day,
// not with every token.
const goodEvery = 24 * time.Hour

// Book keeps the health of connections for the broker.
type Book struct {
	DB    store.DB
	Clock clock.Clock
}

// note records what came of asking Amazon for a token, when that says something new:
// it began to fail, it works again, it fails for another reason, or a day went by.
// It is for people to see: what cannot be written is let go, and the next token says
// it again. What an older authorisation came to is not news of a newer one.
func (b *Book) note(ctx context.Context, a amazon.Account, asked error) {
	var refused *amazon.Error
	if asked != nil && (!errors.As(asked, &refused) || errors.Is(asked, errGone)) {
		return // not Amazon's doing
	}
	was, err := b.get(ctx, a.Tenant, a.Connection)
	if err != nil || was.grant > a.Grant {
		return
	}
	now := b.Clock.Now()
	h, same := was, was.grant == a.Grant
	h.grant = a.Grant
	if refused == nil {
		same = same && was.State == HealthGood && now.Sub(was.LastGood) < goodEvery
		h.State, h.LastGood = HealthGood, now
	} else {
		reason := reasonOf(refused)
		same = same && was.State == HealthFailing && was.Reason == reason
		h.State, h.LastFail, h.Reason = HealthFailing, now, reason
	}
	if same {
		return
	}
	if h.State != was.State {
		h.Since = now
	}
	cond := store.Eq(aWrites, was.exclusive)
	if was.exclusive == 0 {
		cond = store.Absent()
	}
	// A conflict: another instance has just said it.
	_ = b.DB.Put(ctx, a.Tenant, store.Connections, store.Item{Key: healthKey(a.Connection), Attrs: map[string]any{
		aHealth: string(h.State), aSince: store.Millis(h.Since), aLastGood: store.Millis(h.LastGood), aLastFail: store.Millis(h.LastFail),
		aReason: h.Reason, aGrant: h.grant, aWrites: was.exclusive + 1,
	}}, cond)
}

func (b *Book) get(ctx context.Context, t tenant.ID, c price.ConnectionID) (Health, error) {
	it, err := b.DB.Get(ctx, t, store.Connections, healthKey(c))
	if errors.Is(err, store.ErrNotFound) {
		return Health{}, nil
	}
	if err != nil {
		return Health{}, fmt.Errorf("connect: read health: %w", err)
	}
	return healthOf(it), nil
}

func healthOf(it store.Item) Health {
	return Health{State: HealthState(it.Str(aHealth)), Since: it.Time(aSince), LastGood: it.Time(aLastGood), LastFail: it.Time(aLastFail),
		Reason: it.Str(aReason), grant: it.Int(aGrant), exclusive: it.Int(aWrites)}
}

// Health returns how it goes with one connection, the zero Health when nothing is
// known.
func (s *Service) Health(ctx context.Context, t tenant.ID, c price.ConnectionID) (Health, error) {
	return (&Book{DB: s.DB}).get(ctx, t, c)
}

// Healths returns how it goes with the tenant's connections.
func (s *Service) Healths(ctx context.Context, t tenant.ID) (map[price.ConnectionID]Health, error) {
	out := map[price.ConnectionID]Health{}
	for after := ""; ; {
		page, err := s.DB.Query(ctx, t, store.Connections, store.Query{PK: healthPK, After: after})
		if err != nil {
			return nil, fmt.Errorf("connect: list health: %w", err)
		}
		for _, it := range page.Items {
			out[price.ConnectionID(it.SK)] = healthOf(it)
		}
		if after = page.Next; after == "" {
			return out, nil
		}
	}
}
