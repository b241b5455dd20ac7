package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Ledger is the part of *ledger.Log that the history is derived from.
type Ledger interface {
	// Events returns up to limit leaves, beginning with the one at index from.
	Events(ctx context.Context, t tenant.ID, from int64, limit int) ([]ledger.Leaf, error)
}

var _ Ledger = (*ledger.Log)(nil)

// History reads and grows the tenants' histories. It is safe for concurrent use.
type History struct {
	Ledger Ledger
	Blobs  store.Blobs
	Clock  clock.Clock

	sizes sizes // the zero value for the usual ones
}

func (h *History) size() sizes {
	if h.sizes == (sizes{}) {
		return usual
	}
	return h.sizes
}

// atOnce is how many new runs one call writes, so that a long ledger does not hold
// its caller up: 100,000 leaves take some three seconds (BenchmarkAHistoryGrows).
const atOnce = 5

// Grow brings the runs up to the ledger's end, as far as it gets, and merges them.
// Fewer than a thousand leaves are left to the next time. It may be called again
// at any time, by any number of processes.
func (h *History) Grow(ctx context.Context, t tenant.ID) error {
	runs, end, spare, err := h.runs(ctx, t)
	if err != nil {
		return err
	}
	for range atOnce {
		leaves, err := h.Ledger.Events(ctx, t, end, h.size().most)
		if err != nil {
			return fmt.Errorf("history: read the ledger of %s: %w", t, err)
		}
		if len(leaves) < h.size().least {
			break
		}
		// The run comes first: a crash after it leaves nothing to mend.
		r, err := h.write(ctx, t, leaves)
		if err != nil {
			return err
		}
		runs, end = append(runs, r), r.to
	}
	for {
		from, to := ripe(runs, h.size().fan)
		if from == to {
			break
		}
		merged, err := h.merge(ctx, t, runs[from:to])
		if err != nil {
			return err
		}
		// Only now that all its pieces are there may what it replaces go.
		for _, r := range runs[from:to] {
			spare = append(spare, r.names...)
		}
		runs = append(append(append([]run{}, runs[:from]...), merged), runs[to:]...)
	}
	for _, name := range spare {
		if err := h.Blobs.Delete(ctx, t, store.History, name); err != nil {
			return fmt.Errorf("history: remove what was merged: %w", err)
		}
	}
	return nil
}

// runs lists the runs that count.
func (h *History) runs(ctx context.Context, t tenant.ID) (runs []run, end int64, spare []string, err error) {
	names, err := h.Blobs.List(ctx, t, store.History, prefix)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("history: list runs: %w", err)
	}
	return cover(names)
}

// ripe finds the first fan or more neighbours of one level.
func ripe(runs []run, fan int) (from, to int) {
	for from < len(runs) {
		for to = from; to < len(runs) && runs[to].level == runs[from].level; {
			to++
		}
		if to-from >= fan {
			return from, to
		}
		from = to
	}
	return 0, 0
}

// lines are the events about offers among the leaves.
func lines(leaves []ledger.Leaf) ([]line, error) {
	var out []line
	for _, leaf := range leaves {
		var e struct {
			Target string    `json:"target"`
			At     time.Time `json:"at"`
		}
		if err := json.Unmarshal(leaf.Event, &e); err != nil {
			return nil, fmt.Errorf("history: leaf %d: %w", leaf.Index, err)
		}
		if strings.HasPrefix(e.Target, offerTarget) {
			out = append(out, line{hashOf(e.Target), leaf.Index, e.At.UnixMilli(), leaf.Event})
		}
	}
	return out, nil
}

// write makes a run of new leaves.
func (h *History) write(ctx context.Context, t tenant.ID, leaves []ledger.Leaf) (run, error) {
	events, err := lines(leaves)
	if err != nil {
		return run{}, err
	}
	r := run{from: leaves[0].Index, to: leaves[len(leaves)-1].Index + 1, events: int64(len(events))}
	p := newPacker()
	for _, l := range events {
		r.span(fromMillis(l.at), fromMillis(l.at))
		if err := p.add(l); err != nil {
			return run{}, fmt.Errorf("history: pack: %w", err)
		}
	}
	r.names = []string{r.name(0, 1)}
	return r, h.put(ctx, t, r.names[0], p)
}

// span widens the run's time.
func (r *run) span(first, last time.Time) {
	if r.first.IsZero() || !first.IsZero() && first.Before(r.first) {
		r.first = first
	}
	if last.After(r.last) {
		r.last = last
	}
}

func (h *History) put(ctx context.Context, t tenant.ID, name string, p *packer) error {
	body, err := p.bytes()
	if err != nil {
		return fmt.Errorf("history: pack: %w", err)
	}
	if err := h.Blobs.Put(ctx, t, store.History, name, "application/gzip", body); err != nil {
		return fmt.Errorf("history: keep a piece: %w", err)
	}
	return nil
}

// merge makes one run of neighbours, a piece at a time, without what has been
// kept long enough.
func (h *History) merge(ctx context.Context, t tenant.ID, parts []run) (run, error) {
	out := run{level: parts[0].level + 1, from: parts[0].from, to: parts[len(parts)-1].to}
	of := 1
	for _, r := range parts {
		out.events += r.events
		out.span(r.first, r.last)
		of = max(of, len(r.names))
	}
	for int64(of)*int64(h.size().perPiece) < out.events {
		of *= 2
	}
	oldest := h.Clock.Now().Add(-Keep).UnixMilli()
	for i := range of {
		p := newPacker()
		for _, r := range parts {
			body, err := h.Blobs.Get(ctx, t, store.History, r.names[i*len(r.names)/of])
			if err != nil {
				return run{}, fmt.Errorf("history: read a piece to merge: %w", err)
			}
			err = unpack(body, func(l line) error {
				if pieceOf(l.hash, of) != i || l.at < oldest {
					return nil
				}
				return p.add(l)
			})
			if err != nil {
				return run{}, err
			}
		}
		name := out.name(i, of)
		out.names = append(out.names, name)
		if err := h.put(ctx, t, name, p); err != nil {
			return run{}, err
		}
	}
	return out, nil
}
