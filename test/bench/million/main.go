// Command million drives one price file of a million rows, against a million
// known offers of one tenant, through the product as `make run` starts it: every
// function as a process of its own on the local AWS, deployed from template.yaml,
// and reached only through the API. The file is uploaded by a presigned POST,
// planned, applied, staged, committed, and taken up by the lane.
//
// It shows that no function needs more memory or time than template.yaml gives
// it, and that the API says how far the plan and the batch are. At five prices a
// second Amazon would take 56 hours for all of them, so it ends once sending has
// begun. ROWS makes the file and the catalogue smaller.
//
// Two things are not as on AWS, for the sake of speed: the offers are put straight
// into the table, as the product's own code makes them, since Amazon would show
// them in hours; and the table's stream is off, since its records would be kept
// and handed to the ledger by the same one process that is the local AWS.
//
// The last line of the output is JSON; the exit code is 1 when a promise was
// broken.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// within bounds the whole run. Nearly all of it is the local AWS's time.
const within = 3 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, within)
	rows, err := setting("ROWS", 1_000_000)
	var r Result
	if err == nil {
		r, err = play(ctx, rows, os.Stdout)
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

// setting is a number from the environment.
func setting(name string, otherwise int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, fmt.Errorf("%s is %q: want a whole number from 1 to 1000000", name, text)
	}
	return n, nil
}

// Result is the last line of the output.
type Result struct {
	OK   bool `json:"ok"`
	Rows int  `json:"rows"`
	// PlanSeconds is from the request to a plan that can be applied, ApplySeconds
	// from there to the commit.
	PlanSeconds  float64 `json:"planSeconds"`
	ApplySeconds float64 `json:"applySeconds"`
	// Runs are how many runs of the function it took, and the longest one took.
	PlanRuns               int     `json:"planRuns"`
	ApplyRuns              int     `json:"applyRuns"`
	LongestRunSeconds      float64 `json:"longestRunSeconds"`
	LongestApplyRunSeconds float64 `json:"longestApplyRunSeconds"`
	// Reports are different states of progress that the API told of.
	ProgressReports int `json:"progressReports"`
	StagedReports   int `json:"stagedReports"`
	// PeakMiB is the largest resident set of the planning function, PeaksMiB that
	// of every function that took part, against the MemorySize of each.
	PeakMiB   float64            `json:"peakMiB"`
	MemoryMiB int32              `json:"memoryMiB"`
	PeaksMiB  map[string]float64 `json:"peaksMiB"`
	// CPUSeconds is the processor time of each function; all other time is that of
	// the local AWS, or waiting for it.
	CPUSeconds map[string]float64 `json:"cpuSeconds"`
	// Sent are the prices that had left when it ended.
	Sent        int64   `json:"sent"`
	SeedSeconds float64 `json:"seedSeconds"`
	Seconds     float64 `json:"seconds"`
	Error       string  `json:"error,omitempty"`
}

// errPromise is a promise that was broken.
var errPromise = errors.New("a promise was broken")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errPromise, fmt.Sprintf(format, args...))
}
