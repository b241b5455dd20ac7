package isolation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// Two companies of their own: who asks is of the first, unless said otherwise.
const (
	company = tenant.ID("t_matrix0001")
	rival   = tenant.ID("t_matrix0002")
)

// how somebody asks. The order is that of the letters in the table.
const (
	now      = "with all that is needed"
	late     = "whose last code is older than 10 minutes"
	unready  = "without an authenticator"
	ended    = "signed out, or whose key was revoked"
	expired  = "whose session or key expired"
	removed  = "who was removed from the company, or whose grant was revoked"
	forged   = "with the right id and a wrong secret"
	foreign  = "of another company"
	unscoped = "whose key has every scope but this"
)

var (
	peopleStates  = []string{now, late, unready, ended, expired, removed, forged, foreign}
	machineStates = []string{now, unscoped, ended, expired, forged, foreign}
)

// letters of the table, by problem type; "" is let in.
var letters = map[string]string{
	"": "+", "unauthenticated": "u", "code-needed": "c", "enrolment-needed": "e", "role": "r", "scope": "s",
}

var parameters = regexp.MustCompile(`\{[^}]+\}`)

// actor is somebody with a credential.
type actor struct {
	header, value string
	tenant        tenant.ID
}

// Authorisation asks for every route of the function's own router as everybody there
// is, with real sessions and keys in the world's store, and compares who was let in with
// the function's part of authorisation.md.
func Authorisation(t *testing.T, w World) {
	t.Helper()
	c := cast(t, w)
	var table strings.Builder
	fmt.Fprintf(&table, "\n| Route | Scope | nobody | %s | key |\n|---|---|---|%s---|\n", strings.Join(names(identity.Roles()), " | "), strings.Repeat("---|", len(identity.Roles())))
	for _, r := range w.Router.Routes() {
		scope := string(r.Scope)
		if r.Scope == web.Public {
			scope = "public"
		}
		fmt.Fprintf(&table, "| %s | %s | %s |", nameOf(r), scope, c.asks(t, r, actor{}))
		for _, role := range identity.Roles() {
			var cell []string
			for _, state := range peopleStates {
				cell = append(cell, c.letter(t, r, state, c.people[string(role)+" "+state]))
			}
			fmt.Fprintf(&table, " %s |", strings.Join(cell, " "))
		}
		var cell []string
		for _, state := range machineStates {
			cell = append(cell, c.letter(t, r, state, c.key(t, r.Scope, state)))
		}
		fmt.Fprintf(&table, " %s |\n", strings.Join(cell, " "))
	}
	golden(t, Table, w.Function, table.String())
}

func names(roles []identity.Role) (out []string) {
	for _, r := range roles {
		out = append(out, string(r))
	}
	return out
}

// stage is a function with everybody in it.
type stage struct {
	world    World
	serve    func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)
	people   map[string]actor // by role and state
	keys     map[string]actor // by scope and state
	sealer   *envelope.Sealer
	requests int
	reached  *web.Request // the last one that was let in
}

func peppers(context.Context, bool) ([]secret.Value, error) {
	return []secret.Value{secret.New(strings.Repeat("pepper", 8))}, nil
}

func index(_ context.Context, kind, value string) (string, error) {
	sum := sha256.Sum256([]byte(kind + "\x00" + value))
	return hex.EncodeToString(sum[:16]), nil
}

