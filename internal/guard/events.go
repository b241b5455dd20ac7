package guard

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change of an item means: the guards, or the
// costs, were changed, from what to what and by whom.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Offers || r.Key.PK != guardsPK || r.New == nil {
		return nil
	}
	e := ledger.Event{Type: ledger.GuardsChanged, At: r.New.Time(aAt), Actor: r.New.Str(aActor), Target: "guards:" + r.Key.SK, Source: string(store.Offers)}
	show := costsOf
	if r.Key == settingsKey {
		show = func(it store.Item) json.RawMessage { return it.Bytes(aSettings) }
		e.Before = Default().encode()
	}
	if e.After = show(*r.New); r.Old != nil {
		e.Before = show(*r.Old)
	}
	return []ledger.Event{e}
}

// costsOf is what the ledger keeps of a costs file: enough to prove which it was.
func costsOf(it store.Item) json.RawMessage {
	b, err := json.Marshal(map[string]any{"hash": it.Str(aHash), "costs": it.Int(aRows)})
	if err != nil {
		return nil
	}
	return b
}
