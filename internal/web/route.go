package web

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"

	"pricemanager/internal/fault"
)

// defaultMaxBody is what a JSON request may hold: ample for every document the
// API takes, small enough that refusing costs nothing.
const defaultMaxBody = 64 << 10

// Uploads are the media types a price file may come as. Browsers and command
// line tools disagree about CSV and TSV, so the generic ones are among them:
// the parser looks at the content, never at this.
func Uploads() []string {
	return []string{
		"text/csv", "text/tab-separated-values", "text/plain", "application/octet-stream", "application/gzip",
		"application/json", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}
}

var (
	methods  = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	pathPart = regexp.MustCompile(`^[A-Za-z0-9_.~-]{1,64}$`)
	varPart  = regexp.MustCompile(`^\{([a-z][A-Za-z]*)\}$`)
)

// check finds a table of routes that cannot mean what its author thought.
func check(routes []Route) error {
	var errs []error
	seen := map[string]bool{}
	for _, rt := range routes {
		name := rt.Method + " " + rt.Pattern
		if !slices.Contains(methods, rt.Method) || !strings.HasPrefix(rt.Pattern, "/") || rt.Handler == nil {
			errs = append(errs, fmt.Errorf("web: route %q needs a known method, a pattern that begins with / and a handler", name))
		}
		if rt.Scope != Public && !rt.Scope.Valid() {
			errs = append(errs, fmt.Errorf("web: route %q has the unknown scope %q", name, rt.Scope))
		}
		shape := rt.Method
		for _, part := range strings.Split(rt.Pattern, "/")[1:] {
			switch {
			case varPart.MatchString(part):
				part = "{}"
			case !pathPart.MatchString(part):
				errs = append(errs, fmt.Errorf("web: route %q has the malformed part %q", name, part))
			}
			shape += "/" + part
		}
		if seen[shape] {
			errs = append(errs, fmt.Errorf("web: route %q is there twice", name))
		}
		seen[shape] = true
	}
	return errors.Join(errs...)
}

// find matches a path against the routes: literal parts beat parameters. It
// returns the methods the path does have when it lacks this one.
func find(routes []Route, method, path string) (_ *Route, params map[string]string, _ error) {
	parts, err := split(path)
	if err != nil {
		return nil, nil, err
	}
	var best *Route
	bestLiterals := -1
	var allow []string
	for i := range routes {
		p, literals, ok := match(routes[i].Pattern, parts)
		if !ok {
			continue
		}
		if routes[i].Method != method {
			allow = append(allow, routes[i].Method)
			continue
		}
		if literals > bestLiterals {
			best, params, bestLiterals = &routes[i], p, literals
		}
	}
	switch {
	case best != nil:
		return best, params, nil
	case len(allow) > 0:
		sort.Strings(allow)
		return nil, nil, &methodError{allow: slices.Compact(allow)}
	default:
		return nil, nil, fault.New(fault.NotFound, "", "There is nothing at this address.")
	}
}

// split takes a path apart and refuses every spelling that a proxy, a log or
// a policy could read differently than we do: escapes, empty parts and dots.
// Nothing the API serves needs them.
func split(path string) ([]string, error) {
	rest, ok := strings.CutPrefix(path, "/")
	parts := strings.Split(rest, "/")
	for _, p := range parts {
		if !ok || len(path) > 512 || !pathPart.MatchString(p) || strings.Trim(p, ".") == "" {
			return nil, fault.New(fault.Invalid, "path", "The address may hold only letters, digits and _ . ~ - between single slashes, without escapes.")
		}
	}
	return parts, nil
}

func match(pattern string, parts []string) (params map[string]string, literals int, ok bool) {
	want := strings.Split(pattern, "/")[1:]
	if len(want) != len(parts) {
		return nil, 0, false
	}
	params = map[string]string{}
	for i, w := range want {
		if v := varPart.FindStringSubmatch(w); v != nil {
			params[v[1]] = parts[i]
			continue
		}
		if w != parts[i] {
			return nil, 0, false
		}
		literals++
	}
	return params, literals, true
}

// methodError is a known path asked with a method it does not have.
type methodError struct{ allow []string }

func (e *methodError) Error() string { return "web: method not allowed" }

// checkBody holds a body to its route's limits.
func checkBody(rt *Route, ct string, body []byte) error {
	if limit := rt.maxBody(); len(body) > limit {
		return fault.New(fault.TooLarge, "", "The request body is larger than the %d bytes this route takes.", limit)
	}
	if len(body) == 0 {
		return nil
	}
	accept := rt.Accept
	if len(accept) == 0 {
		accept = []string{"application/json"}
	}
	typ, params, err := mime.ParseMediaType(ct)
	if cs := params["charset"]; err != nil || !slices.Contains(accept, typ) || typ == "application/json" && cs != "" && !strings.EqualFold(cs, "utf-8") {
		return fault.New(fault.Unsupported, "content-type", "Send the body as %s; the Content-Type header says otherwise.", strings.Join(accept, ", ")).Because(err)
	}
	return nil
}

func (rt *Route) maxBody() int {
	if rt.MaxBody > 0 {
		return rt.MaxBody
	}
	return defaultMaxBody
}
