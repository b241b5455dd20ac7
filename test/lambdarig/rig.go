// Package lambdarig runs a real Lambda bootstrap binary against a stand-in for
// the Lambda Runtime API, without AWS: it measures how long the binary takes to
// ask for its first event, hands it events, and returns its answers.
//
// It keeps to the interface that AWS documents for custom runtimes
// (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), one event at a time
// as in one execution environment, and the small part of the extensions
// interface by which the Go runtime library asks for SIGTERM. A binary that
// ends, or says that its start failed, makes Start or Invoke return an error
// that holds the end of its output. It limits neither memory nor processor.
package lambdarig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options says what to run.
type Options struct {
	Binary string
	Env    []string // the whole environment, besides the Runtime API's address
	// Output receives what the function prints; nil discards it.
	Output io.Writer
	// Timeout is the function's, told to it as each event's deadline; 0 is 29 s.
	Timeout time.Duration
}

// Function is one running execution environment.
type Function struct {
	opts   Options
	cmd    *exec.Cmd
	server *http.Server
	out    *tail

	ready  chan struct{} // closed at the first request for an event
	begun  time.Time
	asked  time.Time
	once   sync.Once
	exited chan struct{}
	exit   error

	invoking sync.Mutex
	number   int
	events   chan event
	answers  chan Result
	failed   chan string // start failures that the function reported
	closed   chan struct{}
}

type event struct {
	id, trace string
	payload   []byte
	deadline  time.Time
}

// Result is what the function answered.
type Result struct {
	// Payload is the answer, or the error document when Failed.
	Payload []byte
	Failed  bool
	Took    time.Duration
	id      string
}

// ErrEnded is a function that is not running any more.
var ErrEnded = errors.New("lambdarig: the function ended")

// Start runs the binary and returns when it asks for its first event. ctx
// bounds the start only; Stop ends the function.
func Start(ctx context.Context, o Options) (*Function, error) {
	if o.Timeout == 0 {
		o.Timeout = 29 * time.Second // API Gateway's own limit
	}
	if o.Output == nil {
		o.Output = io.Discard
	}
	f := &Function{
		opts: o, out: &tail{}, ready: make(chan struct{}), exited: make(chan struct{}), closed: make(chan struct{}),
		events: make(chan event), answers: make(chan Result, 1), failed: make(chan string, 1),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lambdarig: %w", err)
	}
	f.server = &http.Server{Handler: f.api(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(listener) }()

	f.cmd = exec.Command(o.Binary)
	f.cmd.Env = append(append([]string{}, o.Env...), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	f.cmd.Stdout = io.MultiWriter(o.Output, f.out)
	f.cmd.Stderr = f.cmd.Stdout
	f.begun = time.Now()
	if err := f.cmd.Start(); err != nil {
		_ = f.server.Close()
		return nil, fmt.Errorf("lambdarig: start %s: %w", o.Binary, err)
	}
	go func() {
		f.exit = f.cmd.Wait()
		close(f.exited)
	}()
	select {
	case <-f.ready:
		return f, nil
	case why := <-f.failed:
		err = fmt.Errorf("lambdarig: the start failed: %s", why)
	case <-f.exited:
		err = f.ended()
	case <-ctx.Done():
		err = fmt.Errorf("lambdarig: waiting for the first request: %w; output: %s", ctx.Err(), f.out)
	}
	_ = f.Stop()
	return nil, err
}

// InitTime is how long the function took from its start as a process to its
// first request for an event.
func (f *Function) InitTime() time.Duration { return f.asked.Sub(f.begun) }

// Invoke hands the function one event and waits for its answer. trace is an
// X-Ray trace header, or "".
func (f *Function) Invoke(ctx context.Context, payload []byte, trace string) (Result, error) {
	f.invoking.Lock()
	defer f.invoking.Unlock()
	f.number++
	start := time.Now()
	ev := event{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", f.number), trace: trace, payload: payload, deadline: start.Add(f.opts.Timeout)}
	select {
	case f.events <- ev:
	case <-f.exited:
		return Result{}, f.ended()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	for {
		select {
		case r := <-f.answers:
			if r.id != ev.id {
				continue // late, of an invocation that was given up
			}
			r.Took = time.Since(start)
			return r, nil
		case <-f.exited:
			return Result{}, f.ended()
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}

// Stop ends the function as Lambda does: SIGTERM, and SIGKILL if it still runs
// 500 ms later. Stopping twice is fine.
func (f *Function) Stop() error {
	f.once.Do(func() {
		_ = f.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-f.exited:
		case <-time.After(500 * time.Millisecond):
			_ = f.cmd.Process.Kill()
			<-f.exited
		}
		close(f.closed)
		_ = f.server.Close()
	})
	return nil
}

func (f *Function) ended() error {
	return fmt.Errorf("%w (%v); output: %s", ErrEnded, f.exit, f.out) //nolint:errorlint // nil when it exited well, and nobody asks for its kind
}

// api serves the Runtime API.
func (f *Function) api() http.Handler {
	const base = "/2018-06-01/runtime"
	var first sync.Once
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		first.Do(func() {
			f.asked = time.Now()
			close(f.ready)
		})
		select {
		case ev := <-f.events:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:000000000000:function:rig")
			if ev.trace != "" {
				h.Set("Lambda-Runtime-Trace-Id", ev.trace)
			}
			_, _ = w.Write(ev.payload)
		case <-f.closed:
		case <-r.Context().Done():
		}
	})
	answer := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			select {
			case f.answers <- Result{Payload: body, Failed: failed, id: r.PathValue("id")}:
			case <-f.closed:
			}
		}
	}
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", answer(false))
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", answer(true))
	mux.HandleFunc("POST "+base+"/init/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		w.WriteHeader(http.StatusAccepted)
		select {
		case f.failed <- string(body):
		default:
		}
	})
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "rig")
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-f.closed:
		case <-r.Context().Done():
		}
	})
	return mux
}

// tail keeps the last bytes of a function's output for error messages.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailSize {
		t.b = bytes.Clone(t.b[len(t.b)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
