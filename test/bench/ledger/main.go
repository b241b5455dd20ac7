// Command ledger measures how many events a second one core gets into a
// tenant's ledger by the product's own append: encode, salt, commit, tree,
// compress, seal, and one conditional write per packed append. What the network
// would do is left out: the store is memory. Beside it, in the same run, stands
// what a bare log costs: golang.org/x/mod/sumdb/tlog over the events as JSON.
// Both are measured in processes of their own, several times in turn.
//
// It exits 1 when the limit is not kept. The last line of its output is JSON
// for machines, the lines before are progress for people.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// wanted is the least number of events a second and core.
const wanted = 200_000

// parts are what is measured, by the key of the report.
var parts = map[string]func(events int) (time.Duration, error){
	"eventsPerSecond":     product,
	"bareEventsPerSecond": bare,
}

func main() {
	events := flag.Int("events", 400_000, "events of a run")
	runs := flag.Int("runs", 5, "runs of each part, of which the median counts")
	child := flag.String("child", "", "measure this part in this process (used by the command itself)")
	flag.Parse()
	if *child != "" {
		if err := measure(*child, *events); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	report, err := compare(context.Background(), *events, *runs)
	rate, _ := report["eventsPerSecond"].(float64)
	report["ok"] = err == nil && rate >= wanted
	if err != nil {
		report["error"] = err.Error()
	}
	line, err := json.Marshal(report)
	if err != nil {
		line = []byte(`{"ok":false}`)
	}
	fmt.Println(string(line))
	if report["ok"] != true {
		os.Exit(1)
	}
}

// compare runs the parts in turn, so that what else happens on the machine
// happens to both.
func compare(ctx context.Context, events, runs int) (map[string]any, error) {
	report := map[string]any{"events": events, "runs": runs, "wanted": wanted}
	rates := map[string][]float64{}
	for range runs {
		for key := range parts {
			seconds, err := process(ctx, key, events)
			if err != nil {
				return report, fmt.Errorf("%s: %w", key, err)
			}
			rates[key] = append(rates[key], float64(events)/seconds)
		}
	}
	for key, all := range rates {
		slices.Sort(all)
		report[key] = math.Round(all[len(all)/2])
		fmt.Printf("%-20s %9.0f, between %.0f and %.0f\n", key, report[key], all[0], all[len(all)-1])
	}
	ours, theirs := report["eventsPerSecond"].(float64), report["bareEventsPerSecond"].(float64)
	report["ratio"] = math.Round(ours/theirs*1000) / 1000
	return report, nil
}

// process measures a part in a process of its own, on one core.
func process(ctx context.Context, key string, events int) (seconds float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", key, "-events", strconv.Itoa(events))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return seconds, json.Unmarshal(out, &seconds)
}

func measure(key string, events int) error {
	run := parts[key]
	if run == nil {
		return fmt.Errorf("no part %q", key)
	}
	if runtime.GOMAXPROCS(0) != 1 {
		return fmt.Errorf("GOMAXPROCS is %d, want 1", runtime.GOMAXPROCS(0))
	}
	spent, err := run(events)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(spent.Seconds())
}

// processorTime is what this process has used so far, in the kernel and in
// collecting garbage included: rates are per core, whatever else runs.
func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
