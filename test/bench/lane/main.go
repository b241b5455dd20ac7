// Command lane measures the sync engine: how much of Amazon's budget it uses,
// how fairly it shares it, what a change costs, and how it compares with the
// client libraries that one would use instead. The last line of its output is
// JSON for machines; it exits 1 when a promise is not kept. A figure that was
// not measured is absent.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"pricemanager/test/bench/lane/peers"
	"pricemanager/test/bench/lane/virtual"
)

func main() {
	prices := flag.Int("prices", 60, "prices in the batch of the comparison with peers; 0 leaves it out")
	flag.Parse()
	report, err := run(context.Background(), *prices)
	report["ok"] = err == nil
	if err != nil {
		report["error"] = err.Error()
	}
	line, jerr := json.Marshal(report)
	if jerr != nil {
		line = []byte(`{"ok":false}`)
	}
	fmt.Println(string(line))
	if err != nil || jerr != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, prices int) (map[string]any, error) {
	report := map[string]any{}
	dir, err := os.MkdirTemp("", "bench-lane")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, figures := filepath.Join(dir, "virtual"), filepath.Join(dir, "figures.json")
	fmt.Println("build")
	if text, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "bench", "-o", binary, "./test/bench/lane/virtual").CombinedOutput(); err != nil {
		return report, fmt.Errorf("build: %w: %s", err, text)
	}
	fmt.Println("in virtual time")
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.timeout=4m", "-test.skip=^TestOurEngineBesideItsPeers$")
	cmd.Env = append(os.Environ(), virtual.Figures+"="+figures)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		err = fmt.Errorf("a promise is not kept, see above: %w", err)
		return report, errors.Join(err, read(figures, report))
	}
	if err := read(figures, report); err != nil || prices == 0 {
		return report, err
	}
	fmt.Printf("%d prices at Amazon's real pace, beside other clients\n", prices)
	ours := []string{binary, "-test.run=^TestOurEngineBesideItsPeers$", "-test.timeout=3m"}
	got, err := peers.Run(ctx, prices, ours, virtual.Target, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	if err != nil {
		fmt.Printf("THE COMPARISON WITH PEERS IS MISSING: %v\n", err)
		return report, nil
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		r := got[name]
		fmt.Printf("%-22s %5.2f patches/s accepted, %4d refused, %3d lost, %d doubled\n", name, r.PerSecond, r.Refused, r.Lost, r.Doubled)
	}
	report["peers"] = got
	if o := got["ours"]; o.Lost > 0 || o.Refused > 0 || o.Doubled > 0 {
		return report, fmt.Errorf("our engine at real pace: %d refused, %d lost, %d doubled, want none", o.Refused, o.Lost, o.Doubled)
	}
	return report, nil
}

func read(file string, into map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &into)
}
