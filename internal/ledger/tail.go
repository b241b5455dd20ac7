package ledger

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// tail is what a process remembers of a tenant's ledger between appends: the
// right edge of the tree, and the last sequence number per source in the
// appends since a certain time. It is only ever a correct past state: when it
// is behind, the conditional write fails and catchUp reads what is missing.
//
// Looking back stops at the time of the oldest entry in hand (less skew),
// because an entry cannot have been appended before it was made. So the cost of
// exactly once is bounded by how late records arrive and not by the number of
// sources, and nothing is carried from append to append.
type tail struct {
	busy chan struct{} // held by the one appender of this tenant in the process

	known bool // the fields below are a state of the ledger
	edge  edge
	at    time.Time // of the newest append
	seen  memory
}

// tail returns the tenant's tail, held until unlock is called.
func (l *Log) tail(ctx context.Context, t tenant.ID) (tl *tail, unlock func(), err error) {
	l.mu.Lock()
	tl = l.tails[t]
	if tl == nil {
		for old := range l.tails {
			if len(l.tails) < maxTails {
				break
			}
			// Any one will do: a tail is only a cache, and one that is in use
			// goes on working for its holder.
			delete(l.tails, old)
		}
		tl = &tail{busy: make(chan struct{}, 1)}
		l.tails[t] = tl
	}
	l.mu.Unlock()
	select {
	case tl.busy <- struct{}{}:
		return tl, func() { <-tl.busy }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// forget makes the next cover read everything anew.
func (tl *tail) forget() { *tl = tail{busy: tl.busy} }

// cover makes the tail know every append made at or after from.
func (tl *tail) cover(ctx context.Context, l *Log, t tenant.ID, from time.Time) error {
	if !tl.known {
		seg, err := l.newest(ctx, t)
		if err != nil {
			return err
		}
		tl.seen = nil
		if seg.after.size > 0 {
			if err := remember(ctx, l, t, tl.seen.next(seg), seg); err != nil {
				return err
			}
		}
		tl.edge, tl.at, tl.known = seg.after, seg.at, true
	}
	for len(tl.seen) > 0 && !tl.seen[0].whole && !tl.seen[0].since.Before(from) {
		oldest := tl.seen[0].oldest
		page, err := l.db.Query(ctx, t, store.Ledger, store.Query{
			PK: logPK, Reverse: true, After: oldest, Limit: walkPage,
		})
		if err != nil {
			return fmt.Errorf("ledger: appends before %s of %s: %w", oldest, t, err)
		}
		if len(page.Items) == 0 {
			return fmt.Errorf("ledger: nothing before %s of %s", oldest, t)
		}
		for _, item := range page.Items {
			seg, err := parseSegment(item)
			if err != nil {
				return err
			}
			if err := remember(ctx, l, t, tl.seen.before(seg), seg); err != nil {
				return err
			}
		}
	}
	tl.seen.trim(from)
	return nil
}

// catchUp reads what others appended since.
func (tl *tail) catchUp(ctx context.Context, l *Log, t tenant.ID) error {
	for {
		// The next append, if there is one, begins exactly where the tree ends.
		after := ""
		if tl.edge.size > 0 {
			after = itemKey(tl.edge.size - 1).SK
		}
		page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, After: after, Limit: walkPage})
		if err != nil {
			return fmt.Errorf("ledger: appends after leaf %d of %s: %w", tl.edge.size-1, t, err)
		}
		for _, item := range page.Items {
			seg, err := parseSegment(item)
			if err != nil {
				return err
			}
			if seg.first != tl.edge.size {
				return fmt.Errorf("ledger: leaf %d of %s is missing, next is %d", tl.edge.size, t, seg.first)
			}
			if err := remember(ctx, l, t, tl.seen.next(seg), seg); err != nil {
				return err
			}
			tl.edge, tl.at = seg.after, seg.at
		}
		if page.Next == "" {
			return nil
		}
	}
}

// remember adds the sources of a segment.
func remember(ctx context.Context, l *Log, t tenant.ID, g *generation, seg segment) error {
	plain, err := l.sealer.Open(ctx, t, envelope.Ledger, place(seg.first, attrSeen), seg.seen)
	if err != nil {
		return fmt.Errorf("ledger: sources from leaf %d of %s: %w", seg.first, t, err)
	}
	return eachSeen(plain, g.note)
}

// follow takes over a segment that was just written after the edge.
func (tl *tail) follow(seg segment, seen map[tag]number) {
	g := tl.seen.next(seg)
	for tg, seq := range seen {
		g.note(tg, seq)
	}
	tl.edge, tl.at = seg.after, seg.at
}

// takeNew splits the entries that were not appended before into the first
// chunk, small enough for one item, and the rest.
func (tl *tail) takeNew(work []pending) (chunk, rest []pending) {
	last := make(map[tag]number, min(len(work), maxLeaves))
	events, size := 0, 0
	for i, p := range work {
		old, ok := last[p.tag]
		if !ok {
			old, ok = tl.seen.last(p.tag)
		}
		if ok && !p.seq.after(old) {
			continue
		}
		if len(chunk) > 0 && (events+len(p.events) > maxLeaves || size+p.size > maxRaw) {
			return chunk, work[i:]
		}
		last[p.tag] = p.seq
		chunk = append(chunk, p)
		events += len(p.events)
		size += p.size
	}
	return chunk, nil
}
