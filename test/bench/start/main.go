// Command start measures what each function adds to a cold start: the time from
// its start as a process to its first request for an event, above that of an
// empty Go handler, measured in turn in the same run; and what its binary
// weighs. It exits 1 when the worst function is over the limit.
//
// The last line of its output is JSON for machines, the lines before are
// progress for people. Functions are built exactly as they are deployed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"pricemanager/test/lambdarig"
)

// limitMs is the start-up budget: a function's own init at most 20 ms above an
// empty handler.
const limitMs = 20.0

const emptyName = "empty"

type result struct {
	InitMs   float64  `json:"initMs"` // above the empty handler, median
	BinaryMB float64  `json:"binaryMB"`
	Largest  []module `json:"largest"`
}

type report struct {
	OK          bool              `json:"ok"`
	Functions   map[string]result `json:"functions"`
	EmptyMs     float64           `json:"emptyMs"`
	WorstInitMs float64           `json:"worstInitMs"`
	Error       string            `json:"error,omitempty"`
}

func main() {
	runs := flag.Int("runs", 20, "starts of each function")
	flag.Parse()
	rep, err := run(context.Background(), *runs)
	if err != nil {
		rep.OK, rep.Error = false, err.Error()
	}
	line, err := json.Marshal(rep)
	if err != nil {
		line = []byte(`{"ok":false}`)
	}
	fmt.Println(string(line))
	if !rep.OK {
		os.Exit(1)
	}
}

func run(ctx context.Context, runs int) (report, error) {
	rep := report{Functions: map[string]result{}}
	mains, err := filepath.Glob("functions/*/main.go")
	if err != nil || len(mains) == 0 {
		return rep, errors.Join(errors.New("no functions/*/main.go here; run from the top of the project"), err)
	}
	dir, err := os.MkdirTemp("", "bench-start")
	if err != nil {
		return rep, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	names := []string{emptyName}
	packages := map[string]string{emptyName: "./test/bench/start/empty"}
	for _, m := range mains {
		name := filepath.Base(filepath.Dir(m))
		names = append(names, name)
		packages[name] = "./" + filepath.Dir(m)
	}
	for _, name := range names {
		fmt.Printf("build %s\n", name)
		if err := build(ctx, packages[name], filepath.Join(dir, name), true); err != nil {
			return rep, err
		}
	}
	times := map[string][]float64{}
	// In turn, so that whatever else the machine does falls on all alike. The
	// first round only warms the page cache.
	for i := range runs + 1 {
		for _, name := range names {
			ms, err := start(ctx, filepath.Join(dir, name))
			if err != nil {
				return rep, fmt.Errorf("%s: %w", name, err)
			}
			if i > 0 {
				times[name] = append(times[name], ms)
			}
		}
	}
	rep.EmptyMs = round(median(times[emptyName]))
	for _, name := range names[1:] {
		r, err := weigh(ctx, packages[name], filepath.Join(dir, name))
		if err != nil {
			return rep, err
		}
		r.InitMs = round(median(times[name]) - median(times[emptyName]))
		rep.Functions[name] = r
		rep.WorstInitMs = max(rep.WorstInitMs, r.InitMs)
		fmt.Printf("%-14s %6.1f ms above empty, %5.1f MB, largest %v\n", name, r.InitMs, r.BinaryMB, r.Largest)
	}
	rep.OK = rep.WorstInitMs <= limitMs
	return rep, nil
}

// build makes a bootstrap as `make build` does; without strip it keeps the
// symbols that weigh reads.
func build(ctx context.Context, pkg, out string, strip bool) error {
	args := []string{"build", "-trimpath", "-tags", "lambda.norpc", "-o", out}
	if strip {
		args = append(args, "-ldflags", "-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, text)
	}
	return nil
}

// start runs the binary once and returns its init time in milliseconds.
func start(ctx context.Context, binary string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	f, err := lambdarig.Start(ctx, lambdarig.Options{Binary: binary, Env: environment()})
	if err != nil {
		return 0, err
	}
	ms := float64(f.InitTime().Microseconds()) / 1000
	return ms, f.Stop()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

func round(v float64) float64 { return float64(int64(v*100+0.5)) / 100 }
