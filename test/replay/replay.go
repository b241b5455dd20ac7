// Package replay runs the recorded events of a function through its handler.
// The events are in events/<function>/, as AWS delivers them, one file a case;
// the name begins with the kind of case: success-, failure- or partial-. Each is
// replayed once more with planted secrets and personal data, none of which may be
// in the answer, in the error, or in what the function tells to Told.
//
// It promises that no recorded event goes unchecked, no check goes without its
// event, and that a function has at least one success and one failure. It knows
// nothing about what a handler does.
package replay

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Handler answers one invocation: raw JSON in, raw JSON out.
type Handler func(context.Context, json.RawMessage) (json.RawMessage, error)

// Check judges what a handler made of an event.
type Check func(t *testing.T, out json.RawMessage, err error)

// Setup makes a fresh handler for a case, with the world that the event was
// recorded in.
type Setup func(t *testing.T) Handler

// Run replays every event of events/<function>/ and checks each by the check of
// its name (the file name without .json). partial says whether the function
// takes batches, of which a part may fail.
func Run(t *testing.T, function string, partial bool, setup Setup, checks map[string]Check) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", function, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	seen := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		kind, _, _ := strings.Cut(name, "-")
		kinds[kind]++
		seen[name] = true
		check := checks[name]
		if check == nil {
			t.Errorf("%s has no check", file)
			continue
		}
		t.Run(name, func(t *testing.T) {
			out, err := setup(t)(t.Context(), Event(t, function, name))
			check(t, out, err)
		})
		t.Run(name+"-with-canaries", func(t *testing.T) { tellsNothing(t, setup(t), Event(t, function, name)) })
	}
	for name := range checks {
		if !seen[name] {
			t.Errorf("events/%s/%s.json is missing", function, name)
		}
	}
	for _, kind := range []string{"success", "failure", "partial"} {
		if kinds[kind] == 0 && (kind != "partial" || partial) {
			t.Errorf("events/%s has no %s case", function, kind)
		}
	}
}

// Event returns a recorded event of a function by its name.
func Event(t *testing.T, function, name string) json.RawMessage {
	t.Helper()
	file := filepath.Join("..", "..", "events", function, name+".json")
	event, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(event) {
		t.Fatalf("%s is not JSON", file)
	}
	return event
}

// Status is the check of an API answer: its status, and a text that its body
// must contain.
func Status(want int, contains string) Check {
	return func(t *testing.T, out json.RawMessage, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("the invocation failed: %v", err)
		}
		var res struct {
			StatusCode int    `json:"statusCode"`
			Body       string `json:"body"`
		}
		if err := json.Unmarshal(out, &res); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want || !strings.Contains(res.Body, contains) {
			t.Errorf("status %d, want %d, and %q in the body: %s", res.StatusCode, want, contains, res.Body)
		}
	}
}

// Failed is the check of a batch: exactly the named items failed.
func Failed(items ...string) Check {
	return func(t *testing.T, out json.RawMessage, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("the invocation failed: %v", err)
		}
		var res struct {
			BatchItemFailures *[]struct {
				ItemIdentifier string `json:"itemIdentifier"`
			} `json:"batchItemFailures"`
		}
		if err := json.Unmarshal(out, &res); err != nil {
			t.Fatal(err)
		}
		if res.BatchItemFailures == nil {
			t.Fatalf("batchItemFailures is missing or null: %s", out)
		}
		if len(*res.BatchItemFailures) != len(items) {
			t.Fatalf("failed %v, want %v", *res.BatchItemFailures, items)
		}
		for i, f := range *res.BatchItemFailures {
			if f.ItemIdentifier != items[i] {
				t.Errorf("failed %v, want %v", *res.BatchItemFailures, items)
			}
		}
	}
}

// Error is the check of an invocation that must fail with this in its message.
func Error(contains string) Check {
	return func(t *testing.T, _ json.RawMessage, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), contains) {
			t.Errorf("error %v, want one with %q", err, contains)
		}
	}
}
