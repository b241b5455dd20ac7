// Package edge keeps which network addresses are turned away, and until when.
// Operators block an address or a prefix for a time and allow others for good; what
// is allowed is never blocked, whatever else says so.
//
// What is promised when things fail: a block ends at its time although its entry is
// still there. When the list cannot be read the last one known counts, and with none
// everybody is let in, for callers still need an API key. A change is written under
// the condition that nobody else changed the list since it was read.
//
// What it does not do: it blocks nobody by itself, it counts nothing, and it is not a
// firewall: what it turns away has reached a function already.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
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
)

// Widest prefixes that may be blocked: a typing error must not turn half the world away.
const widest4, widest6 = 16, 32

// Entry is one line of the list.
type Entry struct {
	Prefix  netip.Prefix `json:"prefix"`         // of one address, or more
	Allowed bool         `json:"allowed"`        // never blocked; then Until is zero
	Until   time.Time    `json:"until,omitzero"` // when a block ends
	Reason  string       `json:"reason"`         // why
	By      string       `json:"by"`             // who said so
	Since   time.Time    `json:"since"`          // when
}

// ErrPrefix is returned for what is no address or prefix, or too wide a one.
var ErrPrefix = errors.New("edge: not an address or prefix that can be listed")

// Parse reads an address or a prefix.
func Parse(s string) (netip.Prefix, error) {
	bad := func() (netip.Prefix, error) {
		return netip.Prefix{}, fmt.Errorf("%w: %q; give an address such as 192.0.2.1, or a prefix of at least /%d (IPv4) or /%d (IPv6)", ErrPrefix, s, widest4, widest6)
	}
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return bad()
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 {
		return bad()
	}
	return p.Masked(), nil
}

// key is where the list is: it is no tenant's.
var key = store.Key{PK: "edge", SK: "addresses"}

const aEntries, aVersion = "entries", "ver"

// List keeps the list and judges addresses by it. It is safe for concurrent use.
type List struct {
	db    store.DB
	clock clock.Clock
	log   *slog.Logger

	mu      sync.Mutex
	entries []Entry
	read    time.Time // zero: never
}

// New returns the List in db's identity table.
func New(db store.DB, c clock.Clock, log *slog.Logger) *List {
	return &List{db: db, clock: c, log: log}
}

// Admit is web.Gate. What is no address is let in: nobody could block it either.
func (l *List) Admit(ctx context.Context, address string) error {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	a = a.WithZone("").Unmap()
	now := l.clock.Now()
	var blocked bool
	for _, e := range l.current(ctx, now) {
		switch {
		case !e.Prefix.Contains(a):
		case e.Allowed:
			return nil
		case now.Before(e.Until):
			blocked = true
		}
	}
	if blocked {
		return fault.New(fault.Forbidden, "address-blocked", "Requests from this network address are refused for now. If that is a mistake, write to us with the reference.")
	}
	return nil
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

// Block turns the prefix away for a time. Blocking it again replaces the time.
func (l *List) Block(ctx context.Context, p netip.Prefix, lasting time.Duration, reason, by string) error {
	if lasting <= 0 || lasting > 365*24*time.Hour {
		return fmt.Errorf("edge: a block lasts more than nothing and at most a year, not %s", lasting)
	}
	now := l.clock.Now().UTC()
	return l.put(ctx, Entry{Prefix: p, Until: now.Add(lasting), Reason: reason, By: by, Since: now})
}

// Allow has the prefix never turned away, until it is removed.
func (l *List) Allow(ctx context.Context, p netip.Prefix, reason, by string) error {
	return l.put(ctx, Entry{Prefix: p, Allowed: true, Reason: reason, By: by, Since: l.clock.Now().UTC()})
}

func (l *List) put(ctx context.Context, e Entry) error {
	if e.Reason == "" || len(e.Reason) > maxReason || e.By == "" {
		return fmt.Errorf("edge: say who does it, and why in 1 to %d bytes", maxReason)
	}
	return l.change(ctx, func(entries []Entry) ([]Entry, error) {
		entries = append(slices.DeleteFunc(entries, func(x Entry) bool { return x.Prefix == e.Prefix }), e)
		if len(entries) > MaxEntries {
			return nil, fmt.Errorf("edge: the list is full, at most %d entries; remove some, or block a prefix that holds several", MaxEntries)
		}
		return entries, nil
	})
}

// Remove takes an entry off the list. One that is not on it is store.ErrNotFound.
func (l *List) Remove(ctx context.Context, p netip.Prefix) error {
	return l.change(ctx, func(entries []Entry) ([]Entry, error) {
		n := len(entries)
		if entries = slices.DeleteFunc(entries, func(x Entry) bool { return x.Prefix == p }); len(entries) == n {
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
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return !e.Allowed && e.Until.Before(gone) })
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
	return l.db.Put(ctx, store.Directory, store.Identity, store.Item{Key: key, Attrs: map[string]any{aEntries: b, aVersion: version + 1}}, cond)
}
