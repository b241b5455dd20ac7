package isolation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pricemanager/test/openapi"
)

// TestNoRouteIsLeftOut: each function that answers requests has both matrices made of
// its own router, and each route of the contract is in the table.
func TestNoRouteIsLeftOut(t *testing.T) {
	t.Parallel()
	functions := map[string]bool{}
	files, err := filepath.Glob("../../functions/*/*.go")
	must(t, err)
	calls := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		function := filepath.Base(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") {
			calls[function] += string(text)
		} else if strings.Contains(string(text), "web.New(") {
			t.Errorf("%s makes a router without what stands before its routes: use front.New", file)
		} else if strings.Contains(string(text), "front.New(") {
			functions[function] = true
		}
	}
	table, err := os.ReadFile(Table)
	must(t, err)
	for f := range functions {
		for _, call := range []string{"isolation.Routes(t, isolated)", "isolation.Authorisation(t, isolated(t))", fmt.Sprintf("Function: %q", f)} {
			if strings.Count(calls[f], call) != 1 {
				t.Errorf("functions/%s answers requests and its tests lack %s", f, call)
			}
		}
	}
	methods, err := os.ReadFile(MethodsTable)
	must(t, err)
	for line := range strings.SplitSeq(string(methods), "\n") {
		if f, ok := strings.CutPrefix(line, "## "); ok && strings.Count(calls[f], "isolation.Methods(t, func(") != 1 {
			t.Errorf("%s has a part for %s, whose tests do not make it", MethodsTable, f)
		}
	}
	for _, r := range openapi.Load(t).Routes() {
		_, mine, _, ok := part(string(table), r.Function)
		if !ok || !functions[r.Function] || strings.Count(mine, "\n| "+r.Method+" "+r.Path+" |") != 1 {
			t.Errorf("%s has no line for %s %s of %s", Table, r.Method, r.Path, r.Function)
		}
	}
	for _, line := range strings.Split(string(table), "\n") {
		if f, ok := strings.CutPrefix(line, "## "); ok && !functions[f] {
			t.Errorf("%s has a part for %s, which answers no requests", Table, f)
		}
	}
	if len(functions) < 5 {
		t.Errorf("only %v were found", functions)
	}
}
