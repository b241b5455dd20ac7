package apply

import (
	"context"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Rollback is what the plan of the way back from a batch is made of: the prices
// before it, only where the price at Amazon is still the one that it wrote. Who
// asks and when, and the guards, are the caller's to add.
func Rollback(batch string, undo []lane.Undo) plan.Input {
	in := plan.Input{File: "rollback of " + batch, Policy: plan.SkipBadRows, Connections: map[price.MarketplaceID]price.ConnectionID{},
		Restore: restores(undo)}
	for _, r := range in.Restore {
		in.Connections[r.Marketplace] = r.Connection
	}
	return in
}

func restores(undo []lane.Undo) []plan.Restore {
	out := make([]plan.Restore, len(undo))
	for i, u := range undo {
		out[i] = plan.Restore{Line: u.Line, Connection: u.Connection, Marketplace: u.Row.Marketplace, SKU: u.Row.SKU,
			Edit: u.Edit, Version: u.Version, Skip: u.Skip, Returns: u.Returns, Replaced: u.Replaced}
	}
	return out
}

// Undoing lists what takes a batch back to whoever makes the plan of it.
func Undoing(batches *lane.Batches) plan.Undoing {
	return func(ctx context.Context, t tenant.ID, batch, after string) ([]plan.Restore, string, error) {
		page, next, err := batches.UndoPage(ctx, t, batch, after)
		return restores(page), next, err
	}
}