func cast(t *testing.T, w World) *stage {
	t.Helper()
	kms := w.KMS
	if kms == nil {
		kms = memkms.New(rand.Reader)
	}
	c := &stage{world: w, people: map[string]actor{}, keys: map[string]actor{}, sealer: envelope.New(kms, w.DB, w.Clock)}
	c.serve = w.Router.Answering(func(_ context.Context, r *web.Request) (*web.Response, error) {
		c.reached = r
		return web.JSON(http.StatusOK, struct{}{})
	}).Lambda(identity.NewKeys(w.DB, peppers, w.Clock, rand.Reader))
	for _, id := range []tenant.ID{company, rival} {
		must(t, identity.NewTenants(w.DB, c.sealer, w.Clock).Create(t.Context(), id, "operator", "Company"))
		c.member(t, id, identity.Owner) // so that no other is the last
	}
	for _, role := range identity.Roles() {
		for _, state := range peopleStates {
			if role == identity.Operator && state == unready {
				continue // operators come with a code checked, or not at all
			}
			c.people[string(role)+" "+state] = c.session(t, role, state)
		}
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *stage) member(t *testing.T, of tenant.ID, role identity.Role) string {
	t.Helper()
	id, err := identity.NewMemberID(func(b []byte) error { _, err := rand.Read(b); return err })
	must(t, err)
	members := &identity.Members{DB: c.world.DB, Seal: c.sealer, Index: index, Clock: c.world.Clock}
	must(t, members.Join(t.Context(), of, "operator", identity.NewMember{ID: id, Role: role, Name: personal.New("Somebody"), Email: personal.New(id + "@example.com")}))
	return id
}

// session signs somebody in who is in this state now.
func (c *stage) session(t *testing.T, role identity.Role, state string) actor {
	t.Helper()
	ctx, of, began := t.Context(), company, c.world.Clock.Now()
	switch state {
	case foreign:
		of = rival
	case late:
		began = began.Add(-identity.RecentMFA)
	case expired:
		began = began.Add(-identity.SessionIdle - time.Minute)
	}
	sessions := &identity.Sessions{DB: c.world.DB, Clock: clock.NewManual(began), Random: rand.Reader}
	id, cookie, remove := c.begin(t, sessions, of, role, state)
	text := cookie.Reveal()
	switch state {
	case ended:
		must(t, sessions.End(ctx, of, "operator", "", id))
	case removed:
		must(t, remove())
	case forged:
		text = text[:len(text)-64] + strings.Repeat("0", 64)
	}
	return actor{"Cookie", web.SessionCookie + "=" + text, of}
}

// begin makes a session of somebody with the role, and says what takes them out of the
// company: for an operator, the end of the grant by which they are there.
func (c *stage) begin(t *testing.T, sessions *identity.Sessions, of tenant.ID, role identity.Role, state string) (id string, cookie secret.Value, remove func() error) {
	t.Helper()
	ctx := t.Context()
	if role == identity.Operator {
		grants := &identity.Grants{DB: c.world.DB, Clock: sessions.Clock, Random: rand.Reader}
		g, err := grants.Give(ctx, of, "member:somebody", "to see what the matrix says", identity.LongestGrant)
		must(t, err)
		s, cookie, err := grants.Enter(ctx, of, sessions, "jo", g.ID)
		must(t, err)
		return s.ID, cookie, func() error { return grants.Revoke(ctx, of, "member:somebody", g.ID) }
	}
	member := c.member(t, of, role)
	id, err := sessions.NewSessionID()
	must(t, err)
	cookie, err = sessions.Begin(ctx, of, id, identity.Start{Member: member, Enrolled: state != unready})
	must(t, err)
	return id, cookie, func() error {
		members := &identity.Members{DB: c.world.DB, Seal: c.sealer, Index: index, Clock: c.world.Clock}
		m, err := members.Get(ctx, of, member)
		must(t, err)
		return members.Remove(ctx, of, "operator", member, m.Ver)
	}
}

// key is an API key with the scope, and no other, which is in this state now.
func (c *stage) key(t *testing.T, scope identity.Scope, state string) actor {
	t.Helper()
	name := string(scope) + " " + state
	if a, ok := c.keys[name]; ok {
		return a
	}
	ctx, of, made := t.Context(), company, c.world.Clock.Now()
	scopes := []identity.Scope{scope}
	if !scope.Keyable() { // no key can have it: the best that there is
		scopes = identity.Scopes()
	}
	switch state {
	case foreign:
		of = rival
	case expired:
		made = made.Add(-identity.KeyLife)
	case unscoped:
		scopes = nil
		for _, s := range identity.Scopes() {
			if s != scope {
				scopes = append(scopes, s)
			}
		}
	}
	keys := identity.NewKeys(c.world.DB, peppers, clock.NewManual(made), rand.Reader).Sealing(c.sealer)
	k, secret, err := keys.Create(ctx, of, "operator", "key", scopes)
	must(t, err)
	text := secret.Reveal()
	switch state {
	case ended:
		must(t, keys.Revoke(ctx, of, "operator", k.ID))
	case forged:
		_, other, err := keys.Create(ctx, of, "operator", "key", scopes)
		must(t, err)
		at := strings.LastIndex(text, "_")
		text = text[:at] + other.Reveal()[at:]
	}
	c.keys[name] = actor{"Authorization", "Bearer " + text, of}
	return c.keys[name]
}

// letter is what somebody gets in this state; and it fails the test where the state
// alone says what that must be.
func (c *stage) letter(t *testing.T, r web.Route, state string, a actor) string {
	t.Helper()
	if a.header == "" {
		return "·"
	}
	got := c.asks(t, r, a)
	switch state {
	case ended, expired, removed, forged:
		if r.Scope != web.Public && got != letters["unauthenticated"] {
			t.Errorf("%s lets somebody in %s: %s", nameOf(r), state, got)
		}
	case unready:
		if r.Scope != web.Public && r.Scope != identity.AccountSelf && got == letters[""] {
			t.Errorf("%s lets somebody in %s", nameOf(r), state)
		}
	case late:
		if r.Scope.Recent() && got == letters[""] {
			t.Errorf("%s lets somebody in %s", nameOf(r), state)
		}
	case unscoped:
		if r.Scope != web.Public && got == letters[""] {
			t.Errorf("%s lets somebody in %s", nameOf(r), state)
		}
	}
	return got
}

// asks makes one request, which names the company wherever somebody could think that
// it counts: only the credential does.
func (c *stage) asks(t *testing.T, r web.Route, a actor) string {
	t.Helper()
	c.requests++
	path := parameters.ReplaceAllString(r.Pattern, "x")
	ev := events.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: path,
		Headers:               map[string]string{"X-Tenant": string(company), "X-Tenant-Id": string(company), "Host": string(company) + ".example.com", "User-Agent": "test"},
		QueryStringParameters: map[string]string{"tenant": string(company)},
		PathParameters:        map[string]string{"tenant": string(company)},
	}
	ev.RequestContext.RequestID = fmt.Sprintf("req-%08d", c.requests)
	// Everybody has an address of their own: how many may ask is another question.
	ev.RequestContext.Identity.SourceIP = fmt.Sprintf("10.%d.%d.%d", c.requests>>16&255, c.requests>>8&255, c.requests&255)
	if a.header != "" {
		ev.Headers[a.header] = a.value
	}
	c.reached = nil
	res, err := c.serve(t.Context(), ev)
	must(t, err)
	if (res.StatusCode == http.StatusOK) != (c.reached != nil) {
		t.Fatalf("%s: %d, and the handler was reached: %t", nameOf(r), res.StatusCode, c.reached != nil)
	}
	if c.reached != nil {
		want := a.tenant
		if r.Scope == web.Public {
			want = ""
		}
		if c.reached.Tenant != want || c.reached.Principal.Tenant != want {
			t.Errorf("%s: the handler is told of %q, the credential is of %q", nameOf(r), c.reached.Tenant, want)
		}
		return letters[""]
	}
	var problem struct{ Type string }
	must(t, json.Unmarshal([]byte(res.Body), &problem))
	l, ok := letters[strings.TrimPrefix(problem.Type, "/problems/")]
	if !ok {
		t.Fatalf("%s: %d %s", nameOf(r), res.StatusCode, res.Body)
	}
	return l
}
