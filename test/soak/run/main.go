// Command run plays the soak and prints its result as one line of JSON, the last
// one. It exits with 1 when a promise was broken. SOAK_CHANGES and SEED set how
// many changes and which histories, SOAK_OPTIONS (soak.Options as JSON) of what
// kind, and SHRINK=no leaves out the search for the shortest history.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"pricemanager/test/soak"
)

func main() {
	var o soak.Options
	if text := os.Getenv("SOAK_OPTIONS"); text != "" {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			fmt.Fprintln(os.Stderr, "SOAK_OPTIONS:", err)
			os.Exit(2)
		}
	}
	o.Seed = uint64(setting("SEED", 1))
	changes := setting("SOAK_CHANGES", 1_000_000)
	debug.SetGCPercent(400) // the histories are small and make much garbage
	var shown time.Duration
	r := soak.RunMany(o, changes, runtime.GOMAXPROCS(0), func(n int64, since time.Duration) {
		if since-shown > 5*time.Second {
			shown = since
			fmt.Printf("%9d changes in %4.0f s, %d a second\n", n, since.Seconds(), int64(float64(n)/since.Seconds()))
		}
	})
	if !r.OK {
		explain(o, r)
	}
	last, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(last))
	if !r.OK {
		os.Exit(1)
	}
}
