// Package leash runs child processes that cannot outlive their parent. Each
// child leads a process group of its own and everything it starts stays in
// that group, so ending it ends exactly what it started and nothing else.
//
// When the parent dies without a chance to clean up (kill -9, a panicking
// test), the kernel closes the leash, a pipe that a tiny watcher inside the
// group reads, and the watcher ends the whole group.
//
// It does not restart children and it does not look for processes by name.
package leash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// watch becomes the child by exec, so that the child's process id is the one
// the parent knows. Before that it leaves a watcher in the group that waits for
// the end of file on the leash. $0 is unused, "$@" is the command.
const watch = `exec 3<&0
(read -r _ <&3; kill -9 0) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null`

// Process is a running child with its group.
type Process struct {
	cmd  *exec.Cmd
	rope io.Closer     // the write end of the leash
	done chan struct{} // closed when the child itself has ended
	err  error         // how it ended; read after done

	closing sync.Once
}

// Spec says what to run. Env is the whole environment of the child: nothing is
// inherited, so that no credential of the caller's shell reaches it by accident.
type Spec struct {
	Path   string
	Args   []string // without the program itself
	Env    []string
	Dir    string
	Output io.Writer // stdout and stderr; nil discards them
}

// Start runs the child.
func Start(s Spec) (*Process, error) {
	args := append([]string{"-c", watch, "leash", s.Path}, s.Args...)
	cmd := exec.Command("/bin/sh", args...) //nolint:noctx // lives until Close, not as long as some call
	cmd.Env = s.Env
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = s.Output, s.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild may keep the output pipe open; Wait must not hang on it.
	cmd.WaitDelay = 2 * time.Second
	// Not StdinPipe: Wait would close that when the child ends by itself, the
	// watcher would go, and the group id could be somebody else's by the time
	// Close uses it.
	far, rope, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("leash: %w", err)
	}
	cmd.Stdin = far
	err = cmd.Start()
	_ = far.Close()
	if err != nil {
		_ = rope.Close()
		return nil, fmt.Errorf("leash: cannot start %s: %w", s.Path, err)
	}
	p := &Process{cmd: cmd, rope: rope, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the child's process id, which is also its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child itself has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended. It is nil while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// ErrKilled says that a child had to be killed.
var ErrKilled = errors.New("did not end")

// Close asks the child to end (SIGTERM), gives it the grace time to save its
// state, and then ends whatever is left of its group: that is ErrKilled. It may be
// called more than once.
func (p *Process) Close(grace time.Duration) error {
	var err error
	p.closing.Do(func() { err = p.end(grace) })
	return err
}

func (p *Process) end(grace time.Duration) error {
	var late error
	if e := p.cmd.Process.Signal(syscall.SIGTERM); e != nil && !errors.Is(e, os.ErrProcessDone) {
		late = fmt.Errorf("leash: cannot signal process %d: %w", p.PID(), e)
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		late = fmt.Errorf("leash: process %d %w within %s and was killed", p.PID(), ErrKilled, grace)
	}
	// The watcher is still in the group, so the group id cannot have been given
	// to anyone else, however long ago the child ended.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
	_ = p.rope.Close()
	return late
}
