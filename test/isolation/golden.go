package isolation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tables, with one part for each function.
const (
	Table        = "authorisation.md" // who may ask for what
	MethodsTable = "methods.md"       // what comes of calling a method with what is another's
)

// rewrite names the variable of the environment that has the parts written anew.
const rewrite = "WRITE_MATRIX"

// part is the part of a function in the table's text.
func part(text, function string) (before, mine, after string, ok bool) {
	title := fmt.Sprintf("\n## %s\n", function)
	before, rest, ok := strings.Cut(text, title)
	if !ok {
		return text, "", "", false
	}
	before += title
	if at := strings.Index(rest, "\n## "); at >= 0 {
		return before, rest[:at], rest[at:], true
	}
	return before, rest, "", true
}

func golden(t *testing.T, name, function, table string) {
	t.Helper()
	file := filepath.Join("..", "..", "test", "isolation", name)
	text, err := os.ReadFile(file)
	must(t, err)
	before, mine, after, ok := part(string(text), function)
	if os.Getenv(rewrite) != "" {
		if !ok {
			before += fmt.Sprintf("\n## %s\n", function)
		}
		must(t, os.WriteFile(file, []byte(before+table+after), 0o644))
		return
	}
	if d := cmp.Diff(strings.Split(mine, "\n"), strings.Split(table, "\n")); d != "" {
		t.Errorf("test/isolation/%s is not what %s does (-table, +function); when that is meant, run make matrix:\n%s", name, function, d)
	}
}
