package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/getkin/kin-openapi/openapi3"
)

// checkParameters holds what a request that was taken says in its path, query and
// headers to the parameters of its operation and of the path it is on.
func checkParameters(item *openapi3.PathItem, op *openapi3.Operation, req events.APIGatewayProxyRequest) error {
	path, errs := pathValues(req.Resource, req.Path)
	known := map[string]bool{}
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		p := ref.Value
		known[p.In+" "+p.Name] = true
		var values []string
		switch p.In {
		case openapi3.ParameterInPath:
			values = path[p.Name]
		case openapi3.ParameterInQuery:
			values = req.MultiValueQueryStringParameters[p.Name]
		case openapi3.ParameterInHeader:
			values = header(req).Values(p.Name)
		}
		if p.Required && len(values) == 0 {
			errs = append(errs, fmt.Errorf("the request lacks %s and was taken", p.Name))
		}
		for _, v := range values {
			if err := checkText(p.Schema, v); err != nil {
				errs = append(errs, fmt.Errorf("the request's %s was taken: %w", p.Name, err))
			}
		}
	}
	for name := range req.MultiValueQueryStringParameters {
		if !known["query "+name] {
			errs = append(errs, fmt.Errorf("the request has ?%s", name))
		}
	}
	for name := range path {
		if !known["path "+name] {
			errs = append(errs, fmt.Errorf("the document does not describe {%s}", name))
		}
	}
	return errors.Join(errs...)
}

// pathValues takes the parameters of a pattern out of a path.
func pathValues(pattern, path string) (values map[string][]string, errs []error) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	values = map[string][]string{}
	if len(want) != len(got) {
		return values, []error{fmt.Errorf("%s is not on %s", path, pattern)}
	}
	for i, w := range want {
		name, ok := strings.CutPrefix(w, "{")
		switch {
		case ok:
			values[strings.TrimSuffix(name, "}")] = []string{got[i]}
		case w != got[i]:
			errs = append(errs, fmt.Errorf("%s is not on %s", path, pattern))
		}
	}
	return values, errs
}

func header(req events.APIGatewayProxyRequest) http.Header {
	h := http.Header{}
	for name, values := range req.MultiValueHeaders {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

// everywhere are headers of any answer, which the document's introduction tells of or
// which say nothing about the operation: security, a session's next secret, limits.
var everywhere = []string{
	"Cache-Control", "Content-Security-Policy", "Content-Type", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
	"Permissions-Policy", "Ratelimit", "Ratelimit-Policy", "Referrer-Policy", "Set-Cookie", "Strict-Transport-Security",
	"X-Content-Type-Options", "X-Frame-Options",
}

// checkHeaders holds an answer's headers to those that the document has for it.
func checkHeaders(described openapi3.Headers, got http.Header) error {
	left := maps.Clone(got)
	for name, h := range described {
		values := got.Values(name)
		delete(left, http.CanonicalHeaderKey(name))
		if h.Value.Required && len(values) == 0 {
			return fmt.Errorf("lacks the header %s", name)
		}
		for _, v := range values {
			if err := checkText(h.Value.Schema, v); err != nil {
				return fmt.Errorf("has the header %s: %w", name, err)
			}
		}
	}
	for name, values := range left {
		if len(values) > 0 && !slices.Contains(everywhere, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("has the header %s, which the document does not name", name)
		}
	}
	return nil
}

// checkText validates what came as text against a schema of a number or a text.
func checkText(schema *openapi3.SchemaRef, text string) error {
	if schema == nil || schema.Value == nil {
		return nil
	}
	var value any = text
	if schema.Value.Type.Is(openapi3.TypeInteger) {
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
	}
	if err := schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}
