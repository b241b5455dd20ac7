package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheRegisterIsTrueToTheCode(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ok, err := run(filepath.Join("..", "..", ".."), &out)
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var s summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatal(err)
	}
	if !s.OK || s.Controls != 139 || s.Kept+s.Partial+s.Later+s.External != 139 || s.Kept == 0 {
		t.Errorf("summary %+v", s)
	}
}

// checked writes a small project whose register is right but for what change
// does to it, and returns what run says.
func checked(t *testing.T, change func([]control)) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"Makefile":          "check: ## it\n",
		"template.yaml":     "Resources:\n  Table:\n    Properties: {Key: !GetAtt Key.Arn}\n",
		"room/code.go":      "package room",
		"room/room_test.go": "package room\nimport \"testing\"\nfunc TestReal(t *testing.T) { t.Run(\"Part\", nil) }\nfunc TestEmpty(t *testing.T) {}\nfunc TestMain(m *testing.M) { m.Run() }\nfunc testHelper(t *testing.T) { t.Log() }\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var all []control
	for _, id := range promised() {
		all = append(all, control{ID: id, Title: "title of " + id, Status: later, Note: "missing"})
	}
	all[0] = control{ID: "C1", Title: "first", Status: kept, Where: []string{"room/code.go", "room", "template.yaml#Table"},
		Check: []string{"room.TestReal", "room.TestReal/Part", "make:check"}}
	change(all)
	problems, err := verify(root, all)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(problems, "\n")
}

func TestARegisterThatIsRightHasNoProblem(t *testing.T) {
	t.Parallel()
	if got := checked(t, func([]control) {}); got != "" {
		t.Error(got)
	}
}

func TestEveryKindOfFalsehoodIsFound(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func([]control){
		"C2: occurs 0 times":                 func(c []control) { c[1].ID = "C1"; c[1].Title = "x" },
		"C1: occurs 2 times":                 func(c []control) { c[1].ID = "C1"; c[1].Title = "x" },
		"G1: there is no such promise":       func(c []control) { c[1].ID = "G1" },
		"C86: there is no such promise":      func(c []control) { c[1].ID = "C86" },
		"C2: has no title":                   func(c []control) { c[1].Title = "" },
		"C2: has the title of C1":            func(c []control) { c[1].Title = "first" },
		`C2: has status "done"`:              func(c []control) { c[1].Status = "done" },
		"C2: is kept: say where":             func(c []control) { c[1].Status = kept },
		"C1: is kept: say where":             func(c []control) { c[0].Check = nil },
		"C1: is partial: the note must say":  func(c []control) { c[0].Status = partial },
		"C2: is later: the note must say":    func(c []control) { c[1].Note = "" },
		"C1: is later, so it has no place":   func(c []control) { c[0].Status = later },
		"C1: is external, so it has no":      func(c []control) { c[0].Status = external },
		"C1: names something twice in check": func(c []control) { c[0].Check = []string{"make:check", "make:check"} },
		"where gone.go: does not exist":      func(c []control) { c[0].Where = []string{"gone.go"} },
		"where ../x: is not a clean path":    func(c []control) { c[0].Where = []string{"../x"} },
		`no resource "Tables"`:               func(c []control) { c[0].Where = []string{"template.yaml#Tables"} },
		"only template.yaml has resources":   func(c []control) { c[0].Where = []string{"Makefile#check"} },
		"has no test TestGone":               func(c []control) { c[0].Check = []string{"room.TestGone"} },
		"has no test TestMain":               func(c []control) { c[0].Check = []string{"room.TestMain"} },
		"directory gone has no test":         func(c []control) { c[0].Check = []string{"gone.TestReal"} },
		"the test does nothing":              func(c []control) { c[0].Check = []string{"room.TestEmpty"} },
		`has no subtest "Other"`:             func(c []control) { c[0].Check = []string{"room.TestReal/Other"} },
		`has no target "chec"`:               func(c []control) { c[0].Check = []string{"make:chec"} },
		"is neither directory.TestName":      func(c []control) { c[0].Check = []string{"room.testHelper"} },
	} {
		if got := checked(t, change); !strings.Contains(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}

func TestAnUnknownMemberOfTheRegisterIsAnError(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "infra"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "controls:\n  - {id: C1, title: t, status: later, checks: [x], note: n}\n"
	if err := os.WriteFile(filepath.Join(root, registerFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(root); err == nil {
		t.Error("checks is taken for check")
	}
}

func TestPromisesAreCountedWhole(t *testing.T) {
	t.Parallel()
	ids := promised()
	if fmt.Sprintf("%d %s %s %s %s", len(ids), ids[0], ids[84], ids[85], ids[138]) != "139 C1 C85 F1 F54" || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 139 {
		t.Errorf("%v", ids)
	}
}
