// Package edge keeps which network addresses are turned away, and until when.
// Operators block an address or a prefix for a time and allow others for a year; what
// is allowed is never blocked, whatever else says so. Addresses are personal data:
// the list has keyed hashes of them, which are also what logs call an address by, and
// whoever has the table and not the key cannot tell whose they are.
//
// What is promised when things fail: a block ends at its time although its entry is
// still there. When the list cannot be read the last one known counts, and with none,
// or without the key of the hashes,
// everybody is let in, for callers still need an API key. A change is written under
// the condition that nobody else changed the list since it was read.
//
// What it does not do: it counts nothing, so that others tell it who misuses us, and it
// is not a firewall: what it turns away has reached a function already.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/store"
)

const (
	// MaxEntries bounds the list, expired entries included: some 60 KB.
	MaxEntries = 200
	// readEvery is how old a list may be that an address is judged by.
	readEvery = 30 * time.Second
	// keptFor is how long an expired entry stays in the list for people to see.
	keptFor = 30 * 24 * time.Hour
	// maxReason bounds the words that an entry is explained with, in bytes.
	maxReason = 200
	// Longest is how long an entry counts at most: less than the keys of the hashes
	// are kept for.
	Longest = 365 * 24 * time.Hour
)

// Entry is one line of the list.
type Entry struct {
	Source  string    `json:"source"`         // keyed hash of the address or prefix
	Wide    string    `json:"wide,omitempty"` // what prefix it is of: 4/24; "" for one address
	Allowed bool      `json:"allowed"`        // never blocked
	Until   time.Time `json:"until"`          // when it ends
	Reason  string    `json:"reason"`         // why
	By      string    `json:"by"`             // who said so
	Since   time.Time `json:"since"`          // when
}

// key is where the list is: it is no tenant's.
var key = store.Key{PK: "edge", SK: "addresses"}

const aEntries, aVersion = "entries", "ver"

// List keeps the list and judges addresses by it. It is safe for concurrent use.
type List struct {
	db     store.DB
	hashes Hashes
	clock  clock.Clock
	log    *slog.Logger

	mu      sync.Mutex
	entries []Entry
	read    time.Time // zero: never
}

// New returns the List in db's identity table.
func New(db store.DB, h Hashes, c clock.Clock, log *slog.Logger) *List {
	return &List{db: db, hashes: h, clock: c, log: log}
}

// Admit is web.Gate. What is no address is let in: nobody could block it either.
func (l *List) Admit(ctx context.Context, address string) error {
	if _, blocked := l.judge(ctx, address); blocked {
		return fault.New(fault.Forbidden, "address-blocked", "Requests from this network address are refused for now. If that is a mistake, write to us with the reference.")
	}
	return nil
}

// Allowed reports whether the address is on the list as one that is never blocked.
func (l *List) Allowed(ctx context.Context, address string) bool {
	allowed, _ := l.judge(ctx, address)
	return allowed
}

// judge says what the list has about an address; never both.
func (l *List) judge(ctx context.Context, address string) (allowed, blocked bool) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false, false
	}
	a = a.WithZone("").Unmap()
	now := l.clock.Now()
	known := map[string][]string{} // the hashes of the address and of prefixes around it, by Wide
	for _, e := range l.current(ctx, now) {
		p, fits := e.around(a)
		if !fits || !now.Before(e.Until) {
			continue
		}
		if _, done := known[e.Wide]; !done {
			if known[e.Wide], err = l.hashes(ctx, p.String()); err != nil {
				l.log.WarnContext(ctx, "no address could be hashed; the address was let in", "cause", err)
				return false, false
			}
		}
		switch {
		case !slices.Contains(known[e.Wide], e.Source):
		case e.Allowed:
			return true, false
		default:
			blocked = true
		}
	}
	return false, blocked
}

// current is the list, read anew when it is old.
func (l *List) current(ctx context.Context, now time.Time) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.read.IsZero() && now.Sub(l.read) < readEvery {
		return l.entries
	}
	l.read = now // also after a failure: requests do not queue up behind a table that is down
	entries, _, err := l.get(ctx)
	if err != nil {
		l.log.WarnContext(ctx, "the list of blocked addresses could not be read; the last one known counts", "cause", err)
		return l.entries
	}
	l.entries = entries
	return entries
}

func (l *List) get(ctx context.Context) (entries []Entry, version int64, err error) {
	it, err := l.db.Get(ctx, store.Directory, store.Identity, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("edge: read list: %w", err)
	}
	if err := json.Unmarshal(it.Bytes(aEntries), &entries); err != nil {
		return nil, 0, fmt.Errorf("edge: list: %w", err)
	}
	return entries, it.Int(aVersion), nil
}

// Entries returns the list as it is now, expired entries included.
func (l *List) Entries(ctx context.Context) ([]Entry, error) {
	entries, _, err := l.get(ctx)
	return entries, err
}

// Block turns the target away for a time. Blocking it again replaces the time.
func (l *List) Block(ctx context.Context, t Target, lasting time.Duration, reason, by string) error {
	if lasting <= 0 || lasting > Longest {
		return fmt.Errorf("edge: a block lasts more than nothing and at most a year, not %s", lasting)
	}
	return l.put(ctx, t, Entry{Reason: reason, By: by}, lasting)
}

// Allow has the target never turned away for a year, or until it is removed.
func (l *List) Allow(ctx context.Context, t Target, reason, by string) error {
	return l.put(ctx, t, Entry{Allowed: true, Reason: reason, By: by}, Longest)
}

func (l *List) put(ctx context.Context, t Target, e Entry, lasting time.Duration) error {
	if e.Reason == "" || len(e.Reason) > maxReason || e.By == "" {
		return fmt.Errorf("edge: say who does it, and why in 1 to %d bytes", maxReason)
	}
	e.Since = l.clock.Now().UTC()
	e.Source, e.Wide, e.Until = t.sources[0], t.wide, e.Since.Add(lasting)
	return l.change(ctx, func(entries []Entry) ([]Entry, error) {
		entries = append(slices.DeleteFunc(entries, t.is), e)
		if len(entries) > MaxEntries {
			return nil, fmt.Errorf("edge: the list is full, at most %d entries; remove some, or block a prefix that holds several", MaxEntries)
		}
		return entries, nil
	})
}

// Remove takes a target off the list. One that is not on it is store.ErrNotFound.
func (l *List) Remove(ctx context.Context, t Target) error {
	return l.change(ctx, func(entries []Entry) ([]Entry, error) {
		n := len(entries)
		if entries = slices.DeleteFunc(entries, t.is); len(entries) == n {
			return nil, store.ErrNotFound
		}
		return entries, nil
	})
}

// change writes what f makes of the list, unless somebody else did meanwhile: then
// the error is store.ErrConflict.
func (l *List) change(ctx context.Context, f func([]Entry) ([]Entry, error)) error {
	entries, version, err := l.get(ctx)
	if err != nil {
		return err
	}
	gone := l.clock.Now().Add(-keptFor)
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Until.Before(gone) })
	if entries, err = f(entries); err != nil {
		return err
	}
	b, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("edge: list: %w", err)
	}
	cond := store.Eq(aVersion, version)
	if version == 0 {
		cond = store.Absent()
	}
	// An update and not a put: the functions that block by themselves may change
	// items of the identity table and not replace them.
	_, err = l.db.Update(ctx, store.Directory, store.Identity, key, store.Update{
		Set: map[string]any{aEntries: b, aVersion: version + 1}, If: []store.Cond{cond},
	})
	return err
}
