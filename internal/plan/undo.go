package plan

import (
	"context"
	"fmt"
	"iter"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/tenant"
)

// Undoing lists what takes a batch back, page by page and in the same order every
// time. after is the cursor of the page before, "" at the beginning; next is "" at
// the end. A page may be empty.
type Undoing func(ctx context.Context, t tenant.ID, batch, after string) (page []Restore, next string, err error)

// Taken is a batch that is taken back.
type Taken struct {
	Batch string
	Rows  int64 // how many it has
	// Agreed: it was agreed on when the batch was applied, or since, that it would be
	// taken back. See price.Replaced.
	Agreed bool
}

// BeginUndo stores a plan that is still to be made, in place of in.Restore, of what
// takes a batch back. Maker.Run makes it, however many rows there are.
//
// Crash points: those of Begin.
func (s *Store) BeginUndo(ctx context.Context, in Input, back Taken) (Stored, error) {
	t := newTask(in, "")
	t.Undo, t.Rows, t.Agreed = back.Batch, back.Rows, back.Agreed
	return s.begin(ctx, in, t)
}

// undoing makes the input that of a rollback, and returns its rows.
func (r *run) undoing(ctx context.Context, in *Input, batch string) source {
	in.Restore, in.Connections = []Restore{}, map[price.MarketplaceID]price.ConnectionID{}
	return &undoing{connections: in.Connections, page: func(after string) ([]Restore, string, error) {
		return r.Undo(ctx, r.tenant, batch, after)
	}}
}

// undoing is restores read page by page. Each row brings along which connection
// serves its marketplace.
type undoing struct {
	restores    // none: for what all rollbacks have in common
	page        func(after string) ([]Restore, string, error)
	connections map[price.MarketplaceID]price.ConnectionID
	// versions are those of the last rows that were read, the first of them of row
	// from. Rows are judged at the latest when lookupChunk more were read.
	versions []int64
	from     int64
	err      error
}

var (
	_ source    = (*undoing)(nil)
	_ restoring = (*undoing)(nil)
)

// Rows is source.Rows; it can be read again from the beginning.
func (u *undoing) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		u.versions, u.from, u.err = nil, 0, nil
		for after := ""; ; {
			page, next, err := u.page(after)
			if err != nil {
				u.err = fmt.Errorf("plan: what takes a batch back: %w", err)
				return
			}
			for _, r := range page {
				if old := int64(len(u.versions)) - lookupChunk; old >= lookupChunk {
					u.versions, u.from = append(u.versions[:0], u.versions[old:]...), u.from+old
				}
				u.versions = append(u.versions, r.Version)
				u.connections[r.Marketplace] = r.Connection
				if !yield(r.row()) {
					return
				}
			}
			if next == "" {
				return
			}
			after = next
		}
	}
}

func (u *undoing) Err() error { return u.err }

func (u *undoing) moved(n int64, version int64) bool {
	i := n - u.from
	return i < 0 || i >= int64(len(u.versions)) || u.versions[i] != version
}

// lookup is where a task finds offers. What a batch that is taken back by agreement
// replaced does not age.
func (r *run) lookup(t task) Lookup {
	if !t.Agreed {
		return r.Offers
	}
	return agreed{finder(r.Offers), t.Undo}
}

// agreed is a Lookup for taking back a batch.
type agreed struct {
	Finder
	batch string
}

var (
	_ Lookup = agreed{}
	_ Finder = agreed{}
)

func (a agreed) Each(ctx context.Context, t tenant.ID, keys []price.OfferKey, found func(int, *price.Offer)) error {
	return a.Finder.Each(ctx, t, keys, func(i int, o *price.Offer) {
		if o.Replaced != nil && o.Replaced.Batch == a.batch {
			was := *o.Replaced // which may be shared
			was.Agreed = true
			o.Replaced = &was
		}
		found(i, o)
	})
}

func (a agreed) Offers(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	out := make(map[price.OfferKey]price.Offer, len(keys))
	err := a.Each(ctx, t, keys, func(i int, o *price.Offer) { out[keys[i]] = *o })
	return out, err
}
