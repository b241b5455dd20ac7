// Command mutants shows that the soak would notice: it switches off one
// protection of the engine or the ledger at a time, in a copy of the module, and
// plays a bounded soak on each. The same histories are played with the engine as
// it is, which has to survive them. The last line is JSON; it exits with 1 when a
// mutant survives or the engine does not, and with 2 when one cannot be tried.
// MUTANT tries only those whose names contain it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	r, err := run(context.Background(), os.Getenv("MUTANT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
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
