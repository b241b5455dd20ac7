package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// run tries all mutants on a copy of what they need of the module.
func run(ctx context.Context) (survivors []string, err error) {
	survivors = []string{}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, part := range []string{"go.mod", "go.sum", "internal", "test/soak"} {
		if err := copyInto(dir, part); err != nil {
			return nil, err
		}
	}
	for _, m := range mutants {
		begun := time.Now()
		found, err := try(ctx, dir, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		verdict := "found: " + found
		if found == "" {
			verdict = "SURVIVED"
			survivors = append(survivors, m.name)
		}
		fmt.Printf("%-46s %4.0f s  %.120s\n", m.name, time.Since(begun).Seconds(), verdict)
	}
	return survivors, nil
}

// try runs the soak on one mutant and returns the first promise that it broke,
// "" when it broke none. The copy is as before afterwards.
func try(ctx context.Context, dir string, m mutant) (found string, err error) {
	for _, e := range m.edits {
		name := filepath.Join(dir, "internal/lane", e.file)
		was, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(was), e.old); n != 1 {
			return "", fmt.Errorf("%s: the text %q is there %d times, want once", e.file, e.old, n)
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(was), e.old, e.to, 1)), 0o600); err != nil {
			return "", err
		}
		defer func() { _ = os.WriteFile(name, was, 0o600) }()
	}
	program := filepath.Join(dir, "soak.out")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/soak/run")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	soak := exec.CommandContext(ctx, program)
	soak.Env = append(os.Environ(), "SOAK_CHANGES=50000", "SEED=7", "SHRINK=no")
	out, err := soak.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		for line := range strings.Lines(string(out)) {
			if text, ok := strings.CutPrefix(line, "broken: "); ok {
				return strings.TrimSpace(text), nil
			}
		}
		return "the engine failed: " + firstLine(out), nil
	}
	return "", err
}

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
