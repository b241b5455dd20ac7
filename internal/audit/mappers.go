package audit

import (
	"pricemanager/internal/connect"
	"pricemanager/internal/download"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/store"
	"pricemanager/internal/watch"
)

// Mappers says, for each streamed table, which ledger events its changes mean.
func Mappers() map[store.Table]ledger.Mapper {
	return map[store.Table]ledger.Mapper{
		store.Offers:      all(plan.Events, lane.Events, guard.Events, fx.Events, download.Events, pull.Events, watch.Events, ledger.OutboxEvents),
		store.Identity:    all(identity.Events, ledger.OutboxEvents),
		store.Connections: all(connect.Events, ledger.OutboxEvents),
		store.Privacy:     privacy.Events,
	}
}

// all is the mapper of a table that several rooms keep items in.
func all(rooms ...ledger.Mapper) ledger.Mapper {
	return func(r store.Record) []ledger.Event {
		var out []ledger.Event
		for _, m := range rooms {
			out = append(out, m(r)...)
		}
		return out
	}
}
