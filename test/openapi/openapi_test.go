package openapi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"pricemanager/internal/identity"
	"pricemanager/internal/web"
)

func TestTemplateRoutesAreTheDocumentsRoutes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range template.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var props struct {
			FunctionName yaml.Node `yaml:"FunctionName"` // !Sub 'pm-${Stage}-name'
			Events       map[string]struct {
				Type       string    `yaml:"Type"`
				Properties yaml.Node `yaml:"Properties"`
			} `yaml:"Events"`
		}
		if err := r.Properties.Decode(&props); err != nil {
			t.Fatal(err)
		}
		for _, e := range props.Events {
			if e.Type != "Api" {
				continue
			}
			var at struct {
				Method string `yaml:"Method"`
				Path   string `yaml:"Path"`
			}
			if err := e.Properties.Decode(&at); err != nil {
				t.Fatal(err)
			}
			got = append(got, at.Method+" "+at.Path+" "+strings.TrimPrefix(props.FunctionName.Value, "pm-${Stage}-"))
		}
	}
	var want []string
	for _, r := range Load(t).Routes() {
		want = append(want, r.name()+" "+r.Function)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the template has\n%s\nthe document has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEveryScopeOpensSomethingAndNoOtherIsNamed(t *testing.T) {
	t.Parallel()
	named := map[identity.Scope]bool{}
	for _, r := range Load(t).Routes() {
		if r.Scope != web.Public && !r.Scope.Valid() {
			t.Errorf("%s needs %q, which is no scope", r.name(), r.Scope)
		}
		named[r.Scope] = true
	}
	for _, s := range identity.Scopes() {
		if !named[s] {
			t.Errorf("no operation needs %s", s)
		}
	}
}

func TestEveryFailureIsAProblemDocument(t *testing.T) {
	t.Parallel()
	d := Load(t)
	for path, item := range d.api.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			for status, r := range op.Responses.Map() {
				failure := status == "default" || status >= "400"
				if failure != (r.Value.Content["application/problem+json"] != nil && len(r.Value.Content) == 1) {
					t.Errorf("%s: %s comes as %v", name, status, r.Value.Content)
				}
			}
			secured := d.scope(op) != web.Public
			for _, status := range []string{"401", "403"} {
				if secured && op.Responses.Value(status) == nil {
					t.Errorf("%s needs a key and does not tell of %s", name, status)
				}
			}
			if op.Responses.Default() == nil || op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s lacks its default answer, its id, its summary or its tag", name)
			}
		}
	}
}

// ok is a request and a reply that fit the document.
func ok() (event, reply map[string]any) {
	return map[string]any{
			"httpMethod": "GET", "resource": "/exports/{id}", "path": "/exports/exp_aaaaaaaaaaaaaaaaaaaaaaaaaa",
		}, map[string]any{
			"statusCode": 200, "multiValueHeaders": map[string]any{"Content-Type": []string{"application/json"}},
			"body": `{"id":"exp_aaaaaaaaaaaaaaaaaaaaaaaaaa","state":"running","requestedAt":"2026-11-22T09:00:00Z"}`,
		}
}

