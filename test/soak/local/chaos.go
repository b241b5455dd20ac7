package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
	"pricemanager/test/fakeamazon"
)

// chaos breaks things at the moments and in the order that its seed says, until
// it is told to stop.
type chaos struct {
	w       *world
	sellers []*seller
	rng     *rand.Rand

	rounds chan struct{} // one for each round that has begun

	mu     sync.Mutex
	counts map[string]int // what it did
	amazon []string       // ids of the faults it armed at the fake Amazon
}

func newChaos(w *world, sellers []*seller, seed int) *chaos {
	return &chaos{w: w, sellers: sellers, rng: rand.New(rand.NewPCG(uint64(seed), 17)),
		rounds: make(chan struct{}, rounds), counts: map[string]int{}}
}

// victims are the functions whose processes are killed, the busiest most often.
var victims = []string{"price-sync", "audit-stream", "price-sync", "token-broker", "price-sync", "price-upload"}

// deck is what is broken in a round, in an order that the seed chooses. A lane
// whose worker was killed rests until its lease has run out: with more of them
// the soak would only wait.
func (c *chaos) deck() []func(context.Context) (string, error) {
	var all []func(context.Context) (string, error)
	for _, part := range []struct {
		times int
		do    func(context.Context) (string, error)
	}{{4, c.kill}, {2, c.cutAmazon}, {5, c.failAWS}, {1, c.repeatMessages}} {
		for range part.times {
			all = append(all, part.do)
		}
	}
	c.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// more lets chaos begin with another round.
func (c *chaos) more() { c.rounds <- struct{}{} }

// run goes on until ctx ends.
func (c *chaos) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.rounds:
		}
		for _, breaks := range c.deck() {
			wait := 300*time.Millisecond + time.Duration(c.rng.Int64N(int64(2*time.Second)))
			if !rested(ctx, wait) {
				return nil
			}
			what, err := breaks(ctx)
			switch {
			case ctx.Err() == nil && err != nil:
				return err
			case err == nil:
				c.w.say("  %s", what)
			}
		}
	}
}

// rested is false when ctx ended meanwhile.
func rested(ctx context.Context, d time.Duration) bool { return (clock.Real{}).Sleep(ctx, d) == nil }

func (c *chaos) count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] += n
}

// did returns what happened so far.
func (c *chaos) did() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// kill ends all processes of a function with SIGKILL: of the next one that has
// any, when the one that the seed chooses has none.
func (c *chaos) kill(context.Context) (string, error) {
	first := c.rng.IntN(len(victims))
	for i := range victims {
		function := victims[(first+i)%len(victims)]
		processes, err := localaws.Workers(c.w.Function(function), c.w.proxy.url)
		if err != nil {
			return "", err
		}
		n := 0
		for _, p := range processes {
			if p.Kill() == nil { // it may have ended by itself
				n++
			}
			_ = p.Release()
		}
		if n > 0 {
			c.count("kills", n)
			c.count("killed "+function, n)
			return fmt.Sprintf("killed %d of %s", n, function), nil
		}
	}
	return "found nothing to kill", nil
}

// cutAmazon closes connections to Amazon, before or after their effect.
func (c *chaos) cutAmazon(ctx context.Context) (string, error) {
	ops := []string{"patchListingsItem", "patchListingsItem", "searchListingsItems", "token", ""}
	f := fakeamazon.Fault{
		Kind:   []fakeamazon.FaultKind{fakeamazon.CutBefore, fakeamazon.CutAfter, fakeamazon.CutAfter}[c.rng.IntN(3)],
		Op:     ops[c.rng.IntN(len(ops))],
		Seller: c.sellers[c.rng.IntN(len(c.sellers))].account,
		Times:  1 + c.rng.IntN(5),
	}
	if f.Op == "token" {
		f.Seller = "" // who asks is not known before the answer
	}
	var armed struct{ ID string }
	if err := c.w.amazon.do(ctx, "POST", "faults", f, &armed); err != nil {
		return "", err
	}
	c.amazon = append(c.amazon, armed.ID)
	return fmt.Sprintf("Amazon: %s, %d times, %s", f.Kind, f.Times, f.Op), nil
}

// failAWS has a few calls of AWS fail.
func (c *chaos) failAWS(ctx context.Context) (string, error) {
	what, err := c.w.proxy.fail(ctx, c.rng)
	return "AWS: " + what, err
}

// repeatMessages delivers doorbells of a seller again.
func (c *chaos) repeatMessages(ctx context.Context) (string, error) {
	s, n := c.sellers[c.rng.IntN(len(c.sellers))], 1+c.rng.IntN(4)
	for range n {
		if err := c.w.repeat(ctx, s); err != nil {
			return "", err
		}
	}
	c.count("repeatedMessages", n)
	return fmt.Sprintf("%d doorbells of %s again", n, s.account), nil
}

// calm takes back all faults that are still armed, and counts those that hit.
func (c *chaos) calm(ctx context.Context) error {
	var faults []fakeamazon.Fault
	if err := c.w.amazon.do(ctx, "GET", "faults", nil, &faults); err != nil {
		return err
	}
	for _, f := range faults {
		if !slices.Contains(c.amazon, f.ID) {
			continue
		}
		c.count("amazonCuts", f.Hits)
		if err := c.w.amazon.do(ctx, "DELETE", "faults/"+f.ID, nil, nil); err != nil {
			return err
		}
	}
	return c.w.proxy.calm(ctx)
}
