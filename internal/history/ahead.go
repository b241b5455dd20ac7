package history

import (
	"context"
	"fmt"
	"sync"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// getsAtOnce is how many pieces are in memory or on their way to it: the next ones
// come while one is looked through. Each is about 1 MB.
const getsAtOnce = 4

// pieces calls f for the pieces in their order, until it fails.
func (h *History) pieces(ctx context.Context, t tenant.ID, names []string, f func(body []byte) error) error {
	type piece struct {
		body []byte
		err  error
	}
	var all sync.WaitGroup
	defer all.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	coming := make(chan chan piece, getsAtOnce-1) // the one that f has is beside them
	all.Go(func() {
		defer close(coming)
		for _, name := range names {
			c := make(chan piece, 1)
			select {
			case coming <- c:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				body, err := h.Blobs.Get(ctx, t, store.History, name)
				c <- piece{body, err}
			})
		}
	})
	for c := range coming {
		p := <-c
		if p.err != nil {
			return fmt.Errorf("history: read a piece: %w", p.err)
		}
		if err := f(p.body); err != nil {
			return err
		}
	}
	return ctx.Err() // names were left out then
}
