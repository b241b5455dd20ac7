package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/web"
)

const (
	goodKey = "pmk_goodgoodgoodgood_goodgoodgoodgood"
	poorKey = "pmk_poorpoorpoorpoor_poorpoorpoorpoor"
	canary  = "Atzr|CANARY-refresh-token"
)

// doorman knows two keys: one with every scope and one with none.
type doorman struct{ err error }

func (d doorman) Authenticate(_ context.Context, key secret.Value) (identity.Principal, error) {
	p := identity.Principal{Tenant: "t_alpha00001", KeyID: "k1", Actor: "key:k1", Role: identity.Machine}
	switch {
	case d.err != nil:
		return identity.Principal{}, d.err
	case key.Reveal() == goodKey:
		p.Scopes = identity.Scopes()
		return p, nil
	case key.Reveal() == poorKey:
		return p, nil
	default:
		return identity.Principal{}, fault.New(fault.Unauthenticated, "", "no").Because(errors.New("unknown key"))
	}
}

type edge struct {
	call func(ev events.APIGatewayProxyRequest) events.APIGatewayProxyResponse
	log  *bytes.Buffer
	seen *web.Request
}

func setup(t testing.TB, auth web.Authenticator) *edge {
	t.Helper()
	e := &edge{log: &bytes.Buffer{}}
	ok := func(_ context.Context, r *web.Request) (*web.Response, error) {
		e.seen = r
		return web.JSON(http.StatusOK, map[string]any{"ok": true})
	}
	fail := func(err error) web.Handler {
		return func(context.Context, *web.Request) (*web.Response, error) { return nil, err }
	}
	rt, err := web.New(logs.New(e.log, nil, "svc", "v1"), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/health", Scope: web.Public, Handler: ok},
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "GET", Pattern: "/plans/latest", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "GET", Pattern: "/offers/all", Scope: identity.OffersRead, Handler: ok},
		web.Route{Method: "GET", Pattern: "/offers/{id}", Scope: identity.OffersRead, Handler: ok},
		web.Route{Method: "GET", Pattern: "/plans/{id}/rows", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "POST", Pattern: "/plans", Scope: identity.PlansWrite, Accept: web.Uploads(), MaxBody: 1 << 20, Handler: ok},
		web.Route{Method: "POST", Pattern: "/batches", Scope: identity.BatchesWrite, Handler: func(ctx context.Context, r *web.Request) (*web.Response, error) {
			var in struct {
				Plan string `json:"plan"`
			}
			if err := r.JSON(&in); err != nil {
				return nil, err
			}
			return ok(ctx, r)
		}},
		web.Route{Method: "GET", Pattern: "/panic", Scope: web.Public, Handler: func(context.Context, *web.Request) (*web.Response, error) { panic("boom " + canary) }},
		web.Route{Method: "GET", Pattern: "/unforeseen", Scope: web.Public, Handler: fail(errors.New("dial tcp 10.0.0.1 with " + canary))},
		web.Route{Method: "GET", Pattern: "/broken", Scope: web.Public, Handler: fail(fault.New(fault.Internal, "broken", "dial tcp").With("host", "dial"))},
		web.Route{Method: "GET", Pattern: "/nothing", Scope: web.Public, Handler: fail(nil)},
		web.Route{Method: "GET", Pattern: "/moved", Scope: web.Public, Handler: fail(fmt.Errorf("deep: %w", fault.New(fault.Conflict, "plan-moved", "The plan moved.").With("rows", []int{3}).With("status", 200).Because(errors.New("internal cause"))))},
		web.Route{Method: "GET", Pattern: "/busy", Scope: web.Public, Handler: fail(fault.New(fault.RateLimited, "", "Slow down.").With(web.RetryAfter, 7))},
		web.Route{Method: "GET", Pattern: "/override", Scope: web.Public, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			r, _ := web.HTML(http.StatusOK, []byte("<p>hello"))
			return r.With("Content-Security-Policy", "default-src *").With("X-Own", "yes"), nil
		}},
		web.Route{Method: "GET", Pattern: "/binary", Scope: web.Public, Handler: func(context.Context, *web.Request) (*web.Response, error) {
			return &web.Response{Status: 200, Body: []byte{0xff, 0xfe}}, nil
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	h := rt.Lambda(auth)
	e.call = func(ev events.APIGatewayProxyRequest) events.APIGatewayProxyResponse {
		e.log.Reset()
		e.seen = nil
		if ev.RequestContext.RequestID == "" {
			ev.RequestContext.RequestID = "req-12345678"
		}
		resp, err := h(context.Background(), ev)
		if err != nil {
			t.Errorf("%s %s returned the error %v instead of an answer", ev.HTTPMethod, ev.Path, err)
		}
		return resp
	}
	return e
}

func get(path string) events.APIGatewayProxyRequest {
	return events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: path, Headers: map[string]string{"Authorization": "Bearer " + goodKey}}
}

