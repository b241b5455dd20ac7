// Package limit counts the requests of the API's callers: of a network address
// exactly 100 in a window of 60 s that begins with the first of them, and of a
// company, an API key and a member by a quota that refills steadily (GCRA). It is
// web.Limits over the limits table, and every instance of every function counts in
// the same items.
//
// A request is one conditional write for each of its limits, two when the instance
// guessed wrongly whether somebody was asking already, and none at all once the
// instance has seen that a limit is reached: who floods us pays nothing, and neither
// do we. Who goes on regardless is put on the list of blocked addresses, which they
// leave when their time is over. Addresses that are allowed, by configuration or by
// an operator, are neither counted nor blocked.
//
// What is promised when things fail: a write that is refused, late or lost gives an
// error, and whoever asked lets the request in. A crash between the writes of one
// request counts too little, never too much. Instances whose clocks differ agree on
// a window's end, which is in its item; only who begins the next one may be early by
// the difference.
//
// Addresses are personal data: items are named by keyed hashes of them. When the key
// is replaced, for some minutes an address may be counted under both.
package limit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

const (
	// PerAddress is how many requests of one address pass in Window.
	PerAddress = 100
	// PerTenant and PerCaller are the quotas where none are given.
	PerTenant, PerCaller = 1200, 600
	// Window is what limits are given for.
	Window = time.Minute
	// patience is how long a request waits to be counted.
	patience = time.Second
	// ipv6Site is what counts as one address in IPv6: the prefix that one customer of
	// an access provider has at least (RFC 6177), with 2^64 addresses to change between.
	ipv6Site = 64
)

// An address floods when FloodWindows windows within FloodMemory were asked in more
// than twice as often as the limit allows; then it is blocked for FloodBlock.
const (
	FloodWindows = 3
	FloodMemory  = time.Hour
	FloodBlock   = time.Hour
)

// Quotas are what may differ between deployments.
type Quotas struct {
	// Allow lists addresses and prefixes, separated by commas, whose requests are
	// not counted by address.
	Allow string
	// Tenant and Caller are how many requests a company, and one key or member of it,
	// may make in Window: at once, or spread. 0 is PerTenant or PerCaller.
	Tenant, Caller int
}

// List is where misuse ends; edge.List is one.
type List interface {
	Allowed(ctx context.Context, address string) bool
	BlockForMisuse(ctx context.Context, address string, lasting time.Duration, reason, by string) (added bool, err error)
}

// Limits is web.Limits. It is safe for concurrent use.
type Limits struct {
	quotas  Quotas
	allow   []netip.Prefix
	hashes  edge.Hashes
	list    List
	counter *counter
	floods  *Misuse
	log     *slog.Logger
}

var (
	_ web.Limits = (*Limits)(nil)
	_ List       = (*edge.List)(nil)
)

// New returns Limits over db's limits table. It refuses quotas that are no rate in
// whole milliseconds, and an Allow that it cannot read.
func New(db store.DB, h edge.Hashes, list List, q Quotas, c clock.Clock, log *slog.Logger, m *metrics.Writer) (*Limits, error) {
	allow, err := prefixes(q.Allow)
	if err != nil {
		return nil, err
	}
	q.Tenant, q.Caller = cmp.Or(q.Tenant, PerTenant), cmp.Or(q.Caller, PerCaller)
	for name, n := range map[string]int{"tenant": q.Tenant, "caller": q.Caller} {
		if n < 1 || n > int(Window/time.Millisecond) {
			return nil, fmt.Errorf("limit: the quota of a %s is %d: want 1 to %d in %s", name, n, Window/time.Millisecond, Window)
		}
	}
	return &Limits{
		quotas: q, allow: allow, hashes: h, list: list, counter: newCounter(db, c), log: log,
		floods: NewMisuse(db, h, list, Rule{
			Name: "flood", Reports: FloodWindows, Within: FloodMemory, Block: FloodBlock,
			Reason: fmt.Sprintf("more than %d requests a minute, %d times in %s", 2*PerAddress, FloodWindows, FloodMemory),
		}, c, m),
	}, nil
}

