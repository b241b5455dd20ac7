package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	outboxPK = "outbox"

	aOutEvent = "event" // JSON of the event
	aOutReads = "reads" // how many reads, of an item that counts them
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

// Read notes that somebody was given data of Amazon's. Reads are gathered: one
// event when an actor first reads by a route in an hour of the clock, and one with
// their number when that hour is forgotten, up to two days later. So what is
// recorded is who read what kind of data, when to the hour, and how often; not
// which offers.
func (o Outbox) Read(ctx context.Context, t tenant.ID, actor, route string) error {
	hour := o.Clock.Now().UTC().Truncate(readsSpan)
	e := Event{Type: DataRead, At: hour, Actor: actor, Target: route}
	item, err := o.item("read#"+hour.Format("2006-01-02T15")+"#"+actor+"#"+route, e, 2*readsSpan)
	if err != nil {
		return err
	}
	// Not conditional: every read counts, the item says the same whoever makes it.
	if _, err := o.DB.Update(ctx, t, o.Table, item.Key, store.Update{Set: item.Attrs, Add: map[string]int64{aOutReads: 1}}); err != nil {
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
	switch {
	case r.Old == nil && r.New != nil:
		return []Event{outboxEvent(*r.New)}
	case r.New == nil && r.Old != nil && strings.HasPrefix(r.Key.SK, "read#"):
		e := outboxEvent(*r.Old)
		e.Type = DataReadCount
		e.After = json.RawMessage(fmt.Sprintf(`{"reads":%d}`, r.Old.Int(aOutReads)))
		return []Event{e}
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
