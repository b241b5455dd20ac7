package front_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/front"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

type anyKey struct{}

func (anyKey) Authenticate(context.Context, secret.Value) (identity.Principal, error) {
	return identity.Principal{Tenant: "t_alpha001", Actor: "key:k1", KeyID: "k1", Role: identity.Machine, Scopes: []identity.Scope{identity.OffersRead}}, nil
}

// heard are the uses and refusals that the ledger would get.
type heard struct{ uses, refusals []string }

func (h *heard) Used(_ context.Context, _ tenant.ID, u ledger.Use) error {
	h.uses = append(h.uses, u.Route)
	return nil
}

func (h *heard) Refused(_ context.Context, _ tenant.ID, r ledger.Refusal) error {
	h.refusals = append(h.refusals, r.Why)
	return nil
}

// TestNothingBeforeTheRoutesIsForgotten: a router of a front turns blocked addresses
// away, counts requests, and has uses and refusals recorded.
func TestNothingBeforeTheRoutesIsForgotten(t *testing.T) {
	t.Parallel()
	const alice, bob = "198.51.100.7", "198.51.100.8"
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	var log heard
	f, err := front.New(front.Parts{
		DB: memory.New(clk), Clock: clk, Log: slog.New(slog.DiscardHandler), Uses: &log, Quotas: limit.Quotas{},
		Hashes: func(_ context.Context, text string) ([]string, error) { return []string{"h" + text}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	rt, err := f.Router(
		web.Route{Method: "GET", Pattern: "/offers", Scope: identity.OffersRead, Handler: ok},
		web.Route{Method: "GET", Pattern: "/plans", Scope: identity.PlansRead, Handler: ok})
	if err != nil {
		t.Fatal(err)
	}
	call := rt.Lambda(anyKey{})
	ask := func(address, path string) int {
		ev := events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: path, Headers: map[string]string{"Authorization": "Bearer pmk_1"}}
		ev.RequestContext.Identity.SourceIP = address
		res, err := call(t.Context(), ev)
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode
	}
	if got := ask(alice, "/plans"); got != 403 {
		t.Errorf("a key without the scope gets %d, want 403", got)
	}
	for i := range 99 {
		if got := ask(alice, "/offers"); got != 200 {
			t.Fatalf("request %d: %d", i+2, got)
		}
	}
	if got := ask(alice, "/offers"); got != 429 {
		t.Errorf("the 101st request gets %d, want 429", got)
	}
	if len(log.uses) != 99 || log.uses[0] != "GET /offers" || len(log.refusals) != 1 {
		t.Errorf("the ledger heard of %d uses and of refusals for %v", len(log.uses), log.refusals)
	}
	target, err := f.List.Target(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.List.Block(t.Context(), target, time.Hour, "stuffing", "operator"); err != nil {
		t.Fatal(err)
	}
	clk.Advance(time.Minute)
	if got := ask(bob, "/offers"); got != 403 {
		t.Errorf("a blocked address gets %d, want 403", got)
	}
}
