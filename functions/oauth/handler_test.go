package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// keys are API keys by their text.
type keys map[string]identity.Principal

func (k keys) Authenticate(_ context.Context, key secret.Value) (identity.Principal, error) {
	p, ok := k[key.Reveal()]
	if !ok {
		return p, fault.New(fault.Unauthenticated, "", "no")
	}
	return p, nil
}

// site is the function's API over stores in memory and an Amazon that agrees.
type site struct {
	t     *testing.T
	clock *clock.Manual
	call  func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)
	rung  int
}

type agreeable struct{ s *site }

func (a agreeable) Exchange(context.Context, tenant.ID, price.ConnectionID, int64, secret.Value, string) (amazon.Token, error) {
	return amazon.Token{Access: secret.New("Atza|x"), Expires: a.s.clock.Now().Add(time.Hour)}, nil
}
func (agreeable) Discard(context.Context, tenant.ID, price.ConnectionID, int64) error { return nil }
func (agreeable) Prove(context.Context, secret.Value, amazon.Account, price.MarketplaceID) error {
	return nil
}
func (agreeable) Marketplaces(context.Context, secret.Value, price.Region) ([]price.MarketplaceID, error) {
	return []price.MarketplaceID{"A1PA6795UKMFR9"}, nil
}
func (a agreeable) RequestImport(context.Context, tenant.ID, price.ConnectionID) error {
	a.s.rung++
	return nil
}

func (agreeable) RequestSubscriptions(context.Context, tenant.ID, price.ConnectionID) error {
	return nil
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, clock: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
	cfg := config{}
	cfg.Amazon.ConsentEU, cfg.Amazon.ApplicationID = "https://sellercentral-europe.amazon.com/apps/authorize/consent", "amzn1.sp.solution.x"
	cfg.Public.URL = "https://api.us.test"
	router, err := newRouter(slog.New(slog.DiscardHandler), nil, &connect.Service{
		DB: memory.New(s.clock), Clock: s.clock, Random: rand.NewChaCha8([32]byte{1}), Config: cfg.consent(),
		Tokens: agreeable{s}, Sellers: agreeable{s}, Importer: agreeable{s}, Subscriptions: agreeable{s},
	}, hashed, limit.Quotas{})
	if err != nil {
		t.Fatal(err)
	}
	all := []identity.Scope{identity.ConnectionsRead, identity.ConnectionsWrite}
	s.call = router.Lambda(keys{
		"alpha":  {Tenant: "t_alpha1", Actor: "key:alpha", Role: identity.Machine, Scopes: all},
		"beta":   {Tenant: "t_beta22", Actor: "key:beta", Role: identity.Machine, Scopes: all},
		"reader": {Tenant: "t_alpha1", Actor: "key:reader", Role: identity.Machine, Scopes: all[:1]},
		"other":  {Tenant: "t_alpha1", Actor: "key:other", Role: identity.Machine, Scopes: []identity.Scope{identity.PlansRead}},
	})
	return s
}

func (s *site) ask(key, method, target, body string) events.APIGatewayProxyResponse {
	s.t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		s.t.Fatal(err)
	}
	ev := events.APIGatewayProxyRequest{
		HTTPMethod: method, Path: u.Path, Body: body, MultiValueQueryStringParameters: u.Query(),
		Headers: map[string]string{"Content-Type": "application/json"},
	}
	if key != "" {
		ev.Headers["Authorization"] = "Bearer " + key
	}
	ev.RequestContext.RequestID = "request-1"
	out, err := s.call(s.t.Context(), ev)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *site) wants(r events.APIGatewayProxyResponse, status int, into any) {
	s.t.Helper()
	if r.StatusCode != status {
		s.t.Fatalf("status %d, want %d: %s", r.StatusCode, status, r.Body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(r.Body), into); err != nil {
			s.t.Fatal(err)
		}
	}
}

