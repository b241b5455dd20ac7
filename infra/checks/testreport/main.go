// Command testreport runs `go test -json` with its arguments and prints what a
// person wants to know: one line per package, everything that a failed test
// said, the name of every skipped test with the reason it gave, and at the end
//
//	N passed, N failed, N skipped
//
// Tests and their subtests are counted alike. It fails when anything failed:
// a test, a build, or the go command itself.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	ok, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(args []string) (bool, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...) //nolint:noctx // runs as long as it takes, -timeout ends it
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	r := newReport(os.Stdout)
	if err := r.read(events); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return false, err
	}
	// The go command knows of failures that no event tells, and the other way
	// round we do not trust an exit code against a failed test.
	err = cmd.Wait()
	r.end()
	return err == nil && r.failed == 0, nil
}