func TestAReplyThatTheDocumentDoesNotDescribeIsFound(t *testing.T) {
	t.Parallel()
	problem := func(status int) func(_, r map[string]any) {
		return func(_, r map[string]any) {
			r["statusCode"] = status
			r["multiValueHeaders"] = map[string]any{"Content-Type": []string{"application/problem+json"}}
			r["body"] = fmt.Sprintf(`{"type":"/problems/x","title":"x","status":%d,"detail":"x","reference":"x","batch":"an extension"}`, status)
		}
	}
	swap := func(old, new string) func(_, r map[string]any) {
		return func(_, r map[string]any) { r["body"] = strings.Replace(r["body"].(string), old, new, 1) }
	}
	for name, c := range map[string]struct {
		change func(event, reply map[string]any)
		found  string // "" for nothing to find
	}{
		"as it is":          {func(_, _ map[string]any) {}, ""},
		"another event":     {func(e, _ map[string]any) { delete(e, "httpMethod") }, ""},
		"a problem":         {problem(404), ""},
		"an unforeseen 5xx": {problem(500), ""},
		"an unforeseen 4xx": {problem(409), "status 409 is not among"},
		"unknown member":    {swap(`"state"`, `"colour":"red","state"`), "colour"},
		"missing member":    {swap(`"state":"running",`, ``), "state"},
		"unknown state":     {swap(`running`, `walking`), "state"},
		"wrong type":        {swap(`"running"`, `7`), "state"},
		"malformed id":      {swap(`exp_a`, `EXP_A`), "id"},
		"malformed time":    {swap(`2026-11-22T`, `22/11/2026 `), "requestedAt"},
		"not JSON":          {swap(`}`, ``), "unexpected end"},
		"wrong media type": {func(_, r map[string]any) {
			r["multiValueHeaders"] = map[string]any{"Content-Type": []string{"text/html"}}
		}, "comes as text/html"},
		"unknown route":   {func(e, _ map[string]any) { e["resource"] = "/imports/{id}" }, "there is no GET /imports/{id}"},
		"unknown method":  {func(e, _ map[string]any) { e["httpMethod"] = "DELETE" }, "there is no DELETE"},
		"unknown query":   {func(e, _ map[string]any) { e["multiValueQueryStringParameters"] = map[string]any{"x": []string{"1"}} }, "?x"},
		"a body too many": {func(e, _ map[string]any) { e["body"] = "{}" }, "has a body"},
		"a header too few": {func(e, r map[string]any) {
			problem(401)(e, r)
		}, "lacks the header WWW-Authenticate"},
		"a wrong path": {func(e, _ map[string]any) { e["path"] = "/exports/EXP_1" }, "the request's id was taken"},
		"another path": {func(e, _ map[string]any) { e["path"] = "/imports/exp_aaaaaaaaaaaaaaaaaaaaaaaaaa" }, "is not on"},
		"a wrong number": {func(e, _ map[string]any) {
			e["resource"], e["path"] = "/offers", "/offers"
			e["multiValueQueryStringParameters"] = map[string]any{"limit": []string{"many"}}
		}, "the request's limit was taken"},
		"a body of another type": {func(e, _ map[string]any) {
			e["httpMethod"], e["resource"], e["path"], e["body"] = "POST", "/connections", "/connections", `{"region":"EU"}`
			e["multiValueHeaders"] = map[string]any{"content-type": []string{"text/csv"}}
		}, "comes as text/csv"},
		"no body": {func(e, _ map[string]any) {
			e["httpMethod"], e["resource"], e["path"] = "POST", "/connections", "/connections"
		}, "lacks its body"},
		"no key for repeating": {func(e, _ map[string]any) {
			e["httpMethod"], e["resource"], e["path"] = "POST", "/batches", "/batches"
		}, "lacks Idempotency-Key"},
		"a header too many": {func(_, r map[string]any) {
			r["multiValueHeaders"].(map[string]any)["X-Powered-By"] = []string{"gophers"}
		}, "X-Powered-By"},
		"a wrong header": {func(e, r map[string]any) {
			problem(404)(e, r)
			r["multiValueHeaders"].(map[string]any)["Retry-After"] = []string{"soon"}
		}, "Retry-After"},
		"a lacking required": {func(e, _ map[string]any) { e["resource"] = "/offers" }, "lacks connection"},
		"a wrong request": {func(e, _ map[string]any) {
			e["httpMethod"], e["resource"], e["body"] = "POST", "/connections", `{"region":"EU","connection":"x"}`
			e["path"], e["multiValueHeaders"] = "/connections", map[string]any{"content-type": []string{"application/json"}}
		}, "request body"},
	} {
		event, reply := ok()
		c.change(event, reply)
		err := Load(t).check(encode(t, event), encode(t, reply))
		if (err == nil) != (c.found == "") || err != nil && !strings.Contains(err.Error(), c.found) {
			t.Errorf("%s: found %v, want %q", name, err, c.found)
		}
	}
}

func encode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARouterThatTheDocumentDoesNotDescribeIsFound(t *testing.T) {
	t.Parallel()
	d := Load(t)
	routes := func() []web.Route {
		return []web.Route{
			{Method: "POST", Pattern: "/exports", Scope: identity.ExportsWrite},
			{Method: "GET", Pattern: "/exports/{id}", Scope: identity.ExportsRead},
			{Method: "GET", Pattern: "/ledger", Scope: identity.LedgerRead},
			{Method: "GET", Pattern: "/ledger/key", Scope: web.Public},
			{Method: "GET", Pattern: "/ledger/proof", Scope: identity.LedgerRead},
			{Method: "GET", Pattern: "/ledger/consistency", Scope: identity.LedgerRead},
			{Method: "GET", Pattern: "/ledger/checkpoints", Scope: identity.LedgerRead},
			{Method: "GET", Pattern: "/batches/{id}/receipt", Scope: identity.LedgerRead},
		}
	}
	if got := d.compare("gdpr-export", routes()); len(got) != 0 {
		t.Errorf("found %q", got)
	}
	for want, change := range map[string]func([]web.Route) []web.Route{
		"the document has GET /ledger/key": func(r []web.Route) []web.Route { return r[:3] },
		"answers DELETE /exports/{id}": func(r []web.Route) []web.Route {
			return append(r, web.Route{Method: "DELETE", Pattern: "/exports/{id}"})
		},
		"answers GET /health":                          func(r []web.Route) []web.Route { return append(r, web.Route{Method: "GET", Pattern: "/health"}) },
		`GET /ledger needs scope ""`:                   func(r []web.Route) []web.Route { r[2].Scope = web.Public; return r },
		`GET /ledger/key needs scope "ledger:read"`:    func(r []web.Route) []web.Route { r[3].Scope = identity.LedgerRead; return r },
		"POST /exports takes [text/csv], the document": func(r []web.Route) []web.Route { r[0].Accept = []string{"text/csv"}; return r },
	} {
		if got := strings.Join(d.compare("gdpr-export", change(routes())), "\n"); !strings.Contains(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}

// The functions' tests hold each recorded request and its reply to the document.
func TestEveryOperationHasARecordedSuccess(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*", "success-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var event struct{ HTTPMethod, Resource string }
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		recorded[event.HTTPMethod+" "+event.Resource] = true
	}
	for _, r := range Load(t).Routes() {
		if !recorded[r.name()] {
			t.Errorf("no success of %s is recorded in events/%s", r.name(), r.Function)
		}
	}
}
