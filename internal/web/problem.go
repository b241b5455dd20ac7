package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"pricemanager/internal/fault"
)

// statuses is the one table from kinds of errors to HTTP.
var statuses = map[fault.Kind]int{
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Gone:            http.StatusGone,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Internal:        http.StatusInternalServerError,
}

const problemType = "application/problem+json"

// RetryAfter is the Extra member of a fault that also becomes the Retry-After
// header: whole seconds, an int.
const RetryAfter = "retryAfter"

// problem is err as a problem document (RFC 9457). Only a Fault's public text
// is shown; anything else becomes "internal" with a reference.
func (rt *Router) problem(err error, reference string) *Response {
	var m *methodError
	if errors.As(err, &m) {
		r := rt.document(http.StatusMethodNotAllowed, "method-not-allowed", "This address does not have that method.", reference, nil)
		return r.With("Allow", strings.Join(m.allow, ", "))
	}
	var f *fault.Fault
	if !errors.As(err, &f) || statuses[f.Kind] == 0 || f.Kind == fault.Internal {
		return rt.document(http.StatusInternalServerError, string(fault.Internal),
			fmt.Sprintf("Something went wrong on our side. Quote the reference %s if you report it.", reference), reference, nil)
	}
	typ := f.Type
	if typ == "" {
		typ = string(f.Kind)
	}
	r := rt.document(statuses[f.Kind], typ, f.Public, reference, f.Extra)
	if s, ok := f.Extra[RetryAfter].(int); ok && s > 0 {
		r.With("Retry-After", fmt.Sprint(s))
	}
	if f.Kind == fault.Unauthenticated {
		r.With("WWW-Authenticate", "Bearer")
	}
	return r
}

func (rt *Router) document(status int, typ, detail, reference string, extra map[string]any) *Response {
	doc := map[string]any{}
	for k, v := range extra {
		doc[k] = v
	}
	// The standard members come last: an extension cannot stand in for them.
	doc["type"] = rt.problems + typ
	doc["title"] = http.StatusText(status)
	doc["status"] = status
	doc["detail"] = detail
	doc["reference"] = reference
	b, err := json.Marshal(doc)
	if err != nil { // an Extra that cannot be encoded
		return rt.document(status, typ, detail, reference, nil)
	}
	return &Response{Status: status, Header: contentType(problemType), Body: b}
}

// trimPackage takes the "json: " off a message of encoding/json.
func trimPackage(s string) string { return strings.TrimPrefix(s, "json: ") }
