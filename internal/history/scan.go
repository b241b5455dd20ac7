package history

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Scan goes through the events about all offers in the ledger's order, some at a
// time: for questions that are about too many offers to ask for each of them.
type Scan struct {
	history *History
	tenant  tenant.ID
	from    time.Time
	to      time.Time
	idle    []leaves // without any event of the time in question, in order
}

type leaves struct{ from, to int64 }

// Scan begins one, of the events from a time up to another; the zero time is no
// bound. Events that are written later are among them.
func (h *History) Scan(ctx context.Context, t tenant.ID, from, to time.Time) (*Scan, error) {
	runs, _, _, err := h.runs(ctx, t)
	if err != nil {
		return nil, err
	}
	s := &Scan{history: h, tenant: t, from: from, to: to}
	for _, r := range runs {
		if r.events == 0 || r.last.Before(from) || !to.IsZero() && !r.first.Before(to) {
			s.idle = append(s.idle, leaves{r.from, r.to})
		}
	}
	return s, nil
}

// Page calls f for the events among the next leaves from one on, at most 2,000,
// that want takes; nil takes all. It returns the leaf to go on with, and false at
// the end of the ledger as it is now. Memory is that of these leaves.
func (s *Scan) Page(ctx context.Context, from int64, want func(price.OfferKey) bool, f func(Entry) error) (next int64, more bool, err error) {
	limit := int64(tailPage)
	for _, l := range s.idle {
		if l.from <= from && from < l.to {
			from = l.to
		} else if l.from > from {
			limit = min(limit, l.from-from)
		}
	}
	list, err := s.history.Ledger.Events(ctx, s.tenant, from, int(limit))
	if err != nil {
		return from, false, fmt.Errorf("history: read the ledger of %s: %w", s.tenant, err)
	}
	events, err := lines(list)
	if err != nil {
		return from, false, err
	}
	for _, l := range events {
		at := time.UnixMilli(l.at)
		if at.Before(s.from) || !s.to.IsZero() && !at.Before(s.to) {
			continue
		}
		e, err := l.entry()
		if err != nil {
			return from, false, err
		}
		if want != nil && !want(e.Key) {
			continue
		}
		if err := f(e); err != nil {
			return from, false, err
		}
	}
	return from + int64(len(list)), int64(len(list)) == limit, nil
}
