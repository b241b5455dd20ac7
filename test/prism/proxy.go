package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"pricemanager/infra/local/flock"
	"pricemanager/test/contract"
)

const (
	sources = "test/prism"   // package.json and its lock
	cache   = ".local/prism" // what npm makes of them
)

// install puts the pinned Prism below .local, once for each lock file.
func install(ctx context.Context) error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is needed, install Node.js 20 or newer: %w", tool, err)
		}
	}
	unlock, err := flock.Lock(ctx, cache+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return err
	}
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(sources, name))
		if err != nil {
			return err
		}
		_, _ = sum.Write(text)
		if err := os.WriteFile(filepath.Join(cache, name), text, 0o600); err != nil {
			return err
		}
	}
	// Written last, so that a cut installation is made again.
	mark, want := filepath.Join(cache, "installed"), hex.EncodeToString(sum.Sum(nil))
	if got, err := os.ReadFile(mark); err == nil && string(got) == want {
		return nil
	}
	fmt.Println("installing Prism, once")
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = cache
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci (is the registry reachable?): %w: %.500s", err, text)
	}
	return os.WriteFile(mark, []byte(want), 0o600)
}

// proxy is a running Prism.
type proxy struct {
	url string
	cmd *exec.Cmd
	dir string // with the models as Prism reads them
}

// ready is the line that Prism prints, in colour, once it listens.
var ready = regexp.MustCompile(`Prism is listening on (http://[0-9.:]+)`)

// patience is how long Prism may take to read the models: some seconds on an
// idle machine.
const patience = 2 * time.Minute

// startProxy runs Prism in front of upstream.
func startProxy(ctx context.Context, upstream string) (*proxy, error) {
	models, err := contract.Swagger()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "prism") // of its own: Prism starts anew when the file is written again
	if err != nil {
		return nil, err
	}
	document := filepath.Join(dir, "models.json")
	if err := os.WriteFile(document, models, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(cache, "node_modules/@stoplight/prism-cli/dist/index.js"),
		"proxy", document, upstream, "--errors", "--host", "127.0.0.1", "--port", "0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p := &proxy{cmd: cmd, dir: dir}
	found, said := make(chan string, 1), make(chan string, 1)
	go func() {
		var last string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			last = lines.Text()
			if m := ready.FindStringSubmatch(last); m != nil {
				found <- m[1]
				break
			}
		}
		said <- last
		_, _ = io.Copy(io.Discard, out) // it logs every request
	}()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case p.url = <-found:
		return p, nil
	case last := <-said:
		err = fmt.Errorf("prism ended: %s", last)
	case <-wait.C:
		err = errors.New("prism does not listen")
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.stop()
	return nil, err
}

func (p *proxy) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
	_ = os.RemoveAll(p.dir)
}
