package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// seed is that of the first history of every scene.
	seed = 7
	// patience is how long one mutant may take. One that hangs proves nothing:
	// the soak itself has to say that the world does not come to rest.
	patience = 4 * time.Minute
)

// verdict is what the soak said about one version of the engine.
type verdict struct {
	Broken  string // the first promise that was broken, "" when none was
	Changes int64  `json:"changes"` // played by then
	Seed    uint64 `json:"seed"`    // of the history that broke it
	failed  string // the soak itself did: it hung or panicked, which proves nothing
}

// report is what comes out of trying all mutants.
type report struct {
	OK        bool     `json:"ok"`
	Mutants   int      `json:"mutants"`
	Survivors []string `json:"survivors"`
	Broken    []string `json:"broken,omitempty"` // scenes that the engine as it is does not survive
	Seconds   float64  `json:"seconds"`
}

// parts are what the soak is built of.
var parts = []string{"go.mod", "go.sum", "internal", "test/canary", "test/soak"}

// run tries the engine as it is, then all mutants whose names contain only, on a
// copy of what they need of the module.
func run(ctx context.Context, only string) (r report, err error) {
	begun := time.Now()
	mutants := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !strings.Contains(m.name, only) })
	r = report{Mutants: len(mutants), Survivors: []string{}}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, part := range parts {
		if err := copyInto(dir, part); err != nil {
			return r, err
		}
	}
	fmt.Printf("%-42s %-7s %8s %6s  %s\n", "without", "scene", "changes", "time", "caught by")
	asItIs := map[*scene]bool{}
	for _, m := range mutants {
		if asItIs[m.scene] {
			continue
		}
		asItIs[m.scene] = true
		v, err := try(ctx, dir, mutant{name: "nothing: the engine as it is", scene: m.scene})
		if err != nil {
			return r, err
		}
		if v.Broken != "" || v.failed != "" {
			r.Broken = append(r.Broken, m.scene.name)
		}
	}
	for _, m := range mutants {
		v, err := try(ctx, dir, m)
		if err != nil {
			return r, fmt.Errorf("%s: %w", m.name, err)
		}
		if v.Broken == "" {
			r.Survivors = append(r.Survivors, m.name)
		}
	}
	r.OK = len(r.Survivors) == 0 && len(r.Broken) == 0
	r.Seconds = time.Since(begun).Seconds()
	return r, nil
}

// try runs the soak on one mutant and prints a line of the table. The copy is as
// before afterwards.
func try(ctx context.Context, dir string, m mutant) (v verdict, err error) {
	begun := time.Now()
	for _, e := range m.edits {
		undo, err := e.apply(dir)
		if err != nil {
			return v, err
		}
		defer undo()
	}
	program := filepath.Join(dir, "soak.out")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/soak/run")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return v, fmt.Errorf("%w\n%s", err, out)
	}
	if v, err = play(ctx, program, m.scene); err != nil {
		return v, err
	}
	text := v.Broken
	switch {
	case v.failed != "":
		text = "NO VERDICT: " + v.failed
	case text == "" && len(m.edits) > 0:
		text = "SURVIVED"
	case text == "":
		text = "nothing to catch"
	default:
		text = fmt.Sprintf("%s [seed %d]", text, v.Seed)
	}
	fmt.Printf("%-42s %-7s %8d %4.0f s  %.150s\n", m.name, m.scene.name, v.Changes, time.Since(begun).Seconds(), text)
	return v, nil
}

// apply makes the edit in the copy, and returns what takes it back.
func (e edit) apply(dir string) (undo func(), err error) {
	name := filepath.Join(dir, "internal", e.file)
	was, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(was), e.old); n != 1 {
		return nil, fmt.Errorf("%s: the text %q is there %d times, want once", e.file, e.old, n)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(was), e.old, e.to, 1)), 0o600); err != nil {
		return nil, err
	}
	return func() {
		if err := os.WriteFile(name, was, 0o600); err != nil {
			panic(err) // every mutant after this one would be another
		}
	}, nil
}

func play(ctx context.Context, program string, s *scene) (v verdict, err error) {
	options, err := json.Marshal(s.options)
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	soak := exec.CommandContext(ctx, program)
	soak.Env = append(os.Environ(), fmt.Sprint("SOAK_CHANGES=", s.changes), fmt.Sprint("SEED=", seed),
		"SOAK_OPTIONS="+string(options), "SHRINK=no")
	out, err := soak.CombinedOutput()
	if ctx.Err() != nil {
		v.failed = "no end within " + patience.String()
		return v, nil
	}
	for line := range strings.Lines(string(out)) {
		switch text, broken := strings.CutPrefix(line, "broken: "); {
		case broken && v.Broken == "":
			v.Broken = strings.TrimSpace(text)
		case strings.HasPrefix(line, "{"):
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				return v, err
			}
		}
	}
	if err != nil && v.Broken == "" {
		v.failed = firstLine(out)
		return v, nil
	}
	return v, nil
}

// firstLine is the reason that a program gave for its end.
func firstLine(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "fatal") {
			return strings.TrimSpace(line)
		}
	}
	return "no reason given"
}

// copyInto copies a file or directory of the module to the same place below dir.
func copyInto(dir, part string) error {
	info, err := os.Stat(part)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, part)
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(part))
	}
	body, err := os.ReadFile(part)
	if err != nil {
		return err
	}
	return os.WriteFile(to, body, 0o600)
}