// prefixes reads a list of addresses and prefixes.
func prefixes(list string) (all []netip.Prefix, err error) {
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("limit: %q among the allowed addresses is neither an address nor a prefix such as 192.0.2.0/24", s)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// site is the text of what counts as the address: itself, in IPv6 its prefix.
func site(address string) (netip.Addr, string, error) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}, "", errors.New("limit: the request has no network address")
	}
	a = a.WithZone("").Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = ipv6Site
	}
	p, err := a.Prefix(bits)
	return a, p.String(), err
}

func (l *Limits) allowed(ctx context.Context, a netip.Addr) bool {
	for _, p := range l.allow {
		if p.Contains(a) {
			return true
		}
	}
	return l.list.Allowed(ctx, a.String())
}

// Address counts a request of an address. One that is allowed has no limit: the
// zero web.Limit.
func (l *Limits) Address(ctx context.Context, address string) (web.Limit, error) {
	a, from, err := site(address)
	if err != nil || l.allowed(ctx, a) {
		return web.Limit{}, err
	}
	ctx, cancel := clock.WithDeadline(ctx, l.counter.clock, l.counter.clock.Now().Add(patience))
	defer cancel()
	all, err := l.hashes(ctx, from)
	if err != nil {
		return web.Limit{}, fmt.Errorf("limit: hash address: %w", err)
	}
	at := place{store.Directory, store.Key{PK: "address#" + all[0], SK: "requests"}}
	t, err := l.counter.take(ctx, at, window{PerAddress, Window})
	if err != nil {
		return web.Limit{}, fmt.Errorf("limit: count address: %w", err)
	}
	if t.refused == PerAddress { // by this instance alone: it is at least twice the limit
		l.flooded(ctx, at, t, from)
	}
	return t.limit("address", PerAddress), nil
}

// flooded reports a window that was asked in far too often, once whichever instance
// sees it. What fails here fails for the report and not for the request.
func (l *Limits) flooded(ctx context.Context, at place, t taken, from string) {
	_, err := l.counter.db.Update(ctx, at.tenant, store.Limits, at.key, store.Update{
		Set: map[string]any{"flooded": true}, If: []store.Cond{store.Eq(aEnd, store.Millis(t.full)), store.Missing("flooded")},
	})
	if errors.Is(err, store.ErrConflict) {
		return
	}
	// From here on no other instance reports this window: a crash forgets one.
	blocked := false
	if err == nil {
		blocked, err = l.floods.Report(ctx, from)
	}
	switch {
	case err != nil:
		l.log.WarnContext(ctx, "a flood of requests could not be noted", "cause", err)
	case blocked:
		l.log.WarnContext(ctx, "an address is blocked for flooding", "source", strings.TrimPrefix(at.key.PK, "address#"), "for", FloodBlock.String())
	}
}

// Caller counts a request of a principal: first the key's or member's own, so that
// one which asks too often does not use up its company's.
func (l *Limits) Caller(ctx context.Context, p identity.Principal) ([]web.Limit, error) {
	ctx, cancel := clock.WithDeadline(ctx, l.counter.clock, l.counter.clock.Now().Add(patience))
	defer cancel()
	var all []web.Limit
	for _, c := range []struct {
		name, id string
		quota    int
	}{{"key", p.KeyID, l.quotas.Caller}, {"member", p.Member, l.quotas.Caller}, {"tenant", string(p.Tenant), l.quotas.Tenant}} {
		if c.id == "" {
			continue
		}
		t, err := l.counter.take(ctx, place{p.Tenant, store.Key{PK: c.name, SK: c.id}}, rate{c.quota, Window})
		if err != nil {
			return nil, fmt.Errorf("limit: count %s: %w", c.name, err)
		}
		all = append(all, t.limit(c.name, c.quota))
		if t.wait > 0 {
			break
		}
	}
	return all, nil
}

// place is where a counter is.
type place struct {
	tenant tenant.ID
	key    store.Key
}
