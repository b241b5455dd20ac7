package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Entry is what one change means: its events are appended together or not at
// all. Source and Seq make it exactly once: along one source numbers grow, and
// an entry whose number is not above the last one of its source was appended
// before and is dropped.
type Entry struct {
	Source string    // e.g. table and key of the changed item
	Seq    string    // decimal digits, compared with store.CompareSeq
	At     time.Time // when the change was made, by any clock within skew of ours
	Events []Event
}

// skew is how far clocks may be apart. An append of an entry is never older
// than the entry by more than this, so only younger appends need looking at to
// know whether an entry is new.
const skew = 5 * time.Minute

// maxConflicts is how many lost races one Append takes before it gives up. Each
// lost race is another's progress, so this many in a row mean something else.
const maxConflicts = 200

// AppendDirect records an event that no table change stands for. Repeating it
// with the same key and the same event.At adds nothing; keep both with whatever
// caused the event.
func (l *Log) AppendDirect(ctx context.Context, t tenant.ID, key string, e Event) error {
	if key == "" {
		return fmt.Errorf("%w: a direct event needs a key", ErrInvalid)
	}
	if e.Source == "" {
		e.Source = "direct"
	}
	_, err := l.Append(ctx, t, []Entry{{Source: "direct:" + key, Seq: "1", At: e.At, Events: []Event{e}}})
	return err
}

// Append records the entries that are new, in order, and returns how many
// events that made. An error leaves a prefix appended; repeating the call
// appends the rest. An entry that is not valid is ErrInvalid and nothing of the
// call is written.
func (l *Log) Append(ctx context.Context, t tenant.ID, entries []Entry) (appended int, err error) {
	work := make([]pending, 0, len(entries))
	for _, e := range entries {
		p, err := prepare(e)
		if err != nil {
			return 0, err
		}
		work = append(work, p)
	}
	return l.append(ctx, t, work)
}

func (l *Log) append(ctx context.Context, t tenant.ID, work []pending) (appended int, err error) {
	work = slices.DeleteFunc(work, func(p pending) bool { return len(p.events) == 0 })
	if len(work) == 0 {
		return 0, nil
	}
	if !t.Valid() {
		return 0, fmt.Errorf("%w: tenant %q", ErrInvalid, t)
	}
	oldest := slices.MinFunc(work, func(a, b pending) int { return a.at.Compare(b.at) }).at
	tl, unlock, err := l.tail(ctx, t)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for conflicts := 0; conflicts < maxConflicts; {
		// Knowing what is new comes first: the tail is read (again) after every
		// lost race, and the write below holds only if nothing came in between.
		if err := tl.cover(ctx, l, t, oldest.Add(-skew)); err != nil {
			tl.forget()
			return appended, err
		}
		chunk, rest := tl.takeNew(work)
		if len(chunk) == 0 {
			return appended, nil
		}
		seg, seen, err := l.build(ctx, t, tl, chunk)
		if err != nil {
			return appended, err
		}
		err = l.db.Put(ctx, t, store.Ledger, seg.item(), store.Absent())
		if errors.Is(err, store.ErrConflict) {
			conflicts++
			if err := tl.catchUp(ctx, l, t); err != nil {
				tl.forget()
				return appended, err
			}
			continue
		}
		if err != nil {
			// Written or not, nobody knows: read the tail anew next time. The
			// repeated call finds its entries there or appends them.
			tl.forget()
			return appended, fmt.Errorf("ledger: append to %s at leaf %d: %w", t, seg.first, err)
		}
		tl.follow(seg, seen)
		appended += len(seg.leaves)
		work = rest
	}
	return appended, fmt.Errorf("ledger: append to %s lost %d races: %w", t, maxConflicts, store.ErrConflict)
}

// pending is an entry with its events encoded.
type pending struct {
	tag    tag
	seq    number
	at     time.Time
	events [][]byte
	size   int // bytes of events
}

func prepare(e Entry) (pending, error) {
	seq, ok := parseSeq(e.Seq)
	if e.Source == "" || !ok {
		return pending{}, fmt.Errorf("%w: source %q with sequence number %q", ErrInvalid, e.Source, e.Seq)
	}
	if e.At.IsZero() {
		return pending{}, fmt.Errorf("%w: source %q number %s has no time", ErrInvalid, e.Source, e.Seq)
	}
	p := pending{tag: tagOf(e.Source), seq: seq, at: e.At, events: make([][]byte, 0, len(e.Events))}
	for _, ev := range e.Events {
		b, err := ev.encode()
		if err != nil {
			return pending{}, fmt.Errorf("source %q number %s: %w", e.Source, e.Seq, err)
		}
		p.events = append(p.events, b)
		p.size += len(b)
	}
	if len(p.events) > maxLeaves || p.size > maxRaw {
		return pending{}, fmt.Errorf("%w: source %q number %s is %d events of %d bytes, at most %d of %d",
			ErrInvalid, e.Source, e.Seq, len(p.events), p.size, maxLeaves, maxRaw)
	}
	return p, nil
}

// build makes the next segment of the tree from the chunk, sealed for its place.
func (l *Log) build(ctx context.Context, t tenant.ID, tl *tail, chunk []pending) (segment, map[tag]number, error) {
	seed := make([]byte, saltSize)
	l.mu.Lock()
	_, err := io.ReadFull(l.rand, seed)
	l.mu.Unlock()
	if err != nil {
		return segment{}, nil, fmt.Errorf("ledger: seed: %w", err)
	}
	seg := segment{first: tl.edge.size, after: tl.edge.clone(), at: l.clock.Now()}
	if seg.at.Before(tl.at) {
		seg.at = tl.at // another clock is ahead; times in the table never go back
	}
	salts := newSalter(seed)
	seen := make(map[tag]number, len(chunk))
	events := make([][]byte, 0, len(chunk))
	seg.leaves = make([]tlog.Hash, 0, len(chunk))
	for _, p := range chunk {
		seen[p.tag] = p.seq
		for _, e := range p.events {
			h := leafHash(salts.salt(seg.after.size), e)
			seg.leaves = append(seg.leaves, h)
			seg.after.append(h)
			events = append(events, e)
		}
	}
	packed, err := packEvents(seed, events)
	if err != nil {
		return segment{}, nil, fmt.Errorf("ledger: pack events: %w", err)
	}
	if seg.events, err = l.sealer.Seal(ctx, t, envelope.Ledger, place(seg.first, attrEvents), packed); err != nil {
		return segment{}, nil, fmt.Errorf("ledger: seal events: %w", err)
	}
	if seg.seen, err = l.sealer.Seal(ctx, t, envelope.Ledger, place(seg.first, attrSeen), packSeen(seen)); err != nil {
		return segment{}, nil, fmt.Errorf("ledger: seal sources: %w", err)
	}
	return seg, seen, nil
}
