package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"pricemanager/infra/local/leash"
	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
)

// proxy is microburst between the functions and the local AWS.
type proxy struct {
	url     string
	rules   panel
	process *leash.Process
}

const (
	requirements = "test/soak/local/requirements.txt"
	proxyStarts  = 60 * time.Second
	proxyEnds    = 100 * time.Millisecond
)

// freePort is one that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startProxy runs the proxy in front of a local AWS that need not be there yet.
func startProxy(ctx context.Context, awsPort int, log io.Writer) (*proxy, error) {
	python, err := localaws.EnsureVenvFor(ctx, "", requirements, log)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p := &proxy{url: "http://127.0.0.1:" + strconv.Itoa(port)}
	p.rules = panel{p.url + "/_microburst"}
	p.process, err = leash.Start(leash.Spec{
		Path: python,
		Args: []string{"-m", "microburst", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--no-resign",
			"--upstream", "http://127.0.0.1:" + strconv.Itoa(awsPort)},
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "LANG=C.UTF-8"}, Output: log,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, proxyStarts)
	defer cancel()
	for p.rules.do(ctx, "GET", "health", nil, nil) != nil {
		select {
		case <-p.process.Done():
			return nil, errors.New("microburst ended while starting; the log says why")
		default:
		}
		if err := (clock.Real{}).Sleep(ctx, 50*time.Millisecond); err != nil {
			p.close()
			return nil, fmt.Errorf("microburst does not answer at %s: %w", p.url, err)
		}
	}
	return p, nil
}

// close kills it: it has nothing to save, and asked to end it first waits for
// its clients to close their connections.
func (p *proxy) close() { _ = p.process.Close(proxyEnds) }

// rule is one of microburst's. It fires so many times and is then gone.
type rule map[string]any

// awsFaults are what AWS does now and then. Of a cut answer the functions can
// not know whether the call had its effect; of the others they know it had none.
var awsFaults = []struct {
	name string
	rule rule
}{
	{"throttled writes", rule{"service": "dynamodb", "operation": "UpdateItem", "error": rule{"code": "ProvisionedThroughputExceededException"}}},
	{"throttled puts", rule{"service": "dynamodb", "operation": "PutItem", "error": rule{"code": "ThrottlingException"}}},
	{"cancelled transactions", rule{"service": "dynamodb", "operation": "TransactWriteItems", "error": rule{
		"code":   "TransactionCanceledException",
		"fields": rule{"CancellationReasons": []rule{{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}}},
	}}},
	{"writes without an answer", rule{"service": "dynamodb", "operation": "UpdateItem", "response": rule{"abort_frac": 0.3}}},
	{"puts without an answer", rule{"service": "dynamodb", "operation": "PutItem", "response": rule{"abort_frac": 0.3}}},
	{"connections reset", rule{"service": "dynamodb", "reset": true}},
	{"slow tables", rule{"service": "dynamodb", "latency": rule{"min": 200, "max": 1200}}},
	{"internal errors", rule{"service": "dynamodb", "operation": "GetItem", "error": rule{"code": "InternalServerError", "status": 500}}},
	{"messages not taken", rule{"service": "sqs", "operation": "SendMessage", "reset": true}},
	{"messages taken without an answer", rule{"service": "sqs", "operation": "SendMessage", "response": rule{"abort_frac": 0.3}}},
	{"buckets slow down", rule{"service": "s3", "error": rule{"code": "SlowDown", "status": 503}}},
	{"functions throttled", rule{"service": "lambda", "operation": "Invoke", "error": rule{"code": "TooManyRequestsException", "status": 429}}},
}

// fail arms one of the faults for a few calls and says which.
func (p *proxy) fail(ctx context.Context, rng *rand.Rand) (string, error) {
	f := awsFaults[rng.IntN(len(awsFaults))]
	times := 2 + rng.IntN(8)
	r := rule{"times": times, "ttl_s": 20}
	for k, v := range f.rule {
		r[k] = v
	}
	return fmt.Sprintf("%d %s", times, f.name), p.rules.do(ctx, "PATCH", "rules", []rule{r}, nil)
}

// calm takes all rules back.
func (p *proxy) calm(ctx context.Context) error {
	return p.rules.do(ctx, "POST", "rules", []rule{}, nil)
}

// fired counts what the proxy did, by kind.
func (p *proxy) fired(ctx context.Context) (map[string]int, error) {
	var list []struct {
		Service   string `json:"service"`
		Operation string `json:"operation"`
		Action    string `json:"action"`
	}
	if err := p.rules.do(ctx, "GET", "fired?limit=100000", nil, &list); err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, f := range list {
		action := f.Action
		if kind, _, ok := strings.Cut(action, ":"); ok && kind == "latency" { // of so many milliseconds
			action = kind
		}
		counts[f.Service+" "+action]++
	}
	return counts, nil
}
