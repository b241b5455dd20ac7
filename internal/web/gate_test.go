package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/web"
)

// gate turns one address away, and cannot judge another.
type gate struct{ asked []string }

func (g *gate) Admit(_ context.Context, address string) error {
	g.asked = append(g.asked, address)
	switch address {
	case "192.0.2.1":
		return fault.New(fault.Forbidden, "address-blocked", "no")
	case "192.0.2.2":
		return errors.New("no table")
	}
	return nil
}

func TestTheGateIsAskedForTheAddressThatAPIGatewaySaw(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Unix(1, 0))
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	rt, err := web.New(slog.New(slog.DiscardHandler), clk, "",
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "POST", Pattern: "/stops", Scope: identity.StopsWrite, FromAnywhere: true, Handler: ok})
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	g := &gate{}
	rt.WithGate(g).WithMetrics(metrics.New(&told, clk, "svc", "test"))
	for _, c := range []struct {
		address, method, path, key string
		want                       int
	}{
		{"192.0.2.1", "GET", "/plans/1", goodKey, http.StatusForbidden},
		{"192.0.2.1", "GET", "/plans/1", "wrong", http.StatusForbidden}, // whoever is blocked learns nothing of keys
		{"192.0.2.1", "POST", "/stops", goodKey, http.StatusOK},
		{"192.0.2.1", "POST", "/stops", "wrong", http.StatusUnauthorized},
		{"192.0.2.2", "GET", "/plans/1", goodKey, http.StatusOK}, // a gate that fails is open: keys are checked anyway
		{"192.0.2.2", "GET", "/plans/1", "wrong", http.StatusUnauthorized},
		{"192.0.2.3", "GET", "/plans/1", poorKey, http.StatusForbidden},
	} {
		ev := events.APIGatewayProxyRequest{HTTPMethod: c.method, Path: c.path,
			Headers: map[string]string{"Authorization": "Bearer " + c.key, "X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}}
		ev.RequestContext.Identity.SourceIP = c.address
		res, err := rt.Lambda(doorman{})(t.Context(), ev)
		if err != nil || res.StatusCode != c.want {
			t.Errorf("%s %s from %s: %d, %v, want %d", c.method, c.path, c.address, res.StatusCode, err, c.want)
		}
	}
	if got := strings.Join(g.asked, " "); strings.Contains(got, "192.0.2.9") || len(g.asked) != 5 {
		t.Errorf("asked for %s", got)
	}
	if blocked, refused := strings.Count(told.String(), `"AddressesBlocked":1`), strings.Count(told.String(), `"KeysRefused":1`); blocked != 2 || refused != 2 {
		t.Errorf("told of %d blocked addresses and %d refused keys, want 2 and 2:\n%s", blocked, refused, told.String())
	}
	if strings.Contains(told.String(), "192.0.2") {
		t.Error("an address is in a metric")
	}
}

// A log line names where a request came from without saying it.
func TestALogLineNamesTheAddressByItsHashAlone(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	var told bytes.Buffer
	rt, err := web.New(slog.New(slog.NewJSONHandler(&told, nil)), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: ok})
	if err != nil {
		t.Fatal(err)
	}
	rt.WithSources(func(_ context.Context, address string) string {
		return map[string]string{"192.0.2.1": "0123abcd"}[address]
	})
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} { // the other has none, as when the key cannot be read
		ev := events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/plans/1", Headers: map[string]string{"Authorization": "Bearer wrong"}}
		ev.RequestContext.Identity.SourceIP = address
		if res, err := rt.Lambda(doorman{})(t.Context(), ev); err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Error(res.StatusCode, err)
		}
	}
	if log := told.String(); strings.Count(log, `"source":"0123abcd"`) != 1 || strings.Count(log, `"source":`) != 1 || strings.Contains(log, "192.0.2") {
		t.Errorf("the log says %s", log)
	}
}
