package leash_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pricemanager/infra/local/leash"
)

// family prints its own process id and that of a child, then waits for ever.
const family = `sleep 600 & echo $$ $!; wait`

// TestMain doubles as a parent that is killed: it starts a family on a leash
// and prints its process ids.
func TestMain(m *testing.M) {
	if os.Getenv("LEASH_TEST_PARENT") != "" {
		if _, err := leash.Start(leash.Spec{Path: "/bin/sh", Args: []string{"-c", family}, Env: os.Environ(), Output: os.Stdout}); err != nil {
			panic(err)
		}
		select {}
	}
	os.Exit(m.Run())
}

func TestCloseEndsTheChildAndWhatItStarted(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	p, err := leash.Start(leash.Spec{Path: "/bin/sh", Args: []string{"-c", family}, Env: []string{"PATH=" + os.Getenv("PATH")}, Output: w})
	if err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, r)
	if pids[0] != p.PID() {
		t.Errorf("PID() = %d, the child says %d", p.PID(), pids[0])
	}
	if err := p.Close(5 * time.Second); err != nil {
		t.Error(err)
	}
	waitGone(t, pids)
}

func TestAChildThatIgnoresTheRequestIsKilledAndReported(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	p, err := leash.Start(leash.Spec{
		Path: "/bin/sh", Args: []string{"-c", `trap '' TERM; ` + family},
		Env: []string{"PATH=" + os.Getenv("PATH")}, Output: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, r)
	if err := p.Close(50 * time.Millisecond); !errors.Is(err, leash.ErrKilled) {
		t.Errorf("Close = %v, want a report that it was killed", err)
	}
	waitGone(t, pids)
}

func TestTheFamilyDoesNotOutliveAKilledParent(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), "LEASH_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, out)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitGone(t, pids)
	_ = parent.Wait()
}

func TestTheEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("LEASH_TEST_SECRET", "leaked")
	r, w := io.Pipe()
	p, err := leash.Start(leash.Spec{Path: "/bin/sh", Args: []string{"-c", `echo "got:$LEASH_TEST_SECRET:$GIVEN"; sleep 600`}, Env: []string{"PATH=" + os.Getenv("PATH"), "GIVEN=yes"}, Output: w})
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if line != "got::yes\n" {
		t.Errorf("the child saw %q", line)
	}
	if err := p.Close(5 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestDoneTellsThatAChildEndedByItself(t *testing.T) {
	t.Parallel()
	p, err := leash.Start(leash.Spec{Path: "/bin/sh", Args: []string{"-c", "exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	var exit *exec.ExitError
	if !errors.As(p.Err(), &exit) || exit.ExitCode() != 3 {
		t.Errorf("Err = %v, want exit status 3", p.Err())
	}
	if err := p.Close(time.Second); err != nil {
		t.Error(err)
	}
}

func readPIDs(t *testing.T, r io.Reader) []int {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for f := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("child printed %q", line)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("child printed %q, want two process ids", line)
	}
	return pids
}

// waitGone waits until none of the processes runs; a zombie that nobody has
// collected yet does not run.
func waitGone(t *testing.T, pids []int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		var alive []int
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil && !zombie(pid) {
				alive = append(alive, pid)
			}
		}
		if len(alive) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("processes %v are still there", alive)
		}
	}
}

// zombie reports whether only the remains of a process are left. Where there is
// no /proc, init collects them soon.
func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(after, "Z")
}