// begin starts a connection as key and returns it with the consent's state.
func (s *site) begin(key string) (id, state string) {
	s.t.Helper()
	var c struct{ ID, State, AuthorizeURL string }
	s.wants(s.ask(key, "POST", "/connections", `{"region":"EU"}`), http.StatusCreated, &c)
	u, err := url.Parse(c.AuthorizeURL)
	if err != nil || u.Host != "sellercentral-europe.amazon.com" || u.Query().Get("redirect_uri") != "https://api.us.test/oauth/callback" || u.Query().Has("version") {
		s.t.Fatalf("authorizeUrl %s", c.AuthorizeURL)
	}
	if c.State != "pending" {
		s.t.Errorf("state %s", c.State)
	}
	return c.ID, u.Query().Get("state")
}

func back(state, seller string) string {
	return "/oauth/callback?state=" + url.QueryEscape(state) + "&spapi_oauth_code=code&selling_partner_id=" + seller
}

func TestASellerIsConnectedThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, state := s.begin("alpha")
	page := s.ask("", "GET", back(state, "A1SELLER"), "")
	s.wants(page, http.StatusOK, nil)
	if h := http.Header(page.MultiValueHeaders); h.Get("Referrer-Policy") != "no-referrer" || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", h)
	}
	if strings.Contains(page.Body, id) || strings.Contains(page.Body, "A1SELLER") || strings.Contains(page.Body, state) {
		t.Errorf("the page tells: %s", page.Body)
	}
	var c connectionDoc
	s.wants(s.ask("reader", "GET", "/connections/"+id, ""), http.StatusOK, &c)
	if c.State != connect.Active || c.Seller != "A1SELLER" || len(c.Marketplaces) != 1 || c.AuthorisedAt == nil || c.Import.State != connect.ImportRunning || c.AuthorizeURL != "" {
		t.Errorf("connection %+v", c)
	}
	var list struct{ Items []connectionDoc }
	s.wants(s.ask("reader", "GET", "/connections", ""), http.StatusOK, &list)
	if len(list.Items) != 1 || string(list.Items[0].ID) != id {
		t.Errorf("list %+v", list)
	}
	s.wants(s.ask("alpha", "POST", "/connections/"+id+"/import", ""), http.StatusAccepted, nil)
	if s.rung != 2 {
		t.Errorf("rung %d times", s.rung)
	}
	var again struct{ ID, State, AuthorizeURL string }
	s.wants(s.ask("alpha", "POST", "/connections", `{"connection":"`+id+`"}`), http.StatusCreated, &again)
	if again.ID != id || again.State != "active" || again.AuthorizeURL == "" {
		t.Errorf("again %+v", again)
	}
}

// What cannot be completed looks the same from outside, whatever the reason.
func TestARefusedCallbackTellsNoReason(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, used := s.begin("alpha")
	s.wants(s.ask("", "GET", back(used, "A1SELLER"), ""), http.StatusOK, nil)
	_, old := s.begin("alpha")
	s.clock.Advance(connect.StateLife)
	_, fresh := s.begin("alpha")
	var first string
	for name, target := range map[string]string{
		"replayed":       back(used, "A1SELLER"),
		"expired":        back(old, "A1SELLER"),
		"unknown":        back("made-up", "A1SELLER"),
		"without state":  "/oauth/callback?spapi_oauth_code=code&selling_partner_id=A1SELLER",
		"without code":   "/oauth/callback?state=" + fresh + "&selling_partner_id=A1SELLER",
		"without seller": "/oauth/callback?state=" + fresh + "&spapi_oauth_code=code",
	} {
		r := s.ask("", "GET", target, "")
		s.wants(r, http.StatusBadRequest, nil)
		if first == "" {
			first = r.Body
		}
		if r.Body != first {
			t.Errorf("%s: %s, others %s", name, r.Body, first)
		}
	}
}

