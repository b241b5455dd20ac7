package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/web"
)

const acme = "t_alpha00001"

// desk is a router with real members and sessions behind it.
type desk struct {
	clock    *clock.Manual
	sessions *identity.Sessions
	members  *identity.Members
	log      bytes.Buffer
	asked    []string // the routes that were reached, with whom
	serve    func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	db := memory.New(clk)
	index, err := memkms.NewIndex(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{
		clock: clk, sessions: &identity.Sessions{DB: db, Clock: clk, Random: rand.Reader},
		members: &identity.Members{DB: db, Seal: envelope.New(memkms.New(rand.Reader), db, clk), Index: index.Of, Clock: clk},
	}
	ok := func(_ context.Context, r *web.Request) (*web.Response, error) {
		d.asked = append(d.asked, r.Method+" "+r.Path+" "+r.Principal.Actor)
		return web.JSON(http.StatusOK, map[string]any{"ok": true})
	}
	rt, err := web.New(logs.New(&d.log, nil, "svc", "v1"), clk, "",
		web.Route{Method: "POST", Pattern: "/account/sign-in", Scope: web.Public, Handler: ok},
		web.Route{Method: "GET", Pattern: "/account", Scope: identity.AccountSelf, Handler: ok},
		web.Route{Method: "POST", Pattern: "/account/step-up", Scope: identity.AccountSelf, Handler: func(ctx context.Context, r *web.Request) (*web.Response, error) {
			next, err := d.sessions.Elevate(ctx, r.Tenant, r.Principal.Session)
			if err != nil {
				return nil, err
			}
			res, err := ok(ctx, r)
			return res.SignedIn(next), err
		}},
		web.Route{Method: "POST", Pattern: "/account/sign-out", Scope: identity.AccountSelf, Handler: func(ctx context.Context, r *web.Request) (*web.Response, error) {
			res, err := ok(ctx, r)
			return res.SignedOut(), err
		}},
		web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: ok},
		web.Route{Method: "POST", Pattern: "/plans", Scope: identity.PlansWrite, Handler: ok},
		web.Route{Method: "PUT", Pattern: "/guards", Scope: identity.GuardsWrite, Handler: ok},
		web.Route{Method: "PATCH", Pattern: "/members/{id}", Scope: identity.MembersWrite, Handler: ok},
		web.Route{Method: "DELETE", Pattern: "/members/{id}", Scope: identity.MembersWrite, Handler: ok},
		web.Route{Method: "POST", Pattern: "/stops", Scope: identity.StopsWrite, FromAnywhere: true, Handler: ok},
	)
	if err != nil {
		t.Fatal(err)
	}
	d.serve = rt.WithSessions(d.sessions).Lambda(doorman{})
	return d
}

// signIn returns the cookie header of a new member's session.
func (d *desk) signIn(t *testing.T, role identity.Role, name string, enrolled bool) (m identity.NewMember, cookie string) {
	t.Helper()
	id, err := identity.NewMemberID(func(b []byte) error { _, err := rand.Read(b); return err })
	if err != nil {
		t.Fatal(err)
	}
	m = identity.NewMember{ID: id, Role: role, Name: personal.New(name), Email: personal.New(name + "@example.com")}
	if err := d.members.Join(t.Context(), acme, "member:boss", m); err != nil {
		t.Fatal(err)
	}
	session, err := d.sessions.NewSessionID()
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.sessions.Begin(t.Context(), acme, session, identity.Start{Member: id, Enrolled: enrolled})
	if err != nil {
		t.Fatal(err)
	}
	return m, web.SessionCookie + "=" + v.Reveal()
}

// ask is a request with headers given as name, value, name, value.
func (d *desk) ask(t *testing.T, method, path string, headers ...string) events.APIGatewayProxyResponse {
	t.Helper()
	d.log.Reset()
	d.asked = nil
	ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, MultiValueHeaders: map[string][]string{}}
	ev.RequestContext.RequestID = "req-12345678"
	for i := 0; i < len(headers); i += 2 {
		ev.MultiValueHeaders[headers[i]] = append(ev.MultiValueHeaders[headers[i]], headers[i+1])
	}
	r, err := d.serve(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(d.log.String(), `"msg":"request"`); n != 1 {
		t.Errorf("%s %s: %d access lines", method, path, n)
	}
	return r
}

