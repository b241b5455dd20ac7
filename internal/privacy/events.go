package privacy

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

var _ ledger.Mapper = Events

// Events are the ledger events that a change in the privacy table means. The
// digest of a finished archive is among the values, so that an archive can be
// tied to the ledger later.
func Events(r store.Record) []ledger.Event {
	if r.Table == store.Privacy && r.Key.PK == erasurePK && r.New != nil {
		return erasureEvents(r)
	}
	if r.Table != store.Privacy || r.Key.PK != exportPK || r.New == nil {
		return nil
	}
	e := exportOf(*r.New)
	before := State("")
	if r.Old != nil {
		before = State(r.Old.Str(attrState))
	}
	if e.State == before {
		return nil // a lease, an attempt or a repeated message
	}
	ev := ledger.Event{Actor: "privacy", Target: e.ID, Correlation: e.request, At: e.Finished}
	switch e.State {
	case Running:
		ev.Type, ev.Actor, ev.At = ledger.ExportRequested, e.By, e.At
	case Done:
		ev.Type = ledger.ExportCompleted
		ev.After = document(map[string]any{"files": e.Files, "bytes": e.Bytes, "sha256": e.SHA256})
	case Failed:
		ev.Type = ledger.ExportFailed
		ev.After = document(map[string]any{"attempts": e.attempt - 1})
	}
	// Another state leaves the event without a type, and the ledger refuses it:
	// a state that nobody thought of must not pass silently.
	return []ledger.Event{ev}
}

// erasureEvents are those that get into a ledger before it is closed.
func erasureEvents(r store.Record) []ledger.Event {
	e := erasureOf(r.Tenant, *r.New)
	if r.Old != nil && State(r.Old.Str(attrState)) == e.State {
		return nil
	}
	ev := ledger.Event{Actor: "privacy", Target: e.ID, Correlation: e.request}
	switch e.State {
	case Cooling:
		ev.Type, ev.Actor, ev.At = ledger.ErasureRequested, e.by, e.At
		ev.After = document(map[string]any{"startsAt": e.Starts})
	case Cancelled:
		ev.Type, ev.Actor, ev.At = ledger.ErasureCancelled, e.by, e.Finished
	case Closing:
		ev.Type, ev.At = ledger.ErasureStarted, e.Started
	default:
		return nil
	}
	return []ledger.Event{ev}
}

// document encodes numbers and text, which cannot fail.
func document(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}
