package stack

import (
	"encoding/json"
	"os"
	"testing"
)

// RememberForTest writes down a process for Stop; with started "" the time at
// which it really started.
func RememberForTest(t *testing.T, dir string, pid int, started string) {
	t.Helper()
	if started == "" {
		var err error
		if started, err = startTime(pid); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(running{PID: pid, Started: started})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runningFile(dir), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