// given is the cookie header that the answer has the browser send from now on: "" when
// it says nothing, and an error when it says so twice.
func given(t *testing.T, r events.APIGatewayProxyResponse) string {
	t.Helper()
	set := r.MultiValueHeaders["Set-Cookie"]
	if len(set) == 0 {
		return ""
	}
	pair, attrs, _ := strings.Cut(set[0], ";")
	if len(set) != 1 || !strings.HasPrefix(pair, web.SessionCookie+"=pms_") || attrs != " Path=/; Secure; HttpOnly; SameSite=Strict" {
		t.Errorf("the answer sets %v", set)
	}
	return pair
}

func TestASessionMayWhatItsRoleMay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ann, owner := d.signIn(t, identity.Owner, "ann", true)
	_, viewer := d.signIn(t, identity.Viewer, "vic", true)
	_, fresh := d.signIn(t, identity.Owner, "new", false)
	host := []string{"Host", "pm.example.com", "Origin", "https://pm.example.com"}
	with := func(cookie string) []string { return append(slices.Clone(host), "Cookie", cookie) }
	for _, c := range []struct {
		name, method, path, cookie string
		status                     int
		problem                    string
	}{
		{"owner reads", "GET", "/plans/p1", owner, 200, ""},
		{"owner sets guards", "PUT", "/guards", owner, 200, ""},
		{"viewer reads", "GET", "/plans/p1", viewer, 200, ""},
		{"viewer prepares", "POST", "/plans", viewer, 403, "role"},
		{"viewer stops", "POST", "/stops", viewer, 403, "role"},
		{"without an authenticator: reads", "GET", "/plans/p1", fresh, 403, "enrolment-needed"},
		{"without an authenticator: stops", "POST", "/stops", fresh, 403, "enrolment-needed"},
		{"without an authenticator: own account", "GET", "/account", fresh, 200, ""},
		{"nobody", "GET", "/account", web.SessionCookie + "=", 401, "unauthenticated"},
	} {
		r := d.ask(t, c.method, c.path, with(c.cookie)...)
		if c.problem != "" {
			wantProblem(t, r, c.status, c.problem)
		}
		if r.StatusCode != c.status || (len(d.asked) == 1) != (c.status == 200) {
			t.Errorf("%s: %d, %v", c.name, r.StatusCode, d.asked)
		}
	}
	d.ask(t, "GET", "/plans/p1", with(owner)...)
	if want := "GET /plans/p1 member:" + ann.ID; !slices.Equal(d.asked, []string{want}) {
		t.Errorf("asked %v, want %s", d.asked, want)
	}
	line := doc(t, events.APIGatewayProxyResponse{Body: d.log.String()})
	if line["member"] != ann.ID || line["session"] == "" || line["tenant"] != acme || strings.Contains(d.log.String(), "pms_") {
		t.Errorf("the access line says %s", &d.log)
	}
	// A code that is too old is asked for where it is needed, and nowhere else.
	d.clock.Advance(identity.RecentMFA)
	wantProblem(t, d.ask(t, "PUT", "/guards", with(owner)...), 403, "code-needed")
	if r := d.ask(t, "POST", "/plans", with(owner)...); r.StatusCode != 200 {
		t.Errorf("preparing prices: %d", r.StatusCode)
	}
	owner = given(t, d.ask(t, "POST", "/account/step-up", with(owner)...))
	if r := d.ask(t, "PUT", "/guards", with(owner)...); r.StatusCode != 200 {
		t.Errorf("after the code: %s", r.Body)
	}
}

// Each answer sets the cookie once at most, and what it sets is good: also when the
// time to renew it and the step-up come together.
func TestAnAnswerLeavesTheBrowserWithACookieThatIsGood(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, cookie := d.signIn(t, identity.Owner, "ann", true)
	for i, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/plans/p1", 200}, {"POST", "/account/step-up", 200}, {"PUT", "/guards", 403}, {"POST", "/nowhere", 404}, {"POST", "/account/step-up", 200},
		{"GET", "/plans/p1", 200}, {"POST", "/account/step-up", 200}, {"POST", "/account/step-up", 200},
	} {
		d.clock.Advance(16 * time.Minute)
		before := cookie
		r := d.ask(t, c.method, c.path, "Host", "pm.example.com", "Cookie", cookie)
		if r.StatusCode != c.status {
			t.Fatalf("step %d: %d %s", i, r.StatusCode, r.Body)
		}
		if next := given(t, r); next != "" {
			cookie = next
		}
		if c.status != 404 && cookie == before {
			t.Errorf("step %d: the secret was not replaced", i)
		}
	}
	d.clock.Advance(16 * time.Minute)
	r := d.ask(t, "POST", "/account/sign-out", "Host", "pm.example.com", "Cookie", cookie)
	if set := r.MultiValueHeaders["Set-Cookie"]; len(set) != 1 || set[0] != web.SessionCookie+"=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0" {
		t.Errorf("signing out sets %v", set)
	}
}

func TestAChangeThatAForeignPageAsksForIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, cookie := d.signIn(t, identity.Owner, "ann", true)
	changes := [][2]string{{"POST", "/plans"}, {"PUT", "/guards"}, {"PATCH", "/members/m1"}, {"DELETE", "/members/m1"}, {"POST", "/stops"}, {"POST", "/account/step-up"}}
	foreign := map[string][]string{
		"another site":             {"Host", "pm.example.com", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"without an origin":        {"Host", "pm.example.com", "Sec-Fetch-Site", "cross-site"},
		"a sister host":            {"Host", "pm.example.com", "Sec-Fetch-Site", "same-site", "Origin", "https://blog.example.com"},
		"an old browser":           {"Host", "pm.example.com", "Origin", "https://evil.example"},
		"another port":             {"Host", "pm.example.com", "Origin", "https://pm.example.com:8443"},
		"a sandboxed frame":        {"Host", "pm.example.com", "Origin", "null"},
		"a frame, and no host":     {"Origin", "null"},
		"no host":                  {"Origin", "https://evil.example"},
		"a forwarded host":         {"Host", "pm.example.com", "Origin", "https://evil.example", "X-Forwarded-Host", "evil.example"},
		"two sites":                {"Host", "pm.example.com", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Site", "same-origin"},
		"a longer name":            {"Host", "pm.example.com", "Origin", "https://pm.example.com.evil.example"},
		"a name before the host":   {"Host", "pm.example.com", "Origin", "https://evil.example@pm.example.com.evil.example"},
		"something that is no URL": {"Host", "pm.example.com", "Origin", "%%"},
	}
	for name, headers := range foreign {
		// Not even somebody else's own session is begun by it.
		if wantProblem(t, d.ask(t, "POST", "/account/sign-in", headers...), 403, "cross-origin"); d.asked != nil {
			t.Errorf("%s signs in: %v", name, d.asked)
		}
		for _, c := range changes {
			r := d.ask(t, c[0], c[1], append(slices.Clone(headers), "Cookie", cookie)...)
			if wantProblem(t, r, 403, "cross-origin"); d.asked != nil {
				t.Errorf("%s reached %v", name, d.asked)
			}
			// A key is no ambient credential: no page can have a browser send it.
			if r := d.ask(t, c[0], c[1], append(slices.Clone(headers), "Authorization", "Bearer "+goodKey, "Cookie", cookie)...); r.StatusCode == 403 && strings.Contains(r.Body, "cross-origin") {
				t.Errorf("%s, with a key: %s", name, r.Body)
			}
		}
		if r := d.ask(t, "GET", "/plans/p1", append(slices.Clone(headers), "Cookie", cookie)...); r.StatusCode != 200 {
			t.Errorf("%s reads: %d", name, r.StatusCode)
		}
	}
	for name, headers := range map[string][]string{
		"our page":       {"Host", "pm.example.com", "Sec-Fetch-Site", "same-origin", "Origin", "https://pm.example.com"},
		"an old browser": {"Host", "pm.example.com", "Origin", "https://pm.example.com"},
		"a bookmark":     {"Host", "pm.example.com", "Sec-Fetch-Site", "none"},
		"no browser":     {"Host", "pm.example.com"},
	} {
		for _, path := range []string{"/plans", "/account/sign-in"} {
			if r := d.ask(t, "POST", path, append(slices.Clone(headers), "Cookie", cookie)...); r.StatusCode != 200 {
				t.Errorf("%s, %s: %s", name, path, r.Body)
			}
		}
	}
}

func TestOnlyOneCookieOrOneHeaderIsACredential(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, cookie := d.signIn(t, identity.Owner, "ann", true)
	_, other := d.signIn(t, identity.Owner, "ben", true)
	_, text, _ := strings.Cut(cookie, "=")
	for name, headers := range map[string][]string{
		"two cookies":                {"Cookie", cookie + "; " + other},
		"the same one twice":         {"Cookie", cookie + "; " + cookie},
		"in two headers":             {"Cookie", cookie, "cookie", other},
		"a good one and a bad one":   {"Cookie", cookie + "; " + web.SessionCookie + "=x"},
		"an empty one first":         {"Cookie", web.SessionCookie + "=; " + cookie},
		"without the prefix":         {"Cookie", "pm-session=" + text},
		"another prefix":             {"Cookie", "__Secure-pm-session=" + text},
		"another case":               {"Cookie", "__host-pm-session=" + text},
		"as a key":                   {"Authorization", "Bearer " + text},
		"in another header":          {"X-Session", text, "Set-Cookie", cookie},
		"beside a bad key":           {"Cookie", cookie, "Authorization", "Bearer pmk_bad"},
		"beside an empty header":     {"Cookie", cookie, "Authorization", ""},
		"beside two keys":            {"Cookie", cookie, "Authorization", "Bearer " + goodKey, "authorization", "Bearer " + goodKey},
		"beside an unknown scheme":   {"Cookie", cookie, "Authorization", "Basic YTpi"},
		"a key as a cookie":          {"Cookie", web.SessionCookie + "=" + goodKey},
		"a changed one":              {"Cookie", cookie[:len(cookie)-1] + "g"},
		"a longer one":               {"Cookie", cookie + "0"},
		"in upper case":              {"Cookie", web.SessionCookie + "=" + strings.ToUpper(text)},
		"a session that never was":   {"Cookie", web.SessionCookie + "=pms_aaaaaaaaaaaaaaaa_" + strings.Repeat("0", 64)},
		"with what a cookie has not": {"Cookie", web.SessionCookie + "=" + text + `"\` + "\x00"},
	} {
		r := d.ask(t, "GET", "/plans/p1", headers...)
		if m := wantProblem(t, r, 401, "unauthenticated"); len(m) != 5 || d.asked != nil || strings.Contains(r.Body, text) {
			t.Errorf("%s: %s, %v", name, r.Body, d.asked)
		}
	}
	// The header counts alone, and the cookie beside it for nothing.
	if r := d.ask(t, "GET", "/plans/p1", "Cookie", cookie, "Authorization", "Bearer "+goodKey); r.StatusCode != 200 || !slices.Equal(d.asked, []string{"GET /plans/p1 key:k1"}) {
		t.Errorf("both: %d, %v", r.StatusCode, d.asked)
	}
	ev := events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/plans/p1", Headers: map[string]string{"Authorization": "Bearer " + goodKey, "authorization": "Bearer " + poorKey}}
	for range 20 { // maps have no order, and the answer may not depend on it
		if r, _ := d.serve(t.Context(), ev); r.StatusCode != 401 {
			t.Fatalf("two spellings of one header: %d", r.StatusCode)
		}
	}
}

// What a client says about where it came from and what it wants changes no answer.
func TestAnswersDoNotDependOnHeadersThatProxiesUse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, cookie := d.signIn(t, identity.Viewer, "ann", true)
	for _, c := range [][2]string{{"GET", "/plans/p1"}, {"GET", "/nowhere"}, {"DELETE", "/plans/p1"}, {"PUT", "/guards"}, {"GET", "//"}} {
		plain := d.ask(t, c[0], c[1], "Host", "pm.example.com", "Cookie", cookie)
		for _, spoofed := range [][]string{
			{"Host", "evil.example"}, {"Host", "evil.example\r\nX-Evil: 1"}, {"Host", "pm.example.com", "host", "evil.example"}, {"X-Forwarded-Host", "evil.example"},
			{"X-Forwarded-Proto", "http"}, {"X-Forwarded-For", "127.0.0.1"}, {"Forwarded", "for=127.0.0.1;host=evil.example"}, {"X-Real-Ip", "127.0.0.1"},
			{"X-Original-Url", "/guards"}, {"X-Rewrite-Url", "/guards"}, {"X-Http-Method-Override", "PUT"}, {"X-Method-Override", "DELETE"}, {"X-Amzn-Trace-Id", "evil.example"},
		} {
			got := d.ask(t, c[0], c[1], append(spoofed, "Cookie", cookie)...)
			if got.StatusCode != plain.StatusCode || got.Body != plain.Body || !maps.EqualFunc(got.MultiValueHeaders, plain.MultiValueHeaders, slices.Equal) || strings.Contains(d.log.String(), "evil") {
				t.Errorf("%v with %q: %d %s %v; log %s", c, spoofed, got.StatusCode, got.Body, got.MultiValueHeaders, &d.log)
			}
		}
	}
}
