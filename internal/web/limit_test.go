package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/web"
)

// meter answers by the last digit of the address: 1 is over its limit, 2 cannot be
// counted, 3 has no limit, 4 has a key that is over.
type meter struct{ addresses, callers int }

func (m *meter) Address(_ context.Context, address string) (web.Limit, error) {
	m.addresses++
	l := web.Limit{Name: "address", Quota: 100, Window: time.Minute, Remaining: 7, Reset: 1500 * time.Millisecond}
	switch address[len(address)-1] {
	case '1':
		l.Remaining, l.Wait = 0, 1001*time.Millisecond
	case '2':
		return web.Limit{}, errors.New("no table")
	case '3':
		return web.Limit{}, nil
	}
	return l, nil
}

func (m *meter) Caller(_ context.Context, p identity.Principal) ([]web.Limit, error) {
	m.callers++
	if p.Tenant == "" {
		return nil, errors.New("nobody")
	}
	return []web.Limit{{Name: "key", Quota: 600, Window: time.Minute, Wait: time.Minute}}, nil
}

type lenient struct{ *meter }

func (l lenient) Caller(context.Context, identity.Principal) ([]web.Limit, error) {
	l.callers++
	return nil, errors.New("no table")
}

func TestLimitsTurnAwayOrLetInAndSayWhere(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Unix(1, 0))
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	var told bytes.Buffer
	ask := func(l web.Limits, address, method, path, key string) events.APIGatewayProxyResponse {
		rt, err := web.New(slog.New(slog.DiscardHandler), clk, "",
			web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: ok},
			web.Route{Method: "GET", Pattern: "/open", Handler: ok},
			web.Route{Method: "POST", Pattern: "/stops", Scope: identity.StopsWrite, FromAnywhere: true, Handler: ok})
		if err != nil {
			t.Fatal(err)
		}
		ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path,
			Headers: map[string]string{"Authorization": "Bearer " + key, "X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}}
		ev.RequestContext.Identity.SourceIP = address
		res, err := rt.WithLimits(l).WithMetrics(metrics.New(&told, clk, "svc", "test")).Lambda(doorman{})(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	m := &meter{}
	for _, c := range []struct {
		what                       string
		limits                     web.Limits
		address, method, path, key string
		status                     int
		left, wait                 []string
	}{
		{"over, whoever it is", m, "192.0.2.1", "GET", "/plans/1", "wrong", 429, []string{`"address";r=0;t=2`}, []string{"2"}},
		{"over, looking for what is not there", m, "192.0.2.1", "GET", "/nothing", goodKey, 429, []string{`"address";r=0;t=2`}, []string{"2"}},
		{"over, with an address of tricks", m, "192.0.2.1", "GET", "/plans/%2e%2e", goodKey, 429, []string{`"address";r=0;t=2`}, []string{"2"}},
		{"over, and the kill switch", m, "192.0.2.1", "POST", "/stops", goodKey, 200, nil, nil},
		{"over, and another's kill switch", m, "192.0.2.1", "POST", "/stops", "wrong", 401, nil, nil},
		{"within, and nobody", m, "192.0.2.5", "GET", "/plans/1", "wrong", 401, []string{`"address";r=7;t=2`}, nil},
		{"within, open to all", m, "192.0.2.5", "GET", "/open", "wrong", 200, []string{`"address";r=7;t=2`}, nil},
		{"within, and the key is over", m, "192.0.2.4", "GET", "/plans/1", goodKey, 429, []string{`"address";r=7;t=2`, `"key";r=0;t=0`}, []string{"60"}},
		{"no limit for the address", m, "192.0.2.3", "GET", "/open", "wrong", 200, nil, nil},
		{"nothing can be counted", lenient{m}, "192.0.2.2", "GET", "/plans/1", goodKey, 200, nil, nil},
	} {
		got := ask(c.limits, c.address, c.method, c.path, c.key)
		h := http.Header(got.MultiValueHeaders)
		if got.StatusCode != c.status || !slices.Equal(h.Values("RateLimit"), c.left) || !slices.Equal(h.Values("Retry-After"), c.wait) {
			t.Errorf("%s: %d, %v, %v: %s", c.what, got.StatusCode, h.Values("RateLimit"), h.Values("Retry-After"), got.Body)
		}
		if len(h.Values("RateLimit-Policy")) != len(c.left) || len(c.left) > 0 && h.Values("RateLimit-Policy")[0] != `"address";q=100;w=60` {
			t.Errorf("%s: policies are %v", c.what, h.Values("RateLimit-Policy"))
		}
		if (c.status == 429) != strings.Contains(got.Body, `"/problems/too-many-requests"`) {
			t.Errorf("%s: %s", c.what, got.Body)
		}
	}
	refused, uncounted := strings.Count(told.String(), `"RequestsRefused":1`), strings.Count(told.String(), `"RequestsUncounted":1`)
	if refused != 4 || uncounted != 2 {
		t.Errorf("told of %d refused and %d uncounted, want 4 and 2", refused, uncounted)
	}
	if m.addresses != 8 || m.callers != 2 {
		t.Errorf("%d addresses and %d callers were counted, want 8 and 2", m.addresses, m.callers)
	}
}
