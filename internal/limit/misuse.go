package limit

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
)

// Rule says when an address is blocked.
type Rule struct {
	Name    string        // in the list, and part of the counter's key
	Reports int           // this many, at least 2
	Within  time.Duration // of each other
	Block   time.Duration // how long
	Reason  string        // for operators who look at the list
}

// Misuse counts reports about addresses and blocks those that have enough of them.
type Misuse struct {
	counter *counter
	hashes  edge.Hashes
	list    List
	rule    Rule
	metrics *metrics.Writer
}

// NewMisuse returns Misuse by a rule over db's limits table. Addresses that it blocks
// are counted in the metric AddressesShutOut.
func NewMisuse(db store.DB, h edge.Hashes, list List, r Rule, c clock.Clock, m *metrics.Writer) *Misuse {
	return &Misuse{counter: newCounter(db, c), hashes: h, list: list, rule: r, metrics: m}
}

// Report notes one misuse by an address or prefix and says whether that one blocked
// it. In IPv6 it is the whole /64 that is noted and blocked.
func (m *Misuse) Report(ctx context.Context, address string) (blocked bool, err error) {
	from := address
	if _, p, err := site(address); err == nil {
		from = p
	}
	all, err := m.hashes(ctx, from)
	if err != nil {
		return false, fmt.Errorf("limit: hash address: %w", err)
	}
	at := place{store.Directory, store.Key{PK: "address#" + all[0], SK: m.rule.Name}}
	// The last report that is enough finds the counter of the others full.
	t, err := m.counter.take(ctx, at, window{m.rule.Reports - 1, m.rule.Within})
	if err != nil {
		return false, fmt.Errorf("limit: note %s: %w", m.rule.Name, err)
	}
	if t.wait == 0 {
		return false, nil
	}
	blocked, err = m.list.BlockForMisuse(ctx, from, m.rule.Block, m.rule.Reason, m.rule.Name)
	if err != nil {
		return false, fmt.Errorf("limit: block for %s: %w", m.rule.Name, err)
	}
	if blocked {
		m.metrics.Emit(nil, metrics.Count("AddressesShutOut", 1))
	}
	return blocked, nil
}
