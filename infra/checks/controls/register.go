package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v4"
)

// status says how far a promise is kept.
type status string

// The statuses: a closed set, explained at the top of the register.
const (
	kept     status = "kept"
	partial  status = "partial"
	later    status = "later"
	external status = "external"
)

var statuses = []status{kept, partial, later, external}

// control is one promise.
type control struct {
	ID     string   `yaml:"id"`
	Title  string   `yaml:"title"`
	Status status   `yaml:"status"`
	Where  []string `yaml:"where"`
	Check  []string `yaml:"check"`
	Note   string   `yaml:"note"`
}

// registerFile is where the register is, below the project's directory.
const registerFile = "infra/controls.yaml"

// load reads the register. A member that it does not know is an error: it would
// be a check that nobody makes.
func load(root string) ([]control, error) {
	text, err := os.ReadFile(filepath.Join(root, registerFile))
	if err != nil {
		return nil, err
	}
	var doc struct {
		Controls []control `yaml:"controls"`
	}
	if err := yaml.Load(text, &doc, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", registerFile, err)
	}
	return doc.Controls, nil
}

// promised lists the ids of all promises, in order: C1 to C85 and F1 to F54.
func promised() []string {
	var ids []string
	for _, series := range []struct {
		letter string
		last   int
	}{{"C", 85}, {"F", 54}} {
		for n := range series.last {
			ids = append(ids, fmt.Sprintf("%s%d", series.letter, n+1))
		}
	}
	return ids
}

// complete says what is wrong with the entries themselves.
func complete(controls []control) (problems []string) {
	bad := func(id, format string, args ...any) {
		problems = append(problems, id+": "+fmt.Sprintf(format, args...))
	}
	want, times := promised(), map[string]int{}
	titles := map[string]string{}
	for _, c := range controls {
		times[c.ID]++
		if !slices.Contains(want, c.ID) {
			bad(c.ID, "there is no such promise")
		}
		if c.Title == "" {
			bad(c.ID, "has no title")
		}
		if other := titles[c.Title]; other != "" {
			bad(c.ID, "has the title of %s", other)
		}
		titles[c.Title] = c.ID
		switch c.Status {
		case kept, partial:
			if len(c.Where) == 0 || len(c.Check) == 0 {
				bad(c.ID, "is %s: say where, and name the check", c.Status)
			}
		case later, external:
			if len(c.Where) > 0 || len(c.Check) > 0 {
				bad(c.ID, "is %s, so it has no place and no check", c.Status)
			}
		default:
			bad(c.ID, "has status %q: want one of %v", c.Status, statuses)
		}
		if c.Status != kept && c.Note == "" {
			bad(c.ID, "is %s: the note must say what is missing", c.Status)
		}
		for what, list := range map[string][]string{"where": c.Where, "check": c.Check} {
			if len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
				bad(c.ID, "names something twice in %s", what)
			}
		}
	}
	for _, id := range want {
		if times[id] != 1 {
			bad(id, "occurs %d times, want once", times[id])
		}
	}
	return problems
}

// table prints how many promises of each series have which status, and which
// ones are kept, and counts them.
func table(out io.Writer, controls []control) summary {
	count := map[status]map[string]int{}
	ids := map[status][]string{}
	for _, c := range controls {
		if count[c.Status] == nil {
			count[c.Status] = map[string]int{}
		}
		count[c.Status][c.ID[:min(1, len(c.ID))]]++
		ids[c.Status] = append(ids[c.Status], c.ID)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATUS\tC\tF\tALL\t")
	for _, s := range statuses {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", s, count[s]["C"], count[s]["F"], len(ids[s]))
	}
	fmt.Fprintf(w, "all\t\t\t%d\t\n", len(controls))
	_ = w.Flush()
	for _, s := range []status{kept, partial} {
		fmt.Fprintf(out, "%s: %s\n", s, strings.Join(ids[s], " "))
	}
	return summary{
		Controls: len(controls), Kept: len(ids[kept]), Partial: len(ids[partial]), Later: len(ids[later]), External: len(ids[external]),
	}
}
