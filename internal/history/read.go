package history

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

// tailPage is how many leaves without a run are read at once.
const tailPage = 2000

// attempts is how often a reader looks again when a piece was merged away under it.
const attempts = 4

// Of returns the events about the offers at or after since, of each in the order
// of the ledger, which is the order in which each of its items changed.
func (h *History) Of(ctx context.Context, t tenant.ID, keys []price.OfferKey, since time.Time) (map[price.OfferKey][]Entry, error) {
	for try := 1; ; try++ {
		out, err := h.of(ctx, t, keys, since)
		if !errors.Is(err, store.ErrNotFound) || try == attempts {
			return out, err
		}
	}
}

func (h *History) of(ctx context.Context, t tenant.ID, keys []price.OfferKey, since time.Time) (map[price.OfferKey][]Entry, error) {
	runs, end, _, err := h.runs(ctx, t)
	if err != nil {
		return nil, err
	}
	want := map[price.OfferKey]bool{}
	hashes := map[uint32]bool{}
	for _, k := range keys {
		want[k] = true
		hashes[hashOf(target(k))] = true
	}
	out := make(map[price.OfferKey][]Entry, len(keys))
	take := func(l line) error {
		if !hashes[l.hash] || l.at < since.UnixMilli() && !since.IsZero() {
			return nil
		}
		e, err := l.entry()
		if err == nil && want[e.Key] { // another offer may have the same hash
			out[e.Key] = append(out[e.Key], e)
		}
		return err
	}
	var names []string
	for _, r := range runs {
		if r.events == 0 || r.last.Before(since) {
			continue
		}
		pieces := map[int]bool{}
		for hash := range hashes {
			pieces[pieceOf(hash, len(r.names))] = true
		}
		for i, name := range r.names {
			if pieces[i] {
				names = append(names, name)
			}
		}
	}
	if err := h.pieces(ctx, t, names, func(body []byte) error { return unpack(body, take) }); err != nil {
		return nil, err
	}
	for {
		leaves, err := h.Ledger.Events(ctx, t, end, tailPage)
		if err != nil {
			return nil, fmt.Errorf("history: read the ledger of %s: %w", t, err)
		}
		tail, err := lines(leaves)
		if err != nil {
			return nil, err
		}
		for _, l := range tail {
			if err := take(l); err != nil {
				return nil, err
			}
		}
		if len(leaves) < tailPage {
			return out, nil
		}
		end += int64(len(leaves))
	}
}

// Page returns the events about one offer from a time up to another, oldest
// first, at most limit. after is the leaf of the page's predecessor's last event,
// -1 at the beginning; more says that there are more.
func (h *History) Page(ctx context.Context, t tenant.ID, k price.OfferKey, from, to time.Time, after int64, limit int) (page []Entry, more bool, err error) {
	all, err := h.Of(ctx, t, []price.OfferKey{k}, from)
	if err != nil {
		return nil, false, err
	}
	list := slices.DeleteFunc(all[k], func(e Entry) bool { return e.Leaf <= after || !to.IsZero() && !e.At.Before(to) })
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}
