// Command import measures how fast price files are read and how much memory
// that takes: every part on one core, in a process of its own, with a file of a
// million rows and with one of a hundred thousand, so that what grows with the
// rows shows. It exits 1 when a limit is not kept.
//
// The last line of its output is JSON for machines, the lines before are
// progress for people.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// The limits that have to be kept, by the key of the report.
var (
	atLeast = map[string]float64{"csvRowsPerSecond": 1_000_000, "planRowsPerSecond": 400_000}
	atMost  = map[string]float64{"peakMiB": 256, "bytesPerRow": 32}
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of the large file")
	runs := flag.Int("runs", 3, "runs of each part, of which the median counts")
	child := flag.String("child", "", "measure this part in this process (used by the command itself)")
	file := flag.String("file", "", "with -child: the file to read")
	flag.Parse()
	if *child != "" {
		if err := measure(*child, *file, *rows); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	report, err := compare(context.Background(), *rows, *runs)
	report["ok"] = err == nil && kept(report)
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

// kept says which limits are not kept, on the way.
func kept(report map[string]any) bool {
	ok := true
	for key, limit := range atLeast {
		if v, measured := report[key].(float64); measured && v < limit {
			fmt.Printf("%s is %.0f, at least %.0f is wanted\n", key, v, limit)
			ok = false
		}
	}
	for key, limit := range atMost {
		if v, measured := report[key].(float64); measured && v > limit {
			fmt.Printf("%s is %.1f, at most %.1f is wanted\n", key, v, limit)
			ok = false
		}
	}
	return ok
}
