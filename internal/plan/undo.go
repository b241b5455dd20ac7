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
func (r *run) undoing(ctx context.Context, in *Input, t task) source {
	in.Restore, in.Connections = []Restore{}, map[price.MarketplaceID]price.ConnectionID{}
	return &undoing{connections: in.Connections, agreed: t.Agreed, page: func(after string) ([]Restore, string, error) {
		return r.Undo(ctx, r.tenant, t.Undo, after)
	}}
}

// undoing is restores read page by page. Each row brings along which connection
// serves its marketplace.
type undoing struct {
	restores    // none: for what all rollbacks have in common
	page        func(after string) ([]Restore, string, error)
	connections map[price.MarketplaceID]price.ConnectionID
	agreed      bool // see Taken
	// last are the last rows that were read, the first of them row from. Rows are judged
	// at the latest when lookupChunk more were read.
	last []compared
	from int64
	err  error
}

// compared is what a row was compared with.
type compared struct {
	version  int64
	replaced *price.Replaced
}

var (
	_ source    = (*undoing)(nil)
	_ restoring = (*undoing)(nil)
)

// Rows is source.Rows; it can be read again from the beginning.
func (u *undoing) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		u.last, u.from, u.err = nil, 0, nil
		for after := ""; ; {
			page, next, err := u.page(after)
			if err != nil {
				u.err = fmt.Errorf("plan: what takes a batch back: %w", err)
				return
			}
			for _, r := range page {
				if old := int64(len(u.last)) - lookupChunk; old >= lookupChunk {
					u.last, u.from = append(u.last[:0], u.last[old:]...), u.from+old
				}
				if r.Replaced != nil && u.agreed {
					r.Replaced.Agreed = true
				}
				u.last = append(u.last, compared{r.Version, r.Replaced})
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

// row is what the n-th row was compared with; false for one that was let go.
func (u *undoing) row(n int64) (compared, bool) {
	if i := n - u.from; i >= 0 && i < int64(len(u.last)) {
		return u.last[i], true
	}
	return compared{}, false
}

func (u *undoing) moved(n int64, version int64) bool {
	c, ok := u.row(n)
	return !ok || c.version != version
}

func (u *undoing) replaced(n int64) *price.Replaced {
	c, _ := u.row(n)
	return c.replaced
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
