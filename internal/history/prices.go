package history

import (
	"context"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Known is what an offer's prices were known to be from a time on.
type Known struct {
	Prices price.Prices
	Entry  Entry // the event that said so
}

// Timeline are the known prices of an offer, oldest first, made of its events in
// the ledger's order. Only what was read from Amazon counts: a price that was
// sent or accepted and never seen is not among them.
func Timeline(events []Entry) []Known {
	var out []Known
	var now price.Prices
	for _, e := range events {
		switch e.Type { //nolint:exhaustive // the others show no price at Amazon
		case ledger.OfferImported, ledger.OfferDrifted:
			if e.After == nil {
				continue
			}
			now = *e.After
		case ledger.ChangeObserved:
			// It speaks of the fields that the change touched, and only of those.
			var before, after price.Prices
			if e.Before != nil {
				before = *e.Before
			}
			if e.After != nil {
				after = *e.After
			}
			for _, f := range price.Fields() {
				if before.Has(f) || after.Has(f) {
					now.CopyField(f, after)
				}
			}
		default:
			continue
		}
		out = append(out, Known{now, e})
	}
	return out
}

// PricesAt is what an offer's prices were known to be at a moment, by its events;
// false when they had not been read by then.
func PricesAt(events []Entry, at time.Time) (found Known, ok bool) {
	for _, known := range Timeline(events) {
		if !known.Entry.At.After(at) {
			found, ok = known, true
		}
	}
	return found, ok
}

// Since is the event that first showed a field as it was known to be at a moment, and
// the prices then; false when the field was not known, or had no value.
func Since(events []Entry, f price.Field, at time.Time) (found Known, ok bool) {
	var line []Known
	for _, known := range Timeline(events) {
		if !known.Entry.At.After(at) {
			line = append(line, known)
		}
	}
	for i := len(line) - 1; i >= 0 && line[i].Prices.Has(f) && (!ok || line[i].Prices.EqualField(f, found.Prices)); i-- {
		found, ok = line[i], true
	}
	return found, ok
}

// Cause is the event of the change of ours that brought what an event shows of a
// field; false when none of ours did. It is the event itself, or of a price that was
// read the change that Amazon had accepted and that was not seen: it was given up, or
// a later one about another field took over.
func Cause(events []Entry, shown Entry, f price.Field) (cause Entry, ok bool) {
	if shown.Batch != "" || shown.After == nil {
		return shown, shown.Batch != ""
	}
	for _, e := range events {
		state, is := e.State()
		if e.Leaf >= shown.Leaf || !is || e.After == nil || !e.After.Has(f) {
			continue
		}
		switch state {
		case lane.Accepted, lane.Unknown, lane.Unconfirmed:
			cause, ok = e, e.After.EqualField(f, *shown.After)
		case lane.Observed, lane.Rejected, lane.Held:
			ok = false
		case lane.Desired, lane.Sent, lane.Superseded:
		}
	}
	return cause, ok
}

// At is PricesAt of an offer.
func (h *History) At(ctx context.Context, t tenant.ID, k price.OfferKey, at time.Time) (Known, bool, error) {
	all, err := h.Of(ctx, t, []price.OfferKey{k}, time.Time{})
	if err != nil {
		return Known{}, false, err
	}
	known, ok := PricesAt(all[k], at)
	return known, ok, nil
}

// Low is the lowest price of an offer in a window.
type Low struct {
	Price *price.Money // nil: no price was known in the window
	Since time.Time    // when the price began to hold; before the window, or in it
	Leaf  int64        // the ledger's event that shows it
	// From is when the offer's known history begins. A window that begins earlier
	// is not covered.
	From time.Time
}

// LowestOf returns the lowest price that buyers were shown at Amazon in the window
// from a time up to another, sales in their time included, and what held when the
// window began. It is one pass over the history for any number of offers. Offers
// without a known price are not in the answer.
func (h *History) LowestOf(ctx context.Context, t tenant.ID, keys []price.OfferKey, from, to time.Time) (map[price.OfferKey]Low, error) {
	all, err := h.Of(ctx, t, keys, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(map[price.OfferKey]Low, len(all))
	for k, events := range all {
		if low, ok := lowest(Timeline(events), from, to); ok {
			out[k] = low
		}
	}
	return out, nil
}

func lowest(line []Known, from, to time.Time) (low Low, ok bool) {
	if len(line) == 0 {
		return Low{}, false
	}
	low.From = line[0].Entry.At
	for i, known := range line {
		// Seen from a until b, as far as that is within the window.
		a, b := known.Entry.At, to
		if i+1 < len(line) && line[i+1].Entry.At.Before(b) {
			b = line[i+1].Entry.At
		}
		if a.Before(from) {
			a = from
		}
		if !a.Before(b) {
			continue
		}
		take := func(m *price.Money, since time.Time) {
			if m != nil && (low.Price == nil || m.Currency() == low.Price.Currency() && m.Cmp(*low.Price) < 0) {
				low.Price, low.Since, low.Leaf = m, since, known.Entry.Leaf
			}
		}
		take(known.Prices.Our, known.Entry.At)
		if s := known.Prices.Sale; s != nil && s.Start.Before(b) && a.Before(s.End) {
			since := known.Entry.At
			if s.Start.After(since) {
				since = s.Start
			}
			take(&s.Price, since)
		}
	}
	return low, true
}

// Lowest is guard.History.
func (h *History) Lowest(ctx context.Context, t tenant.ID, k price.OfferKey, from, to time.Time) (price.Lowest, error) {
	past, err := h.Recall(ctx, t, []price.OfferKey{k})
	if err != nil {
		return price.Lowest{}, err
	}
	return past.Lowest(ctx, t, k, from, to)
}

// recalled are the known prices of some offers as they were when they were read.
type recalled struct {
	tenant tenant.ID
	lines  map[price.OfferKey][]Known
}

// Recall is guard.Past: one pass over the history for any number of offers.
func (h *History) Recall(ctx context.Context, t tenant.ID, keys []price.OfferKey) (guard.History, error) {
	all, err := h.Of(ctx, t, keys, time.Time{})
	if err != nil {
		return nil, err
	}
	r := recalled{t, make(map[price.OfferKey][]Known, len(all))}
	for k, events := range all {
		r.lines[k] = Timeline(events)
	}
	return r, nil
}

// Lowest is guard.History. An offer that was not recalled has no history.
func (r recalled) Lowest(_ context.Context, t tenant.ID, k price.OfferKey, from, to time.Time) (price.Lowest, error) {
	if t != r.tenant {
		return price.Lowest{}, nil
	}
	low, ok := lowest(r.lines[k], from, to)
	if !ok || low.Price == nil {
		return price.Lowest{}, nil
	}
	return price.Lowest{Price: *low.Price, Whole: !low.From.After(from)}, nil
}

// clocksApart is by how much the stream's clock, which tells whole seconds, may be
// behind the one that dates batches.
const clocksApart = 5 * time.Minute

// Outcomes is lane.Past: of rows of one batch the last event about each.
func (h *History) Outcomes(ctx context.Context, t tenant.ID, batch string, created time.Time, keys []price.OfferKey) (map[price.OfferKey]map[int64]lane.Outcome, error) {
	all, err := h.Of(ctx, t, keys, created.Add(-clocksApart))
	if err != nil {
		return nil, err
	}
	out := map[price.OfferKey]map[int64]lane.Outcome{}
	for k, events := range all {
		for _, e := range events {
			state, ok := e.State()
			if e.Batch != batch || !ok || state == lane.Sent {
				continue // an intent is another item's event, and may come late
			}
			if out[k] == nil {
				out[k] = map[int64]lane.Outcome{}
			}
			o := lane.Outcome{State: state, At: e.At, Submission: e.Submission, Issue: e.Issue}
			if before := out[k][e.Row]; o.Submission == "" {
				o.Submission = before.Submission
			}
			if state == lane.Superseded && e.By != "" {
				o.Issue = "batch " + e.By + " took over before this price was seen"
			}
			out[k][e.Row] = o
		}
	}
	return out, nil
}

var (
	_ lane.Past     = (*History)(nil)
	_ guard.History = (*History)(nil)
	_ guard.Past    = (*History)(nil)
)
