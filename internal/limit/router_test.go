package limit_test

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/secret"
	"pricemanager/internal/web"
)

// known takes any key that begins with pmk for the machine.
type known struct{}

func (known) Authenticate(_ context.Context, key secret.Value) (identity.Principal, error) {
	if !strings.HasPrefix(key.Reveal(), "pmk") {
		return identity.Principal{}, fault.New(fault.Unauthenticated, "", "no")
	}
	p := machine
	p.Actor, p.Role, p.Scopes = "key:k1", identity.Machine, identity.Scopes()
	return p, nil
}

// function is one instance of a function of the API, with the gate and the limits.
func (w *world) function() func(address, method, path string) events.APIGatewayProxyResponse {
	w.t.Helper()
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	rt, err := web.New(slog.New(slog.DiscardHandler), w.clock, "",
		web.Route{Method: "GET", Pattern: "/offers", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "POST", Pattern: "/stops", Scope: identity.StopsWrite, FromAnywhere: true, Handler: ok})
	if err != nil {
		w.t.Fatal(err)
	}
	call := rt.WithGate(w.list()).WithLimits(w.instance(limit.Quotas{})).Lambda(known{})
	return func(address, method, path string) events.APIGatewayProxyResponse {
		ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, Headers: map[string]string{"Authorization": "Bearer pmk_1"}}
		ev.RequestContext.Identity.SourceIP = address
		res, err := call(w.t.Context(), ev)
		if err != nil {
			w.t.Error(err)
		}
		return res
	}
}

func TestTheHundredAndFirstIsToldWhenAndTheKillSwitchAnswers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	statuses := make([]atomic.Int64, 600)
	var all sync.WaitGroup
	var functions []func(address, method, path string) events.APIGatewayProxyResponse
	for range 5 {
		f := w.function()
		functions = append(functions, f)
		for range 3 {
			all.Go(func() {
				for range 10 {
					statuses[f(alice, "GET", "/offers").StatusCode].Add(1)
				}
			})
		}
	}
	all.Wait()
	if statuses[200].Load() != 100 || statuses[429].Load() != 50 {
		t.Fatalf("%d pass and %d are refused, want 100 and 50", statuses[200].Load(), statuses[429].Load())
	}
	w.clock.Advance(20 * time.Second)
	for i, f := range functions {
		over := f(alice, "GET", "/offers")
		if wait, err := strconv.Atoi(http.Header(over.MultiValueHeaders).Get("Retry-After")); over.StatusCode != 429 || err != nil || wait != 40 {
			t.Errorf("function %d: %d, Retry-After %d, %v", i, over.StatusCode, wait, err)
		}
		if got := f(alice, "POST", "/stops").StatusCode; got != 200 {
			t.Errorf("function %d: the kill switch answers %d", i, got)
		}
		if got := f(bob, "GET", "/offers").StatusCode; got != 200 {
			t.Errorf("function %d: another address gets %d", i, got)
		}
	}
	w.clock.Advance(40 * time.Second) // as long as it said
	if got := functions[0](alice, "GET", "/offers").StatusCode; got != 200 {
		t.Errorf("after the wait: %d", got)
	}
}

func TestABlockedFloodIsTurnedAwayAndTheKillSwitchAnswers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := w.function()
	last := 0
	for range limit.FloodWindows + 1 {
		for range 300 {
			last = f(alice, "GET", "/offers").StatusCode
		}
		w.clock.Advance(time.Minute)
	}
	if last != http.StatusForbidden || f(alice, "POST", "/stops").StatusCode != 200 || f(bob, "GET", "/offers").StatusCode != 200 {
		t.Errorf("the flood gets %d, or the kill switch or a neighbour is turned away", last)
	}
	w.clock.Advance(limit.FloodBlock)
	if got := f(alice, "GET", "/offers").StatusCode; got != 200 {
		t.Errorf("after the block: %d", got)
	}
}
