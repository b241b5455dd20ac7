package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/web"
)

// Routes has a stranger make every request of events/<function>/success-*.json.
// setup makes a fresh world for each. A route that needs a caller and has no such
// request fails the test, and so does one with a name in its path that no request of
// the stranger's names.
func Routes(t *testing.T, setup func(t *testing.T) World) {
	t.Helper()
	w := setup(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "events", w.Function, "success-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no requests of %s, %v", w.Function, err)
	}
	asked := map[string]bool{}
	for _, file := range files {
		recorded, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var ev events.APIGatewayProxyRequest
		if json.Unmarshal(recorded, &ev) != nil || ev.HTTPMethod == "" {
			continue // a message or a schedule: no caller
		}
		route := routeOf(w.Router.Routes(), ev)
		if route.Scope == web.Public {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			shared := w.Shared[nameOf(route)]
			names, leaks := stranger(t, setup, ev, shared)
			for _, l := range leaks {
				t.Error(l)
			}
			if names || shared != "" || !strings.Contains(route.Pattern, "{") {
				asked[nameOf(route)] = true
			}
		})
	}
	for _, r := range w.Router.Routes() {
		if r.Scope != web.Public && !asked[nameOf(r)] {
			t.Errorf("%s: no success-*.json in events/%s asks for something of somebody's there", nameOf(r), w.Function)
		}
	}
	for name := range w.Shared {
		if !slices.ContainsFunc(w.Router.Routes(), func(r web.Route) bool { return nameOf(r) == name }) {
			t.Errorf("%s is no route", name)
		}
	}
}

func nameOf(r web.Route) string { return r.Method + " " + r.Pattern }

func routeOf(routes []web.Route, ev events.APIGatewayProxyRequest) web.Route {
	for _, r := range routes {
		if r.Method == ev.HTTPMethod && r.Pattern == ev.Resource {
			return r
		}
	}
	return web.Route{}
}

// seen is what a request shows to who makes it, and what it does below.
type seen struct {
	Status int
	Header http.Header
	Body   string
	Calls  []string
	Sent   []string // to queues
}

// stranger asks in the three worlds. It returns whether the request names anything of
// the owner's, and what the stranger could tell the worlds apart by.
func stranger(t *testing.T, setup func(t *testing.T) World, ev events.APIGatewayProxyRequest, shared string) (names bool, leaks []string) {
	t.Helper()
	w := setup(t)
	if s := ask(t, w, ev); s.Status >= 300 {
		t.Fatalf("whose it is was answered %d %s", s.Status, s.Body)
	}

	w = setup(t)
	before := holdings(w)
	tr := watch(w.DB, w.Blobs, w.KMS)
	real := ask(t, w, as(ev, w.Credential))
	real.Calls = tr.asked()
	if others := tr.foreign(w.Stranger); len(others) != 0 {
		leaks = append(leaks, fmt.Sprintf("it looked into what is of %v", others))
	}
	if after := holdings(w); after != before {
		leaks = append(leaks, "it changed what is of the owner: "+cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")))
	}

	w = setup(t)
	vanish(t, w.DB, w.Blobs, w.Owner)
	tr = watch(w.DB, w.Blobs, w.KMS)
	alone := ask(t, w, as(ev, w.Credential))
	alone.Calls = tr.asked()
	leaks = append(leaks, apart("what nobody has any more", real, alone)...)

	guess, n := renamed(ev)
	if n == 0 || shared != "" {
		return false, leaks
	}
	w = setup(t)
	tr = watch(w.DB, w.Blobs, w.KMS)
	random := ask(t, w, as(guess, w.Credential))
	random.Calls = tr.asked()
	leaks = append(leaks, apart("what nobody ever had", real, random)...)
	echo, _ := another(real.Body) // an answer may repeat what was asked for
	if real.Status != http.StatusNotFound || real.Body != random.Body && echo != random.Body {
		leaks = append(leaks, fmt.Sprintf("it was answered %d %s, and something that nobody ever had %d %s", real.Status, real.Body, random.Status, random.Body))
	}
	return true, leaks
}

// apart is what tells two answers apart, and what was done for them.
func apart(what string, a, b seen) []string {
	if a.Status != b.Status {
		return []string{fmt.Sprintf("it was answered %d %s, and %s %d %s", a.Status, a.Body, what, b.Status, b.Body)}
	}
	// What is random is numbered by its first place in the whole, calls first: it must
	// be the same thing everywhere.
	text := func(s seen) []string {
		out := strings.Join(s.Calls, "\n") + "\n" + strings.Join(s.Sent, "\n") + "\n"
		for _, name := range slices.Sorted(maps.Keys(s.Header)) {
			out += fmt.Sprintf("%s: %q\n", name, s.Header[name])
		}
		return strings.Split(anonymous(out+s.Body), "\n")
	}
	if d := cmp.Diff(text(a), text(b)); d != "" {
		return []string{fmt.Sprintf("it is not like %s (-it, +that):\n%s", what, d)}
	}
	return nil
}

// as is the request with another caller's credential alone.
func as(ev events.APIGatewayProxyRequest, credential [2]string) events.APIGatewayProxyRequest {
	head := map[string]string{}
	for k, v := range ev.Headers {
		if k = http.CanonicalHeaderKey(k); k != "Authorization" && k != "Cookie" {
			head[k] = v
		}
	}
	head[credential[0]] = credential[1]
	ev.Headers, ev.MultiValueHeaders = head, nil
	return ev
}

// renamed is the request with every id in path, query and body replaced, and how many
// there were.
func renamed(ev events.APIGatewayProxyRequest) (events.APIGatewayProxyRequest, int) {
	total := 0
	change := func(s string) string { out, n := another(s); total += n; return out }
	ev.Path = change(ev.Path)
	query := map[string]string{}
	for k, v := range ev.QueryStringParameters {
		query[k] = change(v)
	}
	for k, vs := range ev.MultiValueQueryStringParameters {
		if _, ok := query[k]; !ok && len(vs) == 1 {
			query[k] = change(vs[0])
		}
	}
	ev.QueryStringParameters, ev.MultiValueQueryStringParameters, ev.PathParameters = query, nil, nil
	if !ev.IsBase64Encoded {
		ev.Body = change(ev.Body)
	}
	return ev, total
}

func ask(t *testing.T, w World, ev events.APIGatewayProxyRequest) seen {
	t.Helper()
	in, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range w.Queues { // what making the world sent is no part of any case
		for _, m := range q.Receive(1000, time.Hour) {
			q.Delete(m.ID)
		}
	}
	out, err := w.Serve(context.WithoutCancel(t.Context()), in)
	if err != nil {
		t.Fatal(err)
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	s := seen{Status: res.StatusCode, Header: http.Header(res.MultiValueHeaders), Body: res.Body}
	for _, q := range w.Queues {
		s.Sent = append(s.Sent, fmt.Sprintf("%d sent", q.Len()))
		for _, m := range q.Receive(1000, time.Hour) {
			s.Sent = append(s.Sent, string(m.Body))
		}
	}
	return s
}