func post(path, typ, body string) events.APIGatewayProxyRequest {
	ev := get(path)
	ev.HTTPMethod, ev.Body = "POST", body
	ev.Headers["content-type"] = typ
	return ev
}

func doc(t *testing.T, r events.APIGatewayProxyResponse) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		t.Fatalf("body %q: %v", r.Body, err)
	}
	return m
}

// wantProblem checks the status and the shape that RFC 9457 asks for.
func wantProblem(t *testing.T, r events.APIGatewayProxyResponse, status int, typ string) map[string]any {
	t.Helper()
	if ct := r.MultiValueHeaders["Content-Type"]; r.StatusCode != status || !slices.Equal(ct, []string{"application/problem+json"}) {
		t.Fatalf("status %d, content type %v, body %s; want a problem %d", r.StatusCode, ct, r.Body, status)
	}
	m := doc(t, r)
	if m["type"] != "/problems/"+typ || m["status"] != float64(status) || m["title"] != http.StatusText(status) || m["detail"] == "" || m["reference"] != "req-12345678" {
		t.Fatalf("problem %v, want type %s and status %d", m, typ, status)
	}
	return m
}

func TestEveryRouteButPublicOnesNeedsAKeyWithItsScope(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for _, c := range []struct {
		method, path string
	}{{"GET", "/plans/p1"}, {"GET", "/plans/latest"}, {"GET", "/plans/p1/rows"}, {"POST", "/plans"}, {"POST", "/batches"}} {
		ev := get(c.path)
		ev.HTTPMethod = c.method
		for name, h := range map[string]map[string]string{
			"none": {}, "other scheme": {"Authorization": "Basic " + goodKey}, "no key": {"Authorization": "Bearer "},
			"bad key": {"Authorization": "Bearer pmk_bad"}, "wrong header": {"X-Api-Key": goodKey},
		} {
			ev.Headers, ev.QueryStringParameters = h, map[string]string{"access_token": goodKey}
			r := e.call(ev)
			wantProblem(t, r, 401, "unauthenticated")
			if r.MultiValueHeaders["Www-Authenticate"] == nil || e.seen != nil {
				t.Errorf("%s %s with %s: headers %v, handler ran %v", c.method, c.path, name, r.MultiValueHeaders, e.seen != nil)
			}
		}
		ev.Headers = map[string]string{"authorization": "Bearer " + poorKey}
		wantProblem(t, e.call(ev), 403, "scope")
	}
	ev := get("/plans/p1")
	ev.Headers, ev.MultiValueHeaders = nil, map[string][]string{"Authorization": {"Bearer " + goodKey, "Bearer " + poorKey}}
	wantProblem(t, e.call(ev), 401, "unauthenticated")
	ev = get("/health")
	ev.Headers = nil
	if r := e.call(ev); r.StatusCode != 200 || e.seen.Principal.Tenant != "" {
		t.Errorf("public route: %d, %+v", r.StatusCode, e.seen)
	}
}

