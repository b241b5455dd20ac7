package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A soak that imports something new still builds in the copy.
func TestTheCopyHasAllThatTheSoakIsBuiltOf(t *testing.T) {
	t.Parallel()
	const module = "pricemanager/"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"test/soak/run").Output()
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for dep := range strings.FieldsSeq(string(out)) {
		path, ok := strings.CutPrefix(dep, module)
		if !ok {
			continue
		}
		ours++
		if !slices.ContainsFunc(parts, func(part string) bool { return path == part || strings.HasPrefix(path, part+"/") }) {
			t.Errorf("%s is not copied", dep)
		}
	}
	if ours < 10 {
		t.Errorf("only %d packages were found", ours)
	}
}

// Whoever changes a line that a mutant switches off learns it at once.
func TestEveryMutantFitsTheEngineAsItIs(t *testing.T) {
	t.Parallel()
	if len(mutants) < 20 {
		t.Errorf("only %d mutants", len(mutants))
	}
	for _, m := range mutants {
		for _, e := range m.edits {
			source, err := os.ReadFile(filepath.Join("../../../internal", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), e.old); n != 1 {
				t.Errorf("%s: %q is in %s %d times, want once", m.name, e.old, e.file, n)
			}
			if e.old == e.to {
				t.Errorf("%s changes nothing", m.name)
			}
		}
	}
}
