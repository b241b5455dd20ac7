package lane

import (
	"context"

	"pricemanager/internal/price"
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
	for i, r := range rows {
		page[i] = Undo{Line: r.Line, Connection: r.Connection, Row: r.Row, Version: recs[keys[i]].Version}
		page[i].Edit, page[i].Skip = undoOf(recs[keys[i]], id, r.Row)
	}
	return page, next, nil
}

func undoOf(rec record, batch string, r Row) (price.Edit, string) {
	c, staged := rec.wants(batch, r.N)
	switch {
	case c == nil:
		return price.Edit{}, "A newer change of this offer has taken over, or this row was never sent."
	case staged || c.State == Desired || c.State == Sent:
		return price.Edit{}, "The row was not sent yet. Stop the batch to keep it from being sent."
	case c.State != Observed:
		return price.Edit{}, "The row's price was not observed at Amazon: it is " + string(c.State) + "."
	case rec.staged != nil:
		return price.Edit{}, "A newer change of this offer is waiting to be sent."
	}
	if met, _ := c.Edit.Met(rec.Known); !met {
		return price.Edit{}, "The price at Amazon is no longer the one that this batch wrote."
	}
	return c.Edit.Inverse(c.Old), ""
}