func TestRequestArrivesCheckedAndWithItsOwnParams(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	ev := get("/plans/plan_1/rows")
	ev.PathParameters = map[string]string{"id": "plan_evil"}
	ev.MultiValueQueryStringParameters = map[string][]string{"a": {"1"}}
	ev.QueryStringParameters = map[string]string{"a": "1", "b": "3"}
	ev.Headers["X-Forwarded-For"] = "6.6.6.6"
	ev.RequestContext.Identity.SourceIP = "192.0.2.1"
	if r := e.call(ev); r.StatusCode != 200 {
		t.Fatal(r.Body)
	}
	if e.seen.Params["id"] != "plan_1" || e.seen.SourceIP != "192.0.2.1" || e.seen.Tenant != "t_alpha00001" {
		t.Errorf("request %+v", e.seen)
	}
	if d := cmp.Diff(map[string][]string{"a": {"1"}, "b": {"3"}}, map[string][]string(e.seen.Query)); d != "" {
		t.Error(d)
	}
	// Two values: whoever reads the first would mean another thing than who reads the last.
	ev.MultiValueQueryStringParameters["a"] = []string{"1", "2"}
	wantProblem(t, e.call(ev), 400, "query")
	// An empty variable in a script is not the wish for everything; an empty cursor is where a list begins.
	ev.MultiValueQueryStringParameters = map[string][]string{"member": {""}}
	wantProblem(t, e.call(ev), 400, "query")
	ev.MultiValueQueryStringParameters, ev.QueryStringParameters = nil, map[string]string{"after": ""}
	if r := e.call(ev); r.StatusCode != 200 {
		t.Errorf("an empty cursor: %s", r.Body)
	}
	for _, literal := range []string{"/plans/latest", "/offers/all"} { // listed after and before the parameter
		if e.call(get(literal)); len(e.seen.Params) != 0 {
			t.Errorf("%s matched as a parameter: %v", literal, e.seen.Params)
		}
	}
}

func TestUnknownPathsAndMethodsAreToldApart(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	wantProblem(t, e.call(get("/nowhere")), 404, "not-found")
	ev := get("/plans/p1")
	ev.HTTPMethod = "DELETE"
	r := e.call(ev)
	wantProblem(t, r, 405, "method-not-allowed")
	if d := cmp.Diff([]string{"GET"}, r.MultiValueHeaders["Allow"]); d != "" {
		t.Error(d)
	}
}

func TestPathTricksAreRefused(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for _, p := range []string{
		"", "health", "//health", "/plans//rows", "/plans/p1/", "/plans/%2e%2e/rows", "/plans/a%2fb", "/plans/..", "/plans/./rows",
		"/plans/../health", "/plans/a\\b", "/plans/ä", "/plans/a b", "/plans/a;b", "/plans/a\x00", "/plans/" + strings.Repeat("a", 65), "/" + strings.Repeat("a/", 300),
	} {
		if wantProblem(t, e.call(get(p)), 400, "path"); e.seen != nil {
			t.Errorf("%q reached a handler", p)
		}
	}
}

func TestNoPathReachesAHandlerUnlessItMatchesExactly(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.StringOfN(rapid.RuneFrom([]rune("/plansrow.%2fe_-{}id")), 0, 24, -1).Draw(rt, "path")
		e.call(get(p))
		if e.seen == nil {
			return
		}
		id, ok := strings.CutPrefix(p, "/plans/")
		id = strings.TrimSuffix(id, "/rows")
		if !ok || strings.ContainsAny(id, "/%{}") || e.seen.Params["id"] != id {
			rt.Fatalf("%q reached a handler with %v", p, e.seen.Params)
		}
	})
}

func TestBodiesAreHeldToTheirRoutesLimits(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for _, typ := range []string{"text/csv", "text/tab-separated-values", "application/octet-stream", "text/plain; charset=iso-8859-1"} {
		if r := e.call(post("/plans", typ, "sku,price")); r.StatusCode != 200 {
			t.Errorf("%s: %s", typ, r.Body)
		}
	}
	for _, typ := range []string{"", "text/html", "multipart/form-data; boundary=x", "text/csv;;"} {
		wantProblem(t, e.call(post("/plans", typ, "x")), 415, "content-type")
	}
	wantProblem(t, e.call(post("/batches", "text/csv", "{}")), 415, "content-type")
	wantProblem(t, e.call(post("/batches", "application/json; charset=utf-16", "{}")), 415, "content-type")
	wantProblem(t, e.call(post("/batches", "application/json", strings.Repeat(" ", 64<<10+1))), 413, "too-large")
	ev := post("/plans", "application/octet-stream", base64.StdEncoding.EncodeToString(make([]byte, 1<<20)))
	ev.IsBase64Encoded = true
	if r := e.call(ev); r.StatusCode != 200 || len(e.seen.Body) != 1<<20 {
		t.Errorf("a body at the limit: %d", r.StatusCode)
	}
	ev.Body = base64.StdEncoding.EncodeToString(make([]byte, 1<<20+1))
	wantProblem(t, e.call(ev), 413, "too-large")
	ev.Body = "not base64!"
	wantProblem(t, e.call(ev), 400, "body")
}

