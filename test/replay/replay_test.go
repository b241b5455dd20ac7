package replay

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// demoFiles is the one directory below events/ that is no function's.
const demoFiles = "prices"

var call = regexp.MustCompile(`replay\.Run\(t, "([a-z-]+)"`)

func TestEveryFunctionReplaysItsRecordedEvents(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	functions := directories(t, filepath.Join(root, "functions"))
	if len(functions) == 0 {
		t.Fatal("no functions found")
	}
	for function := range functions {
		events, err := filepath.Glob(filepath.Join(root, "events", function, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			t.Errorf("functions/%s has no recorded events in events/%s", function, function)
		}
		tests, err := filepath.Glob(filepath.Join(root, "functions", function, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		replays := 0
		for _, file := range tests {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllSubmatch(text, -1) {
				if string(m[1]) != function {
					t.Errorf("%s replays the events of %s", file, m[1])
				}
				replays++
			}
		}
		if replays != 1 {
			t.Errorf("functions/%s calls replay.Run %d times, want once", function, replays)
		}
	}
	for name := range directories(t, filepath.Join(root, "events")) {
		if name != demoFiles && !functions[name] {
			t.Errorf("events/%s is of no function", name)
		}
	}
}

func directories(t *testing.T, path string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() {
			names[e.Name()] = true
		}
	}
	return names
}
