package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Undo is what would take back one row of a batch, or why it stays.
type Undo struct {
	Line       int
	Connection price.ConnectionID
	Row        Row
	Edit       price.Edit // restores the fields that the row wrote
	Version    int64      // of the offer that was compared
	Skip       string     // why the row is not taken back; "" when it is
	// Returns: a later batch took over, and will bring the row's price back when it is
	// taken back itself.
	Returns bool
	// Replaced is the price before the row, when the offer's last change is a later
	// one; nil when it is the row's own, which tells it.
	Replaced *price.Replaced
}

// Undo lists what would take a batch back: the prices before it, but only where
// the price at Amazon is still the one that this batch wrote. A missing batch,
// and another tenant's, is store.ErrNotFound.
func (s *Batches) Undo(ctx context.Context, t tenant.ID, id string) ([]Undo, error) {
	var out []Undo
	for after := ""; ; {
		page, next, err := s.UndoPage(ctx, t, id, after)
		if err != nil {
			return nil, err
		}
		if out = append(out, page...); next == "" {
			return out, nil
		}
		after = next
	}
}

// UndoPage is a part of Undo, at most ReportPage rows in the same order every time.
// after is the cursor of the page before ("" at the beginning), next is "" at the
// end.
func (s *Batches) UndoPage(ctx context.Context, t tenant.ID, id, after string) (page []Undo, next string, err error) {
	rows, next, err := s.Report(ctx, t, id, after, ReportPage, "")
	if err != nil {
		return nil, "", err
	}
	keys := make([]price.OfferKey, len(rows))
	for i, r := range rows {
		keys[i] = price.OfferKey{Connection: r.Connection, Marketplace: r.Marketplace, SKU: r.SKU}
	}
	recs, err := NewOffers(s.db).records(ctx, t, keys)
	if err != nil {
		return nil, "", err
	}
	page = make([]Undo, len(rows))
	others := map[string]Batch{}
	b, err := s.other(ctx, t, id, others)
	if err != nil {
		return nil, "", err
	}
	for i, r := range rows {
		rec := recs[keys[i]]
		page[i] = Undo{Line: r.Line, Connection: r.Connection, Row: r.Row, Version: rec.Version}
		if c, _ := rec.wants(id, r.N); c != nil || rec.change == nil {
			page[i].Edit, page[i].Skip = undoOf(rec, id, r.Row)
			continue
		}
		later, err := s.other(ctx, t, rec.change.Batch, others)
		if err != nil {
			return nil, "", err
		}
		page[i].under(id, rec, later)
		if own := r.Edit.Set.Our; page[i].Skip == "" && own != nil && r.Old.Our != nil {
			// No earlier than this did it take the place of the price before it.
			page[i].Replaced = &price.Replaced{Price: *r.Old.Our, Until: b.Created, Batch: id}
		}
	}
	return page, next, nil
}

// other returns the batch of another change, empty when it is not kept any more.
func (s *Batches) other(ctx context.Context, t tenant.ID, id string, seen map[string]Batch) (Batch, error) {
	b, ok := seen[id]
	if ok {
		return b, nil
	}
	it, err := s.db.Get(ctx, t, store.Offers, batchKey(id))
	if err == nil {
		b, err = decodeBatch(it)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Batch{}, fmt.Errorf("lane: read batch %s: %w", id, err)
	}
	seen[id] = b
	return b, nil
}

// Why a row is not taken back.
const (
	stayTaken   = "A newer change of this offer has taken over, or this row was never sent."
	stayWaiting = "A newer change of this offer is waiting to be sent."
	stayMoved   = "The price at Amazon is no longer the one that this batch wrote."
)

func undoOf(rec record, batch string, r Row) (price.Edit, string) {
	c, staged := rec.wants(batch, r.N)
	switch {
	case c == nil:
		return price.Edit{}, stayTaken
	case staged || c.State == Desired || c.State == Sent:
		return price.Edit{}, "The row was not sent yet. Stop the batch to keep it from being sent."
	case c.State != Observed:
		return price.Edit{}, "The row's price was not observed at Amazon: it is " + string(c.State) + "."
	case rec.staged != nil:
		return price.Edit{}, stayWaiting
	}
	// What it brought along of other fields is another batch's to take back.
	if met, _ := r.Edit.Met(rec.Known); !met {
		return price.Edit{}, stayMoved
	}
	return r.Edit.Inverse(c.Old), ""
}

// under takes back a row after which the offer was changed by a later batch, if what
// the row wrote stands nevertheless.
func (u *Undo) under(batch string, rec record, later Batch) {
	c, r := rec.change, u.Row
	shares := slices.ContainsFunc(r.Edit.Touched(), func(f price.Field) bool { return slices.Contains(c.Edit.Touched(), f) })
	stands := false
	switch c.State {
	case Rejected, Held:
		stands = true // the later one changed nothing at Amazon
	case Observed:
		// It is about other prices; it took back what had come over this row; or it
		// brought this row along.
		stands = !shares || later.Priority == PriorityReversal || c.Brings == batch
	case Unconfirmed:
		stands = !shares
	case Desired, Sent, Accepted, Unknown, Superseded:
	}
	now, _ := r.Edit.Met(rec.Known)
	before, _ := r.Edit.Met(c.Old)
	switch {
	case stands && now && rec.staged != nil:
		u.Skip = stayWaiting
	case stands && now:
		u.Edit = r.Edit.Inverse(r.Old)
	case shares && before && later.Revert != nil && !later.Revert.State.over():
		u.Returns = true
		u.Skip = fmt.Sprintf("Batch %s has taken over, and brings this batch's price back when it is taken back itself, at %s.",
			later.ID, later.Revert.At.UTC().Format(time.RFC3339))
	default:
		u.Skip = stayTaken
	}
}
