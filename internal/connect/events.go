package connect

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change in the connections table means.
// How far an import is, is no event; states and claims of the directory are
// nobody's history.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Connections || r.Tenant == store.Directory || r.Key.PK != connectionsPK {
		return nil
	}
	event := func(t ledger.Type, actor string, before, after *store.Item) ledger.Event {
		return ledger.Event{
			Type: t, At: r.At, Actor: actor, Target: "connection:" + r.Key.SK,
			Before: document(before), After: document(after), Source: string(store.Connections),
		}
	}
	if r.New == nil {
		return []ledger.Event{event(ledger.ConnectionClosed, "", r.Old, nil)}
	}
	actor := r.New.Str(aActor)
	if r.Old == nil {
		return []ledger.Event{event(ledger.ConnectionStarted, actor, nil, r.New)}
	}
	var out []ledger.Event
	switch {
	case r.New.Str(aState) == string(Disconnected) && r.Old.Str(aState) != string(Disconnected):
		out = append(out, event(ledger.ConnectionClosed, actor, r.Old, r.New))
	case r.New.Int(aGrant) != r.Old.Int(aGrant):
		out = append(out, event(ledger.ConnectionAuthorised, actor, r.Old, r.New))
	case r.New.Str(aState) == string(Reauthorise) && r.Old.Str(aState) != string(Reauthorise):
		out = append(out, event(ledger.ConnectionReauthorise, actor, r.Old, r.New))
	}
	if r.New.Str(aImport) != r.Old.Str(aImport) {
		types := map[ImportState]ledger.Type{
			ImportRunning: ledger.ImportStarted, ImportDone: ledger.ImportCompleted, ImportFailed: ledger.ImportFailed,
		}
		if t := types[ImportState(r.New.Str(aImport))]; t != "" {
			e := event(t, actor, nil, nil)
			if t == ledger.ImportCompleted {
				e.After = encode(map[string]any{"known": r.New.Int(aKnown)})
			}
			out = append(out, e)
		}
	}
	return out
}

// document is what the ledger keeps of a connection.
func document(it *store.Item) json.RawMessage {
	if it == nil {
		return nil
	}
	m := map[string]any{"region": it.Str(aRegion), "state": it.Str(aState)}
	if v := it.Str(aSeller); v != "" {
		m["seller"] = v
	}
	if b := it.Bytes(aMarkets); json.Valid(b) {
		m["marketplaces"] = json.RawMessage(b)
	}
	if t := it.Time(aAuthorised); !t.IsZero() {
		m["authorisedAt"] = t
	}
	if v := it.Str(aReason); v != "" {
		m["reason"] = v
	}
	return encode(m)
}

func encode(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		panic("connect: " + err.Error()) // maps of strings, numbers, times and checked JSON
	}
	return b
}