// Another user's state leads to that user's connection and to nothing else: who
// brings it in cannot make the seller their own.
func TestAnotherUsersStateConnectsNothingToMe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mine, _ := s.begin("alpha")
	_, theirs := s.begin("beta")
	s.wants(s.ask("alpha", "GET", back(theirs, "A1SELLER"), ""), http.StatusOK, nil)
	var c connectionDoc
	s.wants(s.ask("alpha", "GET", "/connections/"+mine, ""), http.StatusOK, &c)
	if c.State != connect.Pending {
		t.Errorf("my connection is %s", c.State)
	}
	_, state := s.begin("alpha")
	r := s.ask("", "GET", back(state, "A1SELLER"), "")
	s.wants(r, http.StatusConflict, nil)
	if strings.Contains(r.Body, "t_beta22") || strings.Contains(r.Body, "conn_") {
		t.Errorf("told whose it is: %s", r.Body)
	}
}

func TestAForeignConnectionAnswersExactlyLikeAMissingOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, state := s.begin("alpha")
	s.wants(s.ask("", "GET", back(state, "A1SELLER"), ""), http.StatusOK, nil)
	missing := "conn_" + strings.Repeat("a", 26)
	for _, route := range []struct{ method, path, body string }{
		{"GET", "/connections/{id}", ""},
		{"POST", "/connections/{id}/import", ""},
		{"POST", "/connections", `{"connection":"{id}"}`},
	} {
		at := func(id string) events.APIGatewayProxyResponse {
			return s.ask("beta", route.method, strings.ReplaceAll(route.path, "{id}", id), strings.ReplaceAll(route.body, "{id}", id))
		}
		foreign, none := at(id), at(missing)
		s.wants(foreign, http.StatusNotFound, nil)
		if foreign.Body != none.Body || foreign.StatusCode != none.StatusCode {
			t.Errorf("%s %s: foreign %s, missing %s", route.method, route.path, foreign.Body, none.Body)
		}
	}
	var list struct{ Items []connectionDoc }
	s.wants(s.ask("beta", "GET", "/connections", ""), http.StatusOK, &list)
	if list.Items == nil || len(list.Items) != 0 {
		t.Errorf("list %+v", list.Items)
	}
}

func TestEachRouteNeedsItsScope(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.begin("alpha")
	for _, r := range []struct {
		key, method, path, body string
		status                  int
	}{
		{"", "POST", "/connections", `{"region":"EU"}`, 401},
		{"reader", "POST", "/connections", `{"region":"EU"}`, 403},
		{"reader", "POST", "/connections/" + id + "/import", "", 403},
		{"other", "GET", "/connections", "", 403},
		{"", "GET", "/connections/" + id, "", 401},
		{"other", "GET", "/connections/" + id, "", 403},
	} {
		s.wants(s.ask(r.key, r.method, r.path, r.body), r.status, nil)
	}
}

func TestAWrongStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.begin("alpha")
	for body, status := range map[string]int{
		``: 400, `{}`: 400, `{"region":"XX"}`: 400, `{"region":"EU","connection":"` + id + `"}`: 400, `{"area":"EU"}`: 400,
	} {
		s.wants(s.ask("alpha", "POST", "/connections", body), status, nil)
	}
	s.wants(s.ask("alpha", "POST", "/connections/"+id+"/import", ""), http.StatusConflict, nil) // not authorised yet
}

func TestAFunctionThatDoesNotKnowItsAddressDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, c := range []connect.Config{{ApplicationID: "a", RedirectURI: callbackPath}, {RedirectURI: "https://api.us.test" + callbackPath}} {
		if _, err := newRouter(slog.New(slog.DiscardHandler), nil, &connect.Service{Config: c}, nil, limit.Quotas{}); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestAnUnforeseenErrorShowsNothing(t *testing.T) {
	t.Parallel()
	if err := errors.New("x"); !errors.Is(public(err), err) || fault.KindOf(public(err)) != fault.Internal {
		t.Error("public gives a face to what it does not know")
	}
}
