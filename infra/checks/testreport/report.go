package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string
}

// test names a test, or a package when Test is empty.
type test struct{ Package, Test string }

// report digests events as they come, so that a long run shows its progress.
type report struct {
	out                     io.Writer
	said                    map[test][]string // output of what has not ended yet
	skips                   []string
	passed, failed, skipped int
}

func newReport(out io.Writer) *report { return &report{out: out, said: map[test][]string{}} }

func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				r.take(e)
			} else {
				r.print(string(line)) // not every tool below the go command speaks JSON
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	id := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.print(e.Output)
	case "output":
		r.said[id] = append(r.said[id], e.Output)
	case "pass":
		if e.Test == "" {
			r.verdicts(id)
		} else {
			r.passed++
		}
		delete(r.said, id)
	case "fail":
		for _, text := range r.said[id] {
			r.print(text)
		}
		delete(r.said, id)
		if e.Test != "" {
			r.failed++
		}
	case "skip":
		if e.Test == "" { // a package without tests
			r.verdicts(id)
		} else {
			r.skipped++
			r.skips = append(r.skips, fmt.Sprintf("skipped: %s %s: %s", e.Package, e.Test, reason(r.said[id])))
		}
		delete(r.said, id)
	}
}

// verdicts prints the closing line of a package and leaves out the rest.
func (r *report) verdicts(id test) {
	for _, text := range r.said[id] {
		if strings.HasPrefix(text, "ok ") || strings.HasPrefix(text, "? ") {
			r.print(text)
		}
	}
}

// reason is what a test said before it skipped, on one line.
func reason(said []string) string {
	var words []string
	for _, text := range said {
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, "===") && !strings.HasPrefix(text, "---") {
			words = append(words, text)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}

// end prints what the whole run came to.
func (r *report) end() {
	// Of a test that never ended (the process died) all output is still here.
	for id, said := range r.said {
		if id.Test != "" {
			r.print(fmt.Sprintf("never ended: %s %s\n", id.Package, id.Test))
		}
		for _, text := range said {
			r.print(text)
		}
	}
	slices.Sort(r.skips)
	for _, s := range r.skips {
		r.print(s + "\n")
	}
	r.print(fmt.Sprintf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped))
}

func (r *report) print(text string) { _, _ = io.WriteString(r.out, text) }
