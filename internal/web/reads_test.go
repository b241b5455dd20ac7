package web_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

type readLog struct {
	seen []string
	err  error
}

func (l *readLog) Read(_ context.Context, t tenant.ID, actor, route string) error {
	l.seen = append(l.seen, strings.Join([]string{string(t), actor, route}, " "))
	return l.err
}

func TestGivingOutAmazonsDataIsRecordedOrNotDone(t *testing.T) {
	t.Parallel()
	answer := func(context.Context, *web.Request) (*web.Response, error) {
		return web.JSON(http.StatusOK, map[string]string{"price": "9.99"})
	}
	reads := &readLog{}
	rt, err := web.New(logs.New(t.Output(), nil, "svc", "v1"), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/offers/{id}", Scope: identity.OffersRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/batches", Scope: identity.BatchesRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			return nil, errors.New("nothing is given")
		}},
		web.Route{Method: "POST", Pattern: "/plans", Scope: identity.PlansWrite, Handler: answer},
		web.Route{Method: "GET", Pattern: "/guards", Scope: identity.GuardsRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/health", Scope: web.Public, Handler: answer},
	)
	if err != nil {
		t.Fatal(err)
	}
	h := rt.WithReads(reads).Lambda(doorman{})
	call := func(method, path string) (status int, body string) {
		ev := get(path)
		ev.HTTPMethod = method
		ev.MultiValueHeaders = map[string][]string{"Authorization": {"Bearer " + goodKey}}
		resp, err := h(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Body
	}
	for _, r := range [][2]string{{"GET", "/offers/7"}, {"GET", "/batches"}, {"GET", "/plans/7"}, {"POST", "/plans"}, {"GET", "/guards"}, {"GET", "/health"}} {
		call(r[0], r[1])
	}
	want := []string{"t_alpha00001 key:k1 GET /offers/{id}", "t_alpha00001 key:k1 GET /batches"}
	if !slices.Equal(reads.seen, want) {
		t.Errorf("recorded %q, want %q", reads.seen, want)
	}
	reads.err = errors.New("down")
	if status, body := call("GET", "/offers/7"); status != http.StatusInternalServerError || strings.Contains(body, "9.99") {
		t.Errorf("not recorded, and yet: %d %s", status, body)
	}
}