func TestJSONBodiesAreTakenStrictly(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for body, says := range map[string]string{
		"": "empty", `{"plan":`: "too early", `{"plan":1}`: `member "plan"`, `{"plam":"x"}`: `unknown field "plam"`,
		`{"plan":"x"} {}`: "more than one", `{"plan":}`: "byte",
	} {
		m := wantProblem(t, e.call(post("/batches", "application/json", body)), 400, "body")
		if d := m["detail"].(string); !strings.Contains(d, says) || strings.Contains(d, "Go ") {
			t.Errorf("%q: %s, want it to say %q", body, d, says)
		}
	}
	if r := e.call(post("/batches", "application/json", `{"plan":"x"} `)); r.StatusCode != 200 {
		t.Error(r.Body)
	}
}

func TestCursorsSurviveTheRoundTripAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	page := func(q map[string][]string) (string, int, error) {
		return (&web.Request{Query: q}).Page(50, 200)
	}
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.StringN(1, 50, -1).Draw(rt, "key")
		got, limit, err := page(map[string][]string{"after": {web.Cursor(key)}, "limit": {"7"}})
		if err != nil || got != key || limit != 7 {
			rt.Fatalf("%q came back as %q, %d, %v", key, got, limit, err)
		}
	})
	if web.Cursor("") != "" {
		t.Error("the end of a list has a cursor")
	}
	for _, q := range []map[string][]string{
		{"after": {"!"}}, {"after": {"MQ"}}, {"after": {"MmFi"}}, {"after": {strings.Repeat("M", 4000)}}, {"after": {"Mf8"}},
		{"limit": {"0"}}, {"limit": {"201"}}, {"limit": {"x"}}, {"limit": {"-1"}},
	} {
		if _, _, err := page(q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v gave %v", q, err)
		}
	}
	if after, limit, err := page(nil); after != "" || limit != 50 || err != nil {
		t.Errorf("no query gave %q, %d, %v", after, limit, err)
	}
}

func TestRoutesThatCannotBeMeantAreRefusedAtStart(t *testing.T) {
	t.Parallel()
	h := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(200, "") }
	good := web.Route{Method: "GET", Pattern: "/a/{id}", Scope: identity.PlansRead, Handler: h}
	bad := map[string]func(r *web.Route){
		"method": func(r *web.Route) { r.Method = "FETCH" }, "pattern": func(r *web.Route) { r.Pattern = "a" },
		"part": func(r *web.Route) { r.Pattern = "/a/{id" }, "scope": func(r *web.Route) { r.Scope = "plans:all" },
		"handler": func(r *web.Route) { r.Handler = nil },
	}
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		r := good
		bad[name](&r)
		if _, err := web.New(logs.New(&bytes.Buffer{}, nil, "", ""), clock.Real{}, "", r); err == nil {
			t.Errorf("a route with a bad %s was taken", name)
		}
	}
	twin := good
	twin.Pattern = "/a/{name}"
	if _, err := web.New(logs.New(&bytes.Buffer{}, nil, "", ""), clock.Real{}, "", good, twin); err == nil {
		t.Error("two routes for the same address were taken")
	}
}

func TestOversizedQueriesAreRefused(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	ev := get("/health")
	ev.QueryStringParameters = map[string]string{"q": strings.Repeat("x", 9000)}
	wantProblem(t, e.call(ev), 400, "query")
	ev.QueryStringParameters = map[string]string{"q": "\xff"}
	wantProblem(t, e.call(ev), 400, "query")
}

func FuzzServe(f *testing.F) {
	f.Add("GET", "/plans/p1", "Bearer "+goodKey, "", "x")
	f.Add("POST", "/batches", "Bearer "+goodKey, "application/json", `{"plan":"x"}`)
	f.Fuzz(func(t *testing.T, method, path, auth, typ, body string) {
		e := setup(t, doorman{})
		ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, Body: body, Headers: map[string]string{"Authorization": auth, "Content-Type": typ}}
		r := e.call(ev)
		if r.StatusCode < 200 || r.StatusCode > 599 || strings.Count(e.log.String(), "\n") != 1 {
			t.Fatalf("status %d, log %s", r.StatusCode, e.log)
		}
		if e.seen != nil && e.seen.Path != "/health" && auth != "Bearer "+goodKey && !strings.EqualFold(strings.TrimSuffix(auth, goodKey), "bearer ") {
			t.Fatalf("%q reached %s", auth, path)
		}
	})
}
