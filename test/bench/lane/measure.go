package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"pricemanager/test/bench/lane/peers"
	"pricemanager/test/bench/lane/virtual"
	"pricemanager/test/ddblocal"
)

// realPace is the test that sends in real time; consumed are those that count
// units with DynamoDB Local.
const (
	realPace = "^TestOurEngineBesideItsPeers$"
	consumed = "^TestUnits"
)

func run(ctx context.Context, parts []string, prices int) (map[string]any, error) {
	report := map[string]any{}
	dir, err := os.MkdirTemp("", "bench-lane")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "virtual")
	fmt.Println("build")
	if text, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "bench", "-o", binary, "./test/bench/lane/virtual").CombinedOutput(); err != nil {
		return report, fmt.Errorf("build: %w: %s", err, text)
	}
	var errs []error
	for _, part := range parts {
		switch part {
		case "virtual":
			fmt.Println("in virtual time")
			errs = append(errs, measure(ctx, binary, report, "-test.skip="+realPace+"|"+consumed))
		case "units":
			fmt.Println("units that DynamoDB Local says are consumed")
			if _, err := exec.LookPath("java"); err != nil {
				errs = append(errs, ddblocal.ErrUnavailable)
				continue
			}
			errs = append(errs, measure(ctx, binary, report, "-test.run="+consumed))
		case "peers":
			errs = append(errs, compare(ctx, binary, report, prices))
		default:
			errs = append(errs, fmt.Errorf("there is no part %q", part))
		}
	}
	return report, errors.Join(errs...)
}

// measure runs some of the tests in virtual time and reads their figures.
func measure(ctx context.Context, binary string, report map[string]any, which string) error {
	figures := binary + ".json"
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.timeout=4m", which)
	cmd.Env = append(os.Environ(), virtual.Figures+"="+figures)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("a promise is not kept, or could not be measured, see above: %w", err)
	}
	return errors.Join(err, read(figures, report))
}

// compare sends a batch at Amazon's real pace, with us and with others.
func compare(ctx context.Context, binary string, report map[string]any, prices int) error {
	fmt.Printf("%d prices at Amazon's real pace, beside other clients\n", prices)
	ours := []string{binary, "-test.run=" + realPace, "-test.timeout=3m"}
	got, err := peers.Run(ctx, prices, ours, virtual.Target, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	if err != nil {
		fmt.Printf("THE COMPARISON WITH PEERS IS MISSING: %v\n", err)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		r := got[name]
		fmt.Printf("%-22s %5.2f patches/s accepted, %4d refused, %3d lost, %d doubled\n", name, r.PerSecond, r.Refused, r.Lost, r.Doubled)
	}
	report["peers"] = got
	if o := got["ours"]; o.Lost > 0 || o.Refused > 0 || o.Doubled > 0 {
		return fmt.Errorf("our engine at real pace: %d refused, %d lost, %d doubled, want none", o.Refused, o.Lost, o.Doubled)
	}
	return nil
}

func read(file string, into map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &into)
}
