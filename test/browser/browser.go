// Package browser drives Chromium as somebody at a keyboard does, for tests of pages.
//
// It speaks the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)
// over a pipe and needs no module: what pages are tried for is little. The browser is the
// one named by CHROMIUM, or one on the path; a test on a machine without any is skipped
// and says so. Every wait ends: with its test, or after twenty seconds.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Browser is a running one.
type Browser struct {
	in      io.Writer
	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	pages   map[string]*Page // by session
	gone    chan struct{}
}

type reply struct {
	ID      int             `json:"id"`
	Method  string          `json:"method"`
	Session string          `json:"sessionId"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func find() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// Start starts a browser that ends with the test.
func Start(t *testing.T) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		t.Skip("there is no Chromium on this machine: install the package chromium, or name one in CHROMIUM; pages are not tried")
	}
	dir, err := os.MkdirTemp("", "browser") //nolint:usetesting // its processes may write a moment longer than it lives: t.TempDir would fail the test for it
	if err != nil {
		t.Fatal(err)
	}
	toRead, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(dir, "profile"), "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, toWrite} // 3 and 4, as the protocol says
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toRead.Close(), toWrite.Close()
	b := &Browser{in: in, waiting: map[int]chan reply{}, pages: map[string]*Page{}, gone: make(chan struct{})}
	go b.read(out)
	t.Cleanup(func() {
		err := b.call("", "Browser.close", nil, nil)
		if err != nil {
			end()
		}
		if ended := cmd.Wait(); err == nil && ended != nil {
			t.Logf("the browser ended with: %v", ended)
		}
		end()
		_, _ = in.Close(), out.Close()
		<-b.gone
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("left behind: %v", err)
		}
	})
	return b
}

// read hands answers to who waits for them, and events to their page, until the end.
func (b *Browser) read(out io.Reader) {
	defer close(b.gone)
	r := bufio.NewReader(out)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m reply
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		waits, page := b.waiting[m.ID], b.pages[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if waits != nil {
			waits <- m
		} else if page != nil {
			page.heard(m)
		}
	}
}

// patience is how long anything may take on a busy machine.
const patience = 20 * time.Second

// call has the browser do one thing.
func (b *Browser) call(session, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	answer := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.gone:
		return errors.New("the browser has ended")
	case <-late.C:
		return fmt.Errorf("%s: no answer in %s", method, patience)
	}
}
