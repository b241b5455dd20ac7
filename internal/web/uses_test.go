package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// useLog takes down what is recorded.
type useLog struct {
	seen, refused []string
	err           error
}

func (l *useLog) Used(_ context.Context, t tenant.ID, u ledger.Use) error {
	l.seen = append(l.seen, fmt.Sprint(t, " ", u.Actor, " ", u.Route, " ", u.Reads, " ", u.From.Address.Reveal(), " ", u.From.Names))
	return l.err
}

func (l *useLog) Refused(_ context.Context, t tenant.ID, r ledger.Refusal) error {
	l.refused = append(l.refused, fmt.Sprintf("%s actor=%s %s %s %s %s", t, r.Actor, r.Target, r.Route, r.Why, r.From.Address.Reveal()))
	return l.err
}

func hashed(context.Context, string) []string { return []string{"h1"} }

func TestGivingOutAmazonsDataIsRecordedOrNotDone(t *testing.T) {
	t.Parallel()
	answer := func(context.Context, *web.Request) (*web.Response, error) {
		return web.JSON(http.StatusOK, map[string]string{"price": "9.99"})
	}
	made := 0
	reads := &useLog{}
	rt, err := web.New(logs.New(t.Output(), nil, "svc", "v1"), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/offers/{id}", Scope: identity.OffersRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/batches", Scope: identity.BatchesRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			return nil, errors.New("nothing is given")
		}},
		web.Route{Method: "POST", Pattern: "/plans", Scope: identity.PlansWrite, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			made++
			return web.Text(http.StatusCreated, "made")
		}},
		web.Route{Method: "POST", Pattern: "/stops", Scope: identity.PlansWrite, FromAnywhere: true, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			return web.Text(http.StatusCreated, "stopped")
		}},
		web.Route{Method: "GET", Pattern: "/guards", Scope: identity.GuardsRead, Handler: answer},
		web.Route{Method: "GET", Pattern: "/health", Scope: web.Public, Handler: answer},
	)
	if err != nil {
		t.Fatal(err)
	}
	h := rt.WithUses(reads, hashed).Lambda(doorman{})
	call := func(method, path string) (status int, body string) {
		ev := get(path)
		ev.HTTPMethod = method
		ev.RequestContext.Identity.SourceIP = "192.0.2.7"
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
	want := []string{
		"t_alpha00001 key:k1 GET /offers/{id} true 192.0.2.7 [h1]", "t_alpha00001 key:k1 GET /batches true 192.0.2.7 [h1]",
		"t_alpha00001 key:k1 POST /plans false 192.0.2.7 [h1]",
	}
	if !slices.Equal(reads.seen, want) {
		t.Errorf("recorded %q, want %q", reads.seen, want)
	}
	reads.err = errors.New("down")
	if status, body := call("GET", "/offers/7"); status != http.StatusInternalServerError || strings.Contains(body, "9.99") {
		t.Errorf("not recorded, and yet: %d %s", status, body)
	}
	if status, _ := call("POST", "/plans"); status != http.StatusInternalServerError || made != 1 {
		t.Errorf("not recorded, and yet: %d, made %d times", status, made)
	}
	if status, _ := call("POST", "/stops"); status != http.StatusCreated {
		t.Errorf("stopping waited for the record: %d", status)
	}
}

// knows refuses one key whose owner is known.
type knows struct{ doorman }

func (k knows) Authenticate(ctx context.Context, key secret.Value) (identity.Principal, error) {
	if key.Reveal() == "revoked" || key.Reveal() == "guess" {
		cause := &identity.Refused{Tenant: "t_alpha00001", Subject: "key:k9", Why: identity.RevokedKey, Proven: key.Reveal() == "revoked"}
		return identity.Principal{}, fault.New(fault.Unauthenticated, "", "The API key is not valid.").Because(cause)
	}
	return k.doorman.Authenticate(ctx, key)
}

func TestRefusalsOfATenantsKeysAreRecordedAndTellTheCallerNothing(t *testing.T) {
	t.Parallel()
	uses := &useLog{err: errors.New("down")} // refused all the same
	rt, err := web.New(logs.New(t.Output(), nil, "svc", "v1"), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: func(_ context.Context, r *web.Request) (*web.Response, error) {
			return nil, map[string]error{
				"forbidden": fault.New(fault.Forbidden, "", "not you"), "absent": fault.New(fault.NotFound, "", "nothing"),
			}[r.Params["id"]]
		}})
	if err != nil {
		t.Fatal(err)
	}
	h := rt.WithUses(uses, hashed).Lambda(knows{})
	answers := map[string]string{}
	for _, c := range [][2]string{{"revoked", "x"}, {"guess", "x"}, {"unknown", "x"}, {poorKey, "x"}, {goodKey, "forbidden"}, {goodKey, "absent"}} {
		ev := get("/plans/" + c[1])
		ev.RequestContext.Identity.SourceIP = "192.0.2.7"
		ev.MultiValueHeaders = map[string][]string{"Authorization": {"Bearer " + c[0]}}
		resp, err := h(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		answers[c[0]] = resp.Body
	}
	if answers["revoked"] != answers["unknown"] || answers["guess"] != answers["unknown"] {
		t.Errorf("the answers differ: %v", answers)
	}
	want := []string{
		"t_alpha00001 actor=key:k9 key:k9 GET /plans/{id} revoked 192.0.2.7",
		"t_alpha00001 actor= key:k9 GET /plans/{id} revoked 192.0.2.7",
		"t_alpha00001 actor=key:k1 key:k1 GET /plans/{id} forbidden 192.0.2.7",
		"t_alpha00001 actor=key:k1 key:k1 GET /plans/{id} forbidden 192.0.2.7",
	}
	if !slices.Equal(uses.refused, want) {
		t.Errorf("recorded %q, want %q", uses.refused, want)
	}
}
