// Command mutants shows that the soak would notice: it switches off one
// protection of the lane engine at a time, in a copy of the module, and runs a
// bounded soak on each. The last line is JSON; it exits with 1 when a mutant
// survives, and with 2 when one cannot be made.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	survivors, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	last, err := json.Marshal(map[string]any{"ok": len(survivors) == 0, "mutants": len(mutants), "survivors": survivors})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(last))
	if len(survivors) > 0 {
		os.Exit(1)
	}
}
