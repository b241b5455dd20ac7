package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
