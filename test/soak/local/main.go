// Command local plays a smaller soak with the real thing: every function as a
// process of its own on the local AWS, deployed from template.yaml, and the fake
// Amazon over HTTP. Several sellers upload price files at the same second, round
// after round, while processes are killed with SIGKILL, connections to Amazon are
// cut, messages are delivered again, AWS throttles, cancels and loses answers
// (microburst, a proxy in front of the local AWS), and a stop is set and lifted.
//
// Afterwards every change has to be accounted for: by the batches, by what the
// fake Amazon saw, and by the seller's own ledger, verified offline. The last
// line of the output is JSON; the exit code is 1 when a promise was broken, or
// when too little went wrong to show anything. SEED chooses what goes wrong, and
// SKUS how many offers each seller has.
//
// The same seed gives the same plan of faults, but not the same history: here
// processes race. Package soak has the histories that can be repeated.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// within bounds the whole run: it takes two to three minutes.
const within = 8 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, within)
	seed, err := setting("SEED", 1)
	skus, err2 := setting("SKUS", 240)
	var r Result
	if err = errors.Join(err, err2); err == nil {
		r, err = play(ctx, options{seed: seed, skus: skus, out: os.Stdout})
	}
	cancel()
	stop()
	r.OK = err == nil
	if err != nil {
		r.Error = err.Error()
		fmt.Println("FAILED:", err)
	}
	line, _ := json.Marshal(r) // numbers and words only
	fmt.Println(string(line))
	if err != nil {
		os.Exit(1)
	}
}
