package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const suite = `package probe
import "testing"
func TestGood(t *testing.T) { t.Log("quiet"); t.Run("sub", func(t *testing.T) {}) }
func TestLeftOut(t *testing.T) { t.Skip("needs a moon") }
`

func TestTheReportTellsPassesSkipsAndFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, more string
		ok         bool
		want       []string
		not        string
	}{
		{"all well", "", true, []string{"ok  \tprobe", "skipped: probe TestLeftOut: probe_test.go:4: needs a moon", "2 passed, 0 failed, 1 skipped\n"}, "quiet"},
		{"a failure", `func TestBad(t *testing.T) { t.Error("was 3") }`, false, []string{"was 3", "--- FAIL: TestBad", "FAIL\tprobe", "2 passed, 1 failed, 1 skipped\n"}, "quiet"},
		{"a panic", `func TestBad(t *testing.T) { panic("oh") }`, false, []string{"panic: oh", "FAIL\tprobe"}, ""},
		{"a process that ends early", `func TestBad(t *testing.T) { os.Exit(0) }` + "\n", false, []string{"TestBad"}, ""},
		{"no build", `func TestBad(t *testing.T) { undefined() }`, false, []string{"undefined: undefined", "0 passed"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			text := suite + c.more
			if strings.Contains(c.more, "os.") {
				text = strings.Replace(text, `import "testing"`, "import \"testing\"\nimport \"os\"", 1)
			}
			write(t, filepath.Join(dir, "go.mod"), "module probe\n\ngo 1.26\n")
			write(t, filepath.Join(dir, "probe_test.go"), text)
			var out bytes.Buffer
			ok := runIn(t, dir, &out)
			if ok != c.ok {
				t.Errorf("verdict %t, want %t", ok, c.ok)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("the report lacks %q", w)
				}
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("the report shows %q", c.not)
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

// runIn does what run does, in another directory and with its output kept.
func runIn(t *testing.T, dir string, out *bytes.Buffer) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./...")
	cmd.Dir = dir
	events, _ := cmd.Output()
	r := newReport(out)
	if err := r.read(bytes.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	r.end()
	return cmd.ProcessState.Success() && r.failed == 0
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
