// Package clock is time as a dependency. Code that needs the time or has to
// wait takes a Clock, so that tests and simulations decide what time it is and
// nothing in the test suite ever sleeps.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and waits for it.
type Clock interface {
	// Now is the current time in UTC.
	Now() time.Time
	// Sleep waits for d, or until ctx ends, in which case it returns ctx.Err().
	// A d of zero or less returns at once.
	Sleep(ctx context.Context, d time.Duration) error
}

// WithDeadline is context.WithDeadline by the given clock: the deadline is a
// time of that clock. A virtual clock takes part with a method WithDeadline of
// its own; with any other one the time left is measured by the machine.
func WithDeadline(ctx context.Context, c Clock, at time.Time) (context.Context, context.CancelFunc) {
	if v, ok := c.(interface {
		WithDeadline(context.Context, time.Time) (context.Context, context.CancelFunc)
	}); ok {
		return v.WithDeadline(ctx, at)
	}
	return context.WithTimeout(ctx, at.Sub(c.Now()))
}

// Real is the machine's clock.
type Real struct{}

var _ Clock = Real{}

// Now returns the machine's time in UTC.
func (Real) Now() time.Time { return time.Now().UTC() }

// Sleep waits for d of real time.
func (Real) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Manual is a clock that moves only when told to. Sleepers wake when the clock
// passes their time. With AutoAdvance set, Sleep itself moves the clock
// forward, which suits a test with a single sleeper.
type Manual struct {
	AutoAdvance bool

	mu      sync.Mutex
	now     time.Time
	waiters []waiter
}

type waiter struct {
	at time.Time
	ch chan struct{}
}

var _ Clock = (*Manual)(nil)

// NewManual returns a manual clock that shows start.
func NewManual(start time.Time) *Manual { return &Manual{now: start.UTC()} }

// Now returns the time the clock was last set to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by d and wakes every sleeper whose time has come.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.now.Add(d))
}

func (m *Manual) advance(to time.Time) {
	if to.After(m.now) {
		m.now = to
	}
	kept := m.waiters[:0]
	for _, w := range m.waiters {
		if w.at.After(m.now) {
			kept = append(kept, w)
			continue
		}
		close(w.ch)
	}
	m.waiters = kept
}

// Sleepers is the number of goroutines that wait on the clock.
func (m *Manual) Sleepers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiters)
}

// Sleep waits until the clock has moved by d, or moves it when AutoAdvance is set.
func (m *Manual) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	m.mu.Lock()
	if m.AutoAdvance {
		m.advance(m.now.Add(d))
		m.mu.Unlock()
		return ctx.Err()
	}
	w := waiter{at: m.now.Add(d), ch: make(chan struct{})}
	m.waiters = append(m.waiters, w)
	m.mu.Unlock()
	select {
	case <-w.ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
