package pull

import (
	"context"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/fault"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
)

// mostTakes is how often a run reads the rates anew because somebody changed them
// in between.
const mostTakes = 3

// take makes the table that came the tenant's rates.
//
// Crash points: none. Rates, notice, what became of the source and its next
// reminder are one transaction, so that a run which died before it left nothing,
// and the source of one that died after it is not due.
func (r *run) take(ctx context.Context, file pricefile.Temp, got fetch.Result) (Outcome, error) {
	body, err := io.ReadAll(io.NewSectionReader(file, 0, got.Size))
	if err != nil {
		return "", fmt.Errorf("pull: read rates: %w", err)
	}
	from := fx.Fetched{Body: body, Host: r.host(), Base: r.Base, Modified: got.LastModified}
	for range mostTakes {
		old, err := r.Rates.Rates(ctx, r.tenant)
		if err != nil {
			return "", fmt.Errorf("pull: %w", err)
		}
		taken, err := r.Rates.Take(ctx, r.tenant, "pull:"+r.ID, from, old, r.ending(r.found(got), r.next())...)
		var f *fault.Fault
		switch {
		case err == nil && taken:
			return Taken, nil
		case err == nil:
			return r.unchanged(ctx, got)
		case fault.KindOf(err) == fault.Conflict: // the rates, or the source
		case errors.As(err, &f):
			return r.fail(ctx, f)
		default:
			return "", fmt.Errorf("pull: take rates: %w", err)
		}
	}
	// Most likely the source is no longer ours. If it was the rates, it is rung for
	// again when the lease is over.
	return "", store.ErrConflict
}
