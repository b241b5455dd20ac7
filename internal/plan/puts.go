package plan

import (
	"context"
	"fmt"
	"sync"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// putsAtOnce is how many files of a plan are on their way to the bucket while the
// next are being made: a put takes tens of milliseconds, a file of a thousand rows
// is made in three. Each is a few hundred KB.
const putsAtOnce = 8

// puts writes the files of a plan beside the making of it.
//
// Crash points: nothing may count a file that is not there. Whoever writes that
// the plan got so far (its item, a checkpoint) waits for all files before, and
// whoever gives up the job waits too, so that no late file falls upon those of the
// next run.
type puts struct {
	write func(name string, body []byte) error
	free  chan []byte // what is not in use; taking one is leave to write

	mu   sync.Mutex
	open map[string]bool
	err  error // the first one; nothing is begun after it
	all  sync.WaitGroup
}

func (s *Store) puts(ctx context.Context, t tenant.ID) *puts {
	p := &puts{free: make(chan []byte, putsAtOnce), open: map[string]bool{}, write: func(name string, body []byte) error {
		if err := s.Blobs.Put(ctx, t, store.Files, name, "application/x-ndjson", body); err != nil {
			return fmt.Errorf("plan: write rows: %w", err)
		}
		return nil
	}}
	for range putsAtOnce {
		p.free <- nil
	}
	return p
}

// put begins to write a copy of body. The error may be that of an earlier file.
func (p *puts) put(name string, body []byte) error {
	p.mu.Lock()
	twice := p.open[name]
	p.mu.Unlock()
	if twice { // made anew: the later one has to win
		p.all.Wait()
	}
	buf := append((<-p.free)[:0], body...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.free <- buf
		return p.err
	}
	p.open[name] = true
	p.all.Go(func() {
		err := p.write(name, buf)
		p.mu.Lock()
		delete(p.open, name)
		if p.err == nil {
			p.err = err
		}
		p.mu.Unlock()
		p.free <- buf
	})
	return nil
}

// wait returns when everything that was begun has ended, with the first error.
func (p *puts) wait() error {
	p.all.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
