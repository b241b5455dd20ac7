package lane

import (
	"context"
	"fmt"
	"slices"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A newer change of an offer takes over from one that waits to be sent, which is
// never sent then. What that one wanted of other fields the newer one brings along:
// a file of minimum prices does not make the prices of the file before it vanish.
// It goes with the row as if the row had asked for it, and is judged, taken back and
// told as part of it; but not when the batch that it comes from is stopped.

// whole sets what a row writes: its own edit, as its offer's item has it once it is
// the current change, and with what it brings along as long as it is not.
func (d *driver) whole(r *row, rec record) {
	c, staged := rec.wants(r.w.j.Batch, r.N)
	switch {
	case c == nil:
	case !staged:
		r.Edit, r.brings = c.Edit, ""
	case rec.change.waits() && !d.stops.blocks(d.lease.conn, r.Marketplace, rec.change.Batch):
		r.Edit, r.brings = along(rec.change.Edit, c.Edit), rec.change.Batch
	default:
		r.Edit, r.brings = c.Edit, ""
	}
}

// waits reports whether a change may still have to be sent.
func (c *Change) waits() bool { return c != nil && (c.State == Desired || c.State == Unknown) }

// along is the later one of two edits with those fields of the earlier one that it
// does not touch. B2B price and tiers are one thing: without the price there are no
// tiers.
func along(earlier, later price.Edit) price.Edit {
	out := later
	out.Clear = slices.Clone(later.Clear)
	touched := later.Touched()
	for _, f := range earlier.Touched() {
		if slices.Contains(touched, f) || b2b(f) && slices.ContainsFunc(touched, b2b) {
			continue
		}
		if earlier.Set.Has(f) {
			out.Set.CopyField(f, earlier.Set)
		} else {
			out.Clear = append(out.Clear, f)
		}
	}
	return out
}

func b2b(f price.Field) bool { return f == price.FieldB2B || f == price.FieldTiers }

// stagedOver is what a staged change writes that becomes the current one because
// another is staged on top of it, and which batch's fields it brings along.
func (e *Engine) stagedOver(ctx context.Context, t tenant.ID, it store.Item) (edit price.Edit, brings string, err error) {
	rec, err := decodeOffer(it)
	if err != nil {
		return price.Edit{}, "", err
	}
	if !rec.change.waits() {
		return rec.staged.Edit, "", nil
	}
	stops, err := Stops{DB: e.DB}.read(ctx, t)
	if err != nil {
		return price.Edit{}, "", fmt.Errorf("lane: what may be brought along: %w", err)
	}
	if standing(stops).blocks(rec.Key.Connection, rec.Key.Marketplace, rec.change.Batch) {
		return rec.staged.Edit, "", nil
	}
	return along(rec.change.Edit, rec.staged.Edit), rec.change.Batch, nil
}
