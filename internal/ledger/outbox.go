package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	outboxPK = "outbox"

	aOutEvent = "event" // JSON of the event
	aOutReads = "reads" // how many, of an item that gathers
	aOutTTL   = "ttl"

	outboxDays = 7 * 24 * time.Hour // longer than any stream remembers
	readsSpan  = time.Hour
)

// Outbox records what has no table change of its own, for callers that may not
// write the ledger: an item in a table that they may write and whose stream is
// read. Events is the mapper of such items. What is put here rests in the table
// as it is: a caller seals what is personal before.
type Outbox struct {
	DB    store.DB
	Table store.Table
	Clock clock.Clock
	// Sealer seals the addresses that requests came from. Without one they are left
	// out.
	Sealer personal.Sealer
}

// Record has the event appended once per key, however often it is called with it.
func (o Outbox) Record(ctx context.Context, t tenant.ID, key string, e Event) error {
	item, err := o.item("event#"+key, e, outboxDays)
	if err != nil {
		return err
	}
	err = o.DB.Put(ctx, t, o.Table, item, store.Absent())
	if errors.Is(err, store.ErrConflict) {
		return nil // recorded before
	}
	if err != nil {
		return fmt.Errorf("ledger: outbox of %s: %w", t, err)
	}
	return nil
}

func (o Outbox) item(sk string, e Event, keep time.Duration) (store.Item, error) {
	b, err := e.encode()
	if err != nil {
		return store.Item{}, err
	}
	return store.Item{Key: store.Key{PK: outboxPK, SK: sk}, Attrs: map[string]any{
		aOutEvent: b, aOutTTL: o.Clock.Now().Add(keep).Unix(),
	}}, nil
}

// OutboxEvents is the Mapper of outbox items, in whichever table.
func OutboxEvents(r store.Record) []Event {
	if r.Key.PK != outboxPK {
		return nil
	}
	for _, prefix := range []string{usePrefix, readPrefix, refusedPrefix} {
		if strings.HasPrefix(r.Key.SK, prefix) {
			return gathered(r)
		}
	}
	if r.Old == nil && r.New != nil {
		return []Event{outboxEvent(*r.New)}
	}
	return nil
}

func outboxEvent(it store.Item) (e Event) {
	if err := json.Unmarshal(it.Bytes(aOutEvent), &e); err != nil {
		panic(fmt.Sprintf("ledger: outbox item %s: %v", it.SK, err)) // the pump reports the record
	}
	e.Source = "" // the table it came by
	return e
}
