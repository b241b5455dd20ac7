// Package peers lets the client libraries that a seller would use instead of
// the product send the same batch to the same fake Amazon, over HTTP at
// Amazon's real pace, beside the product's own engine. The fake is the judge:
// it counts what it accepted, what it refused as over the budget, and which
// prices never arrived.
//
// The libraries are pinned and installed from their registries on first use. A
// missing interpreter or registry is an error that says so; nothing is guessed.
package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"pricemanager/infra/local/flock"
	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

// Result is what Amazon says about one sender.
type Result struct {
	PerSecond float64 `json:"acceptedPerSecond"` // from its first request to its last accepted one
	Accepted  int     `json:"accepted"`
	Refused   int     `json:"refused"` // calls over the budget
	Lost      int     `json:"lost"`    // prices that never arrived
	Doubled   int     `json:"doubled"` // prices that arrived more than once
}

// Limit bounds one sender: some repeat for very long.
const Limit = 150 * time.Second

const market = price.MarketplaceID("A1PA6795UKMFR9")

// sender is one way to send the batch: a program and its arguments after port,
// refresh token, seller and number of prices.
type sender struct {
	name string
	dir  string
	argv []string
	more []string
	env  bool // the product's own engine takes its arguments from the environment
}

// Run sends a batch of n prices with every sender at the same time and returns
// what Amazon saw of each. ours is the program with the product's engine, and
// target the variable in which it is told where Amazon is.
func Run(ctx context.Context, n int, ours []string, target string, say func(string, ...any)) (map[string]Result, error) {
	python, perr := localaws.EnsureVenvFor(ctx, "", "test/bench/lane/peers/requirements.txt", os.Stderr)
	node, nerr := ensureNode(ctx)
	if err := errors.Join(perr, nerr); err != nil {
		return nil, err
	}
	here, err := filepath.Abs("test/bench/lane/peers")
	if err != nil {
		return nil, err
	}
	py, js := []string{python, filepath.Join(here, "peer.py")}, []string{"node", filepath.Join(here, "peer.mjs")}
	senders := []sender{
		{name: "ours", argv: ours, env: true},
		{name: "python-plain", argv: py, more: []string{"plain"}},
		{name: "python-throttle-retry", argv: py, more: []string{"retry"}},
		{name: "python-tuned-10", argv: py, more: []string{"tuned"}},
		{name: "npm-1", dir: node, argv: js, more: []string{"1"}},
		{name: "npm-10", dir: node, argv: js, more: []string{"10"}},
	}
	fake, err := fakeamazon.New(fakeamazon.Config{Seed: 7, Clock: clock.Real{}, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.bench", ClientID: "client", ClientSecret: secret.New("hidden"), RedirectURIs: []string{"https://price.example/back"}}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = fake.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: european(fake), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	failed := make([]error, len(senders))
	for i, s := range senders {
		seller := "A2" + strings.ToUpper(strings.ReplaceAll(s.name, "-", ""))
		if err := stock(fake, seller, n); err != nil {
			return nil, err
		}
		refresh, err := fake.Authorize(price.EU, seller)
		if err != nil {
			return nil, err
		}
		all.Go(func() { failed[i] = s.run(ctx, []string{port, refresh.Reveal(), seller, strconv.Itoa(n)}, target, say) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	out := map[string]Result{}
	for _, s := range senders {
		r := judge(fake, "A2"+strings.ToUpper(strings.ReplaceAll(s.name, "-", "")), n)
		if r.Accepted == 0 { // it could not speak to the fake at all: no comparison
			return nil, fmt.Errorf("peers: %s had nothing accepted, see above", s.name)
		}
		out[s.name] = r
	}
	return out, nil
}

// european puts the fake's European API at the root, where Amazon has it. The
// npm library asks for tokens in JSON, which the fake is too strict to take: how
// a token is asked for is not what is compared.
func european(fake http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/auth/"):
			r.URL.Path = "/eu" + r.URL.Path
			if r.URL.RawPath != "" {
				r.URL.RawPath = "/eu" + r.URL.RawPath
			}
		case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			asked := map[string]string{}
			if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&asked); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			form := url.Values{}
			for k, v := range asked {
				form.Set(k, v)
			}
			body := form.Encode()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
		fake.ServeHTTP(w, r)
	})
}

func stock(fake *fakeamazon.Fake, seller string, n int) error {
	listings := make([]fakeamazon.Listing, n)
	for i := range listings {
		listings[i] = fakeamazon.Listing{Marketplace: market, SKU: price.SKU(fmt.Sprintf("SKU-%06d", i)), Price: "20.00"}
	}
	return fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{market}, Listings: listings})
}

func (s sender) run(ctx context.Context, where []string, target string, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	argv := s.argv
	if !s.env {
		argv = append(append(append([]string{}, s.argv...), where...), s.more...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = s.dir
	cmd.WaitDelay = 5 * time.Second
	if s.env {
		cmd.Env = append(os.Environ(), target+"="+strings.Join(where, " "))
	}
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	for line := range strings.Lines(text.String()) {
		say("  %s: %.200s", s.name, strings.TrimSpace(line))
	}
	if ctx.Err() != nil {
		say("  %s: ended after %s", s.name, Limit)
		return nil // what it did until then counts
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func judge(fake *fakeamazon.Fake, seller string, n int) Result {
	var r Result
	var first, last time.Time
	for _, q := range fake.Requests(fakeamazon.Query{Op: "patchListingsItem", Seller: seller}) {
		if first.IsZero() {
			first = q.Time
		}
		switch {
		case q.Status == http.StatusTooManyRequests:
			r.Refused++
		case q.Effect:
			r.Accepted++
			last = q.Time
		}
	}
	arrived := 0
	for _, e := range fake.Effects() {
		if e.Seller == seller {
			arrived++
			r.Doubled += e.Count - 1
		}
	}
	r.Lost = n - arrived
	if span := last.Sub(first).Seconds(); span > 0 {
		r.PerSecond = math.Round(float64(r.Accepted)/span*100) / 100
	}
	return r
}

// ensureNode installs the pinned npm package below .local, once.
func ensureNode(ctx context.Context) (string, error) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("peers: %s is needed: %w", tool, err)
		}
	}
	dir, err := filepath.Abs(".local/peers")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	unlock, err := flock.Lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("test/bench/lane/peers", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("peers: npm ci (is the registry reachable?): %w: %.500s", err, text)
	}
	return dir, nil
}
