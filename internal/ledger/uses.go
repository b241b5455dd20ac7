package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Use is that somebody used the interface of a tenant: was given data of Amazon's, or
// asked for a change.
type Use struct {
	Actor, Route string // e.g. "key:...", "GET /offers"
	Reads        bool   // data of Amazon's, else a change
	From         Origin
}

// Refusal is that a request was refused which names somebody of a tenant.
type Refusal struct {
	Actor  string // "" when nothing proves who it was
	Target string // whom the request named, e.g. "key:..."
	Route  string
	Why    string // a word of ours
	From   Origin
}

// Origin is where a request came from.
type Origin struct {
	Address personal.Sensitive[string]
	// Names are keyed hashes of it, the newest first, by which two requests can be
	// told to be from one address without knowing it.
	Names []string
}

const usePrefix, readPrefix, refusedPrefix = "use#", "read#", "refused#"

// Used notes a use. Uses are gathered: one event when an actor first uses a route from
// an address in an hour of the clock, with the address, and one with their number when
// that hour is forgotten, up to two days later. So what is recorded is who used what,
// from where, when to the hour, and how often; not which offers.
func (o Outbox) Used(ctx context.Context, t tenant.ID, u Use) error {
	prefix, e := usePrefix, Event{Type: RequestMade, Actor: u.Actor, Target: u.Route}
	if u.Reads {
		prefix, e.Type = readPrefix, DataRead
	}
	return o.gather(ctx, t, prefix, u.Actor+"#"+u.Route, e, u.From)
}

// Refused notes a refused request. Refusals are gathered like uses; events tell of the
// first, the tenth, the hundredth and so on of the same in an hour, each of how many
// more there were.
func (o Outbox) Refused(ctx context.Context, t tenant.ID, r Refusal) error {
	e := Event{Type: RequestRefused, Actor: r.Actor, Target: r.Target}
	return o.gather(ctx, t, refusedPrefix, r.Target+"#"+r.Why+"#"+r.Route, e, r.From, "why", r.Why, "route", r.Route)
}

// gather counts one more of the same in this hour. said are names and values that
// events say.
func (o Outbox) gather(ctx context.Context, t tenant.ID, prefix, what string, e Event, from Origin, said ...string) error {
	e.At = o.Clock.Now().UTC().Truncate(readsSpan)
	name := ""
	after := map[string]any{}
	for i := 0; i+1 < len(said); i += 2 {
		after[said[i]] = said[i+1]
	}
	if len(from.Names) > 0 {
		name, after["from"] = from.Names[0], from.Names
	}
	if len(after) > 0 {
		var err error
		if e.After, err = json.Marshal(after); err != nil {
			return fmt.Errorf("ledger: outbox: %w", err)
		}
	}
	sk := prefix + e.At.Format("2006-01-02T15") + "#" + what + "#" + name
	item, err := o.item(sk, e, 2*readsSpan)
	if err != nil {
		return err
	}
	if o.Sealer != nil && !from.Address.Empty() {
		f := personal.EventAddress
		if item.Attrs[f.Attr], err = personal.Seal(ctx, o.Sealer, t, f, item.Key, from.Address); err != nil {
			return fmt.Errorf("ledger: outbox of %s: %w", t, err)
		}
	}
	// Not conditional: every one counts, and the item says the same whoever makes it.
	if _, err := o.DB.Update(ctx, t, o.Table, item.Key, store.Update{Set: item.Attrs, Add: map[string]int64{aOutReads: 1}}); err != nil {
		return fmt.Errorf("ledger: outbox of %s: %w", t, err)
	}
	return nil
}

// gathered are the events that a change of an item that gathers means.
func gathered(r store.Record) []Event {
	switch {
	case r.Old == nil:
		e := outboxEvent(*r.New)
		if e.Type == RequestRefused {
			e.After = times(e.After, 1)
		}
		return []Event{e}
	case r.New == nil:
		e, n := outboxEvent(*r.Old), r.Old.Int(aOutReads)
		switch e.Type {
		case DataRead:
			e.Type, e.After = DataReadCount, json.RawMessage(fmt.Sprintf(`{"reads":%d}`, n))
		case RequestMade:
			e.Type, e.After = RequestCount, times(nil, n)
		default:
			if n -= told(n); n == 0 {
				return nil
			}
			e.After = times(e.After, n)
		}
		return []Event{e}
	}
	was, is := told(r.Old.Int(aOutReads)), told(r.New.Int(aOutReads))
	if e := outboxEvent(*r.New); e.Type == RequestRefused && is > was {
		e.After = times(e.After, is-was)
		return []Event{e}
	}
	return nil
}

// told is of how many out of n events have told: the power of ten up to n.
func told(n int64) int64 {
	power := int64(1)
	for n >= 10*power {
		power *= 10
	}
	return power
}

// times adds to what an event says how many it stands for.
func times(after json.RawMessage, n int64) json.RawMessage {
	doc := map[string]any{}
	if len(after) > 0 && json.Unmarshal(after, &doc) != nil {
		panic("ledger: an outbox item says no JSON object") // the pump reports the record
	}
	doc["times"] = n
	b, err := json.Marshal(doc)
	if err != nil {
		panic("ledger: " + err.Error()) // it was JSON before
	}
	return b
}

// locate gives the events of an outbox item the address that it has sealed.
func (p *Pump) locate(ctx context.Context, r store.Record, events []Event) error {
	it := r.New
	if it == nil {
		it = r.Old
	}
	f := personal.EventAddress
	if r.Key.PK != f.PK || len(events) == 0 || it.Bytes(f.Attr) == nil {
		return nil
	}
	address, err := personal.Open[string](ctx, p.Log.sealer, r.Tenant, f, r.Key, it.Bytes(f.Attr))
	if err != nil {
		return err
	}
	for i := range events {
		events[i].Address = address.Reveal() // into the ledger, where all of an event is sealed
	}
	return nil
}
