// Package web is the HTTP edge: it turns API Gateway events into requests,
// finds the route, checks the caller, and turns answers and errors into
// responses with the security headers that every answer carries.
//
// Deny is the default: a route without a Scope is public by an explicit empty
// string, every other needs an API key with that scope, or a session cookie of
// somebody whose role has it. A change that a page of somebody else's has a browser
// ask for is refused, signed in or not; a key may be sent from anywhere. When a
// handler fails or panics the caller gets a problem document (RFC 9457) whose text
// was written for callers, and for anything unforeseen only a reference id; the
// cause goes to the log. Each request gives exactly one access log line, which
// holds no credential, no query and no body.
//
// A Gate turns blocked addresses away before anything else is looked at. The
// address is the one that API Gateway saw; no header counts.
//
// Limits turn callers away who ask too often, by address before anything else and
// by tenant after the caller is known; a limit that cannot be counted lets in. The
// kill switch has none.
//
// It does not know what the routes do and keeps no state between requests.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// Public is the Scope of a route that anybody may call.
const Public identity.Scope = ""

// Route is one thing that can be asked for.
type Route struct {
	Method  string // GET, POST, PUT, PATCH or DELETE
	Pattern string // "/plans/{id}": literal parts and whole-part parameters
	// Scope is what the caller's key must hold; Public for anybody.
	Scope identity.Scope
	// Accept lists the media types of a request body; empty is JSON only.
	Accept []string
	// MaxBody is the largest request body in bytes, after base64; 0 is 64 KiB.
	MaxBody int
	// FromAnywhere routes are answered to blocked addresses too, and without a look at
	// who is: the kill switch, and the health of the function by itself.
	FromAnywhere bool
	Handler      Handler
}

// Handler answers one request. An error becomes a problem document.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Authenticator turns a credential into a principal. A credential that is not
// good is a fault of kind Unauthenticated, the same for every reason.
type Authenticator interface {
	Authenticate(ctx context.Context, key secret.Value) (identity.Principal, error)
}

// Gate decides whether an address may ask at all. An address that may not is a
// fault of kind Forbidden; any other error lets it in, for callers are checked
// anyway.
type Gate interface {
	Admit(ctx context.Context, address string) error
}

// Request is a checked request: the route matched, the caller was allowed and
// the body is within the route's limits.
type Request struct {
	ID       string // also the reference in problem documents
	Method   string
	Path     string
	Params   map[string]string // the pattern's parameters, matched by this package
	Query    url.Values
	Header   http.Header
	Body     []byte
	SourceIP string // as API Gateway saw it; no header can change it
	// Principal and Tenant are zero on a public route.
	Principal identity.Principal
	Tenant    tenant.ID

	renewed  secret.Value // what the session cookie is to hold from now on
	standing []Limit      // how much of its limits the caller has left
}

// JSON decodes the body into v: one JSON value, known members only. A null is
// refused: Go would take it for a member that is not there, which nobody who wrote
// "price": null can be sure of.
func (r *Request) JSON(v any) error {
	if at, found := findNull(r.Body); found {
		return fault.New(fault.Invalid, "body", "The request body says null for %s. Leave out what you do not want to say.", at)
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.DisallowUnknownFields()
	err := errNotUTF8 // which the decoder would repair in silence
	if utf8.Valid(r.Body) {
		err = d.Decode(v)
	}
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("more than one value")
	}
	return fault.New(fault.Invalid, "body", "The request body is not the JSON this route wants (%s).", jsonProblem(err)).Because(err)
}

var errNotUTF8 = errors.New("it is not UTF-8")

// findNull says which member of a JSON text is the first null. A text that is no
// JSON has none: the decoder will say so better.
func findNull(text []byte) (member string, found bool) {
	if !bytes.Contains(text, []byte("null")) { // most bodies, and most of the work
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	member = "the whole body"
	var objects []bool // whether we are in an object, per level
	named := false     // the member's name was read, its value comes next
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		in := len(objects) > 0 && objects[len(objects)-1]
		name, isText := token.(string)
		switch {
		case token == nil:
			return member, true
		case in && !named && isText:
			member, named = fmt.Sprintf("member %.40q", name), true
			continue
		case token == json.Delim('{') || token == json.Delim('['):
			objects = append(objects, token == json.Delim('{'))
		case token == json.Delim('}') || token == json.Delim(']'):
			objects = objects[:len(objects)-1]
		}
		named = false
	}
}

// jsonProblem says what is wrong in words that name no Go type.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	case errors.As(err, &typ):
		return fmt.Sprintf("member %q has the wrong type", typ.Field)
	default:
		return trimPackage(err.Error())
	}
}

// OneOf returns the query's parameter name: "" when it is absent, otherwise one
// of allowed.
func OneOf[T ~string](r *Request, name string, allowed ...T) (T, error) {
	v := T(r.Query.Get(name))
	if r.Query.Has(name) && !slices.Contains(allowed, v) {
		return "", fault.New(fault.Invalid, name, "%s is %.40q: want one of %v, or leave it out.", name, string(v), allowed)
	}
	return v, nil
}

// Response is an answer. Its header adds to the security headers and cannot
// replace them.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	other map[string]string // security headers with another value than elsewhere, see Page
}

// JSON answers with v as JSON.
func JSON(status int, v any) (*Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("web: encode answer: %w", err)
	}
	return &Response{Status: status, Header: contentType("application/json"), Body: b}, nil
}

// Text answers with plain text.
func Text(status int, s string) (*Response, error) {
	return &Response{Status: status, Header: contentType("text/plain; charset=utf-8"), Body: []byte(s)}, nil
}

// HTML answers with a finished page; whoever made it escaped it.
func HTML(status int, page []byte) (*Response, error) {
	return &Response{Status: status, Header: contentType("text/html; charset=utf-8"), Body: page}, nil
}

// With adds a header to the answer.
func (r *Response) With(name, value string) *Response {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Add(name, value)
	return r
}

func contentType(t string) http.Header { return http.Header{"Content-Type": {t}} }
