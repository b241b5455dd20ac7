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
	it := store.Item{Key: store.Key{PK: noticesPK, SK: fmt.Sprintf("%015d.%s.%d", n.At.UnixMilli(), n.What, version)}, Attrs: map[string]any{
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
		list = append(list, Notice{What: it.Str(aWhat), Actor: it.Str(aActor), At: it.Time(aAt), Before: it.Str(aBefore), After: it.Str(aAfter),
			Was: it.Bytes(aWas), Is: it.Bytes(aIs)})
	}
	return list, page.Next, nil
}
