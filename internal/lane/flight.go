package lane

import (
	"context"
	"time"

	"pricemanager/internal/clock"
)

// Flight runs calls beside the lane's loop and hands their results back to it,
// so that the loop alone owns the lane's state and needs no lock. It is the only
// place of the engine where anything runs at the same time: a simulation puts
// its own scheduler here.
type Flight interface {
	// Go runs call, and later hands what it returns to Wait.
	Go(call func() (apply func()))
	// Wait returns the next result, or false once until has come or ctx ends.
	// An until that is not in the future only looks whether a result is there.
	Wait(ctx context.Context, until time.Time) (apply func(), ok bool)
}

// forever is an until that never comes.
var forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// parallel is the flight of real life: one goroutine per call.
type parallel struct {
	clock   clock.Clock
	results chan func()
}

var _ Flight = (*parallel)(nil)

// newParallel returns a flight for at most limit calls at a time.
func newParallel(c clock.Clock, limit int) *parallel {
	return &parallel{clock: c, results: make(chan func(), limit)}
}

func (p *parallel) Go(call func() func()) {
	// The channel holds as many results as there may be calls, so that a call
	// never waits for the loop.
	go func() { p.results <- call() }()
}

func (p *parallel) Wait(ctx context.Context, until time.Time) (func(), bool) {
	select {
	case f := <-p.results:
		return f, true
	default:
	}
	if until.Equal(forever) {
		select {
		case f := <-p.results:
			return f, true
		case <-ctx.Done():
			return nil, false
		}
	}
	d := until.Sub(p.clock.Now())
	if d <= 0 {
		return nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeout := make(chan struct{})
	go func() {
		_ = p.clock.Sleep(ctx, d) // ends early when a result came or ctx ended
		close(timeout)
	}()
	select {
	case f := <-p.results:
		return f, true
	case <-timeout:
		return nil, false
	}
}
