package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// What a notice is about.
const (
	ChangedSettings = "settings"
	ChangedCosts    = "costs"
	ChangedLinks    = "links" // see fx, as for the next
	ChangedRates    = "rates"
	ChangedSource   = "source" // where rates are fetched from: see pull
)

// Notice tells the members of a tenant that somebody changed what protects their
// prices, or what computes them.
type Notice struct {
	What  string
	Actor string
	At    time.Time
	// Before and After are hashes, "" for no costs or rates.
	Before, After string
	// Of settings also what they were and are, as JSON.
	Was, Is json.RawMessage
}

const (
	noticesPK                         = "guard-notices"
	aWhat, aBefore, aAfter, aWas, aIs = "what", "before", "after", "was", "is"
	// noticesKept is how long notices are shown; the ledger has each change for good.
	noticesKept = 400 * 24 * time.Hour
)

// Write is the write of the notice that something has now this version. It goes
// with the write of what changed. Notices are kept in the order of time, one for
// each version.
func (n Notice) Write(t tenant.ID, version int64) store.Write {
	it := store.Item{Key: store.Key{PK: noticesPK, SK: fmt.Sprintf("%s.%s.%d", noticeAt(n.At), n.What, version)}, Attrs: map[string]any{
		aWhat: n.What, aActor: n.Actor, aAt: store.Millis(n.At), aBefore: n.Before, aAfter: n.After, "ttl": n.At.Add(noticesKept).Unix(),
	}}
	if n.Is != nil {
		it.Attrs[aWas], it.Attrs[aIs] = []byte(n.Was), []byte(n.Is)
	}
	return store.Write{Tenant: t, Table: store.Offers, Put: &it}
}

// Notices returns the tenant's notices, the newest first, at most limit. after
// continues a list where next said; next is "" at the end.
func (s *Store) Notices(ctx context.Context, t tenant.ID, after string, limit int) (list []Notice, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: noticesPK, After: after, Limit: limit, Reverse: true})
	if err != nil {
		return nil, "", fmt.Errorf("guard: read notices: %w", err)
	}
	for _, it := range page.Items {
		n := noticeOf(it)
		n.Was, n.Is = it.Bytes(aWas), it.Bytes(aIs)
		list = append(list, n)
	}
	return list, page.Next, nil
}

// Between returns the tenant's notices from one time on until before another, the oldest
// first, without what the settings were and are.
func (s *Store) Between(ctx context.Context, t tenant.ID, from, until time.Time) (list []Notice, err error) {
	end := noticeAt(until)
	for q := (store.Query{PK: noticesPK, After: noticeAt(from)}); ; {
		page, err := s.DB.Query(ctx, t, store.Offers, q)
		if err != nil {
			return nil, fmt.Errorf("guard: read notices: %w", err)
		}
		for _, it := range page.Items {
			if it.SK >= end {
				return list, nil
			}
			list = append(list, noticeOf(it))
		}
		if q.After = page.Next; q.After == "" {
			return list, nil
		}
	}
}

// noticeAt is how the SKs of a moment's notices begin: it is before all of them, and
// after those of the moments before.
func noticeAt(at time.Time) string { return fmt.Sprintf("%015d", max(at.UnixMilli(), 0)) }

func noticeOf(it store.Item) Notice {
	return Notice{What: it.Str(aWhat), Actor: it.Str(aActor), At: it.Time(aAt), Before: it.Str(aBefore), After: it.Str(aAfter)}
}
