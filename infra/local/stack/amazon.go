package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"pricemanager/infra/local/leash"
	"pricemanager/test/canary"
)

// Who we are at the fake Amazon. The client secret is made per StateDir.
const (
	applicationID     = "amzn1.sp.solution.local"
	clientID          = "amzn1.application-oa2-client.local"
	fakeAmazonPackage = "./test/fakeamazon/cmd/fakeamazon"
	consentPath       = "/apps/authorize/consent"
	secretFile        = "amazon-client-secret"
	amazonSavesWithin = 10 * time.Second
)

// fakeAmazon is the fake as a process.
type fakeAmazon struct {
	url     string
	process *leash.Process
}

func startAmazon(ctx context.Context, o Options, state, binary, publicURL string) (*fakeAmazon, error) {
	keep, err := clientSecret(state)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-addr", "127.0.0.1:" + strconv.Itoa(o.AmazonPort), "-speed", strconv.Itoa(max(o.Speed, 1)),
		"-app-id", applicationID, "-client-id", clientID, "-client-secret-file", keep,
		"-redirect-uri", publicURL + "/oauth/callback",
	}
	if o.StateDir != "" {
		args = append(args, "-state", filepath.Join(state, "amazon.json"))
	}
	if o.SeedFile != "" {
		args = append(args, "-seed-file", o.SeedFile)
	}
	if o.AmazonPort != 0 { // a free one cannot be busy
		l, err := listen(ctx, o.AmazonPort, "AMAZON_PORT")
		if err != nil {
			return nil, fmt.Errorf("stack: fake Amazon: %w", err)
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("stack: %w", err)
		}
	}
	out := &announcement{log: o.Log, addr: make(chan string, 1)}
	process, err := leash.Start(leash.Spec{
		Path: binary, Args: append(args, o.AmazonArgs...), Env: []string{"PATH=" + os.Getenv("PATH")}, Output: out,
	})
	if err != nil {
		return nil, fmt.Errorf("stack: fake Amazon: %w", err)
	}
	f := &fakeAmazon{process: process}
	select {
	case addr := <-out.addr:
		f.url = "http://" + addr
		return f, nil
	case <-process.Done():
		err = fmt.Errorf("stack: the fake Amazon ended while starting: %s", out.text())
	case <-ctx.Done():
		err = fmt.Errorf("stack: the fake Amazon does not say where it listens: %w", ctx.Err())
	}
	return nil, errors.Join(err, f.close())
}

func (f *fakeAmazon) close() error { return f.process.Close(amazonSavesWithin) }

// announcement reads the log of the fake Amazon for the line that says where it
// listens, and passes everything on.
type announcement struct {
	log  io.Writer
	addr chan string

	mu   sync.Mutex
	head []byte // what came before the announcement
	done bool
}

func (a *announcement) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.head = append(a.head, p...)
		for line := range bytes.Lines(a.head) {
			var entry struct {
				Addr string `json:"addr"`
			}
			if json.Unmarshal(line, &entry) == nil && entry.Addr != "" {
				a.addr <- entry.Addr
				a.done, a.head = true, nil
				break
			}
		}
	}
	return a.log.Write(p)
}

func (a *announcement) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.head)
}

// clientSecret makes the credential that the fake Amazon and the product share,
// once per state directory, and returns the file it is in.
func clientSecret(state string) (string, error) {
	path := filepath.Join(state, secretFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("stack: %w", err)
	}
	_, err = f.WriteString("amzn1.oa2-cs.v1." + canary.MarkSecret + rand.Text() + rand.Text())
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("stack: %w", err)
	}
	return path, nil
}
