package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pricemanager/internal/clock"
)

// running is what a stack leaves in its StateDir for Stop. Process ids are used
// again, so the time at which the process started tells ours from a later one's.
type running struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// stopWithin is how long a stack may take to save its state and end.
const stopWithin = time.Minute

func runningFile(state string) string { return filepath.Join(state, "running.json") }

// remember writes down this process for Stop; forget takes it back.
func remember(state string) (forget func() error, err error) {
	r := running{PID: os.Getpid()}
	if r.Started, err = startTime(r.PID); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	path := runningFile(state)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}

// Stop asks the process that runs a stack from this StateDir to end, waits until
// it is gone, and reports whether there was one. It ends no other process: what
// a stack started ends with it.
func Stop(ctx context.Context, state string) (bool, error) {
	text, err := os.ReadFile(runningFile(state))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("stack: %w", err)
	}
	var r running
	if err := json.Unmarshal(text, &r); err != nil {
		return false, fmt.Errorf("stack: %s cannot be read: %w", runningFile(state), err)
	}
	if !r.alive() { // it was killed
		return false, os.Remove(runningFile(state))
	}
	if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil {
		return false, fmt.Errorf("stack: cannot stop process %d: %w", r.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	for r.alive() {
		if err := (clock.Real{}).Sleep(ctx, 20*time.Millisecond); err != nil {
			return true, fmt.Errorf("stack: process %d was asked to stop and is still there: %w", r.PID, err)
		}
	}
	return true, nil
}

func (r running) alive() bool {
	started, err := startTime(r.PID)
	return err == nil && started == r.Started
}

// startTime says when a process was started, in words of the system's own. It
// is an error when there is no such process or only its remains.
func startTime(pid int) (string, error) {
	state, started, err := procStat(pid)
	if errors.Is(err, errNoProc) {
		state, started, err = psStat(pid)
	}
	if err != nil {
		return "", fmt.Errorf("stack: process %d: %w", pid, err)
	}
	if strings.HasPrefix(state, "Z") {
		return "", fmt.Errorf("stack: process %d has ended", pid)
	}
	return started, nil
}

var errNoProc = errors.New("this system has no /proc")

// procStat reads Linux's /proc/PID/stat: after the command in parentheses, which
// may contain anything, the first field is the state and the twentieth the start
// time in clock ticks since boot (proc_pid_stat(5)).
func procStat(pid int) (state, started string, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		if _, missing := os.Stat("/proc/self/stat"); missing != nil {
			return "", "", errNoProc
		}
		return "", "", err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return "", "", fmt.Errorf("unexpected /proc entry %q", text)
	}
	return fields[0], fields[19], nil
}

// psStat asks ps, for systems without /proc.
func psStat(pid int) (state, started string, err error) {
	cmd := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)) //nolint:noctx // answers at once
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	text, err := cmd.Output()
	if err != nil {
		return "", "", err
	}
	state, started, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
	return state, strings.TrimSpace(started), nil
}
