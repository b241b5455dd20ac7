package product_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pricemanager/infra/local/canaries"
	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
)

// speed makes the fake Amazon faster than the real one: 100 requests a second
// and prices that show after 0.1 to 0.3 s.
const speed = 20

// rig is a running stack, with what it writes kept for the search for secrets.
type rig struct {
	*stack.Stack
	amazon amazon
	watch  *canaries.Watch
	dir    string // holds state/ and log
	keys   []string
}

// start brings up a stack that runs until the end of top, the test that t is
// part of.
func start(t, top *testing.T, o stack.Options) *rig {
	t.Helper()
	r := &rig{dir: top.TempDir()}
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	o.StateDir, o.Log, o.Speed = filepath.Join(r.dir, "state"), log, speed
	if r.Stack, err = stack.Up(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, r.lastLines())
	}
	r.amazon, r.watch = amazon{r.AdminURL}, canaries.New(r.Stack)
	r.watch.Answers = answers
	r.keys = append(r.keys, r.APIKey.Reveal())
	top.Cleanup(func() {
		// For the case that the search for secrets, which closes it, was not reached.
		if err := errors.Join(r.Close(), log.Close()); err != nil {
			top.Error(err)
		}
		if top.Failed() {
			top.Logf("the last lines of the stack's log:\n%s", r.lastLines())
		}
	})
	return r
}

// lastLines is the end of the stack's log.
func (r *rig) lastLines() []byte {
	text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	text = text[max(0, len(text)-8<<10):]
	_, text, _ = bytes.Cut(text, []byte("\n"))
	return text
}

// demoFile is the path of one of the demo's files.
func demoFile(t *testing.T, name string) string {
	t.Helper()
	root, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "events", "prices", name)
}

// eventually asks until it is so, and fails the test when it is not within the
// limit.
func eventually(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("gave up after %s waiting until %s", limit, what)
		case <-tick.C:
		}
	}
}
