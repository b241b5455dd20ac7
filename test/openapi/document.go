// Package openapi compares infra/openapi.yaml with the product: the routes with
// what routers and the template have, and recorded requests and replies with the
// schemas. The functions' own tests call it, since their routers are theirs.
//
// It takes the document at its word: a member, status, header or media type
// that the document does not name is a difference.
package openapi

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"pricemanager/internal/identity"
	"pricemanager/internal/web"
)

// Document is infra/openapi.yaml.
type Document struct{ api *openapi3.T }

// read reads the document once for all tests of a package: reading takes longer than
// most of what is compared with it.
var read = sync.OnceValues(func() (*openapi3.T, error) {
	api, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "infra", "openapi.yaml"))
	if err != nil {
		return nil, err
	}
	return api, api.Validate(context.Background())
})

// Load returns the document, for a test two directories below the project's, and
// fails the test unless it is valid OpenAPI.
func Load(t *testing.T) *Document {
	t.Helper()
	api, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return &Document{api}
}

// Route is one operation of the document.
type Route struct {
	Method, Path string
	Function     string         // who answers, from x-function
	Scope        identity.Scope // web.Public for anybody
	Accept       []string       // media types of a body, sorted; none without one
}

func (r Route) name() string { return r.Method + " " + r.Path }

// Routes lists the operations, sorted by path and method.
func (d *Document) Routes() []Route {
	var all []Route
	for path, item := range d.api.Paths.Map() {
		for method, op := range item.Operations() {
			r := Route{Method: method, Path: path, Scope: d.scope(op)}
			r.Function, _ = op.Extensions["x-function"].(string)
			if op.RequestBody != nil {
				for typ := range op.RequestBody.Value.Content {
					r.Accept = append(r.Accept, typ)
				}
				slices.Sort(r.Accept)
			}
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Route) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return all
}

// scope is the one scope that an operation needs: a key's or a session's where keys can
// hold it, else a session's. Anything else, but explicitly nothing, is not valid and
// matches no route.
func (d *Document) scope(op *openapi3.Operation) identity.Scope {
	const undecided = "undecided"
	if op.Security == nil {
		return undecided
	}
	all := map[string]bool{}
	for _, one := range *op.Security {
		for scheme, scopes := range one {
			if len(one) != 1 || len(scopes) != 1 || scheme != "apiKey" && scheme != "session" {
				return undecided
			}
			// What keys can hold is for both, all else for people.
			if scope := identity.Scope(scopes[0]); scope.Keyable() != (len(*op.Security) == 2) {
				return undecided
			}
			all[scopes[0]] = true
		}
	}
	if len(*op.Security) == 0 {
		return web.Public
	}
	for scope := range all {
		if len(all) == 1 {
			return identity.Scope(scope)
		}
	}
	return undecided
}

// CompareRoutes fails the test for every difference between a function's router
// and the operations that the document says it answers.
func CompareRoutes(t *testing.T, function string, router *web.Router) {
	t.Helper()
	for _, difference := range Load(t).compare(function, router.Routes()) {
		t.Error(difference)
	}
}

func (d *Document) compare(function string, routes []web.Route) (differences []string) {
	missing := map[string]Route{}
	for _, r := range d.Routes() {
		if r.Function == function {
			missing[r.name()] = r
		}
	}
	for _, r := range routes {
		name := r.Method + " " + r.Pattern
		doc, ok := missing[name]
		if !ok {
			differences = append(differences, fmt.Sprintf("%s answers %s, which the document does not say of it", function, name))
			continue
		}
		delete(missing, name)
		if doc.Scope != r.Scope {
			differences = append(differences, fmt.Sprintf("%s needs scope %q, the document says %q", name, r.Scope, doc.Scope))
		}
		accept := slices.Sorted(slices.Values(r.Accept))
		if len(accept) == 0 && len(doc.Accept) > 0 {
			accept = []string{"application/json"} // what a route takes that does not say
		}
		if !slices.Equal(accept, doc.Accept) {
			differences = append(differences, fmt.Sprintf("%s takes %v, the document says %v", name, accept, doc.Accept))
		}
	}
	for name := range missing {
		differences = append(differences, fmt.Sprintf("the document has %s, which %s does not answer", name, function))
	}
	return differences
}
