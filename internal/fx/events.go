package fx

import (
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change of an item means: the links, or the
// rates, were changed, from what to what and by whom.
func Events(r store.Record) []ledger.Event {
	types := map[store.Key]ledger.Type{linksKey: ledger.LinksChanged, ratesKey: ledger.RatesChanged}
	typ, ok := types[r.Key]
	if r.Table != store.Offers || !ok || r.New == nil {
		return nil
	}
	e := ledger.Event{Type: typ, At: r.New.Time(aAt), Actor: r.New.Str(aActor), Target: "fx:" + r.Key.SK, After: r.New.Bytes(aBody), Source: string(store.Offers)}
	if r.Old != nil {
		e.Before = r.Old.Bytes(aBody)
	}
	return []ledger.Event{e}
}
