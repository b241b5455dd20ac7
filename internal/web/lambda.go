package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/metrics"
)

// Router answers API Gateway events by a fixed table of routes.
type Router struct {
	routes   []Route
	log      *slog.Logger
	clock    clock.Clock
	problems string
	gate     Gate            // nil admits everybody
	metrics  *metrics.Writer // nil discards
	uses     Uses            // nil records none
	sessions Sessions        // nil knows none
	limits   Limits          // nil sets none
	// sources names addresses in the log; nil leaves them out
	sources func(ctx context.Context, address string) string
	names   func(ctx context.Context, address string) []string // of addresses that uses are recorded with
}

// New checks the routes and returns their router. Problem types are URIs below
// problems, e.g. "https://example.com/problems/"; "" makes them relative to
// the API ("/problems/"), which RFC 9457 allows.
func New(log *slog.Logger, c clock.Clock, problems string, routes ...Route) (*Router, error) {
	if err := check(routes); err != nil {
		return nil, err
	}
	if problems == "" {
		problems = "/problems/"
	}
	return &Router{routes: routes, log: log, clock: c, problems: problems}, nil
}

// WithGate has g turn addresses away. Call it before first use.
func (rt *Router) WithGate(g Gate) *Router { rt.gate = g; return rt }

// WithSources has the log line of a request name the address that it came from, as
// name does: never the address itself. Call it before first use.
func (rt *Router) WithSources(name func(ctx context.Context, address string) string) *Router {
	rt.sources = name
	return rt
}

// WithMetrics has refused API keys, turned away addresses, and requests that are over
// a limit or could not be counted, counted in metrics named KeysRefused,
// AddressesBlocked, RequestsRefused and RequestsUncounted. Call it before first use.
func (rt *Router) WithMetrics(m *metrics.Writer) *Router { rt.metrics = m; return rt }

// Routes lists what the router answers, so that descriptions of it can be
// compared with it.
func (rt *Router) Routes() []Route { return slices.Clone(rt.routes) }

// Answering returns a router that lets in whom this one does and answers every route
// with h: so that who may ask for what can be tested without what lies behind it.
func (rt *Router) Answering(h Handler) *Router {
	with := *rt
	with.routes = slices.Clone(rt.routes)
	for i := range with.routes {
		with.routes[i].Handler = h
	}
	return &with
}

// Lambda is the router as a handler of API Gateway REST proxy events. It
// returns no error: every failure is an answer.
func (rt *Router) Lambda(auth Authenticator) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return func(ctx context.Context, ev events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		return encode(rt.serve(ctx, auth, ev)), nil
	}
}

// serve answers and writes the one access log line, whatever happens.
func (rt *Router) serve(ctx context.Context, auth Authenticator, ev events.APIGatewayProxyRequest) *Response {
	start := rt.clock.Now()
	r := &Request{ID: requestID(ctx, ev)}
	ctx = logs.With(ctx, logs.Fields{RequestID: r.ID})
	route, resp, err := rt.answer(ctx, auth, ev, r)
	if err != nil {
		resp = rt.problem(err, r.ID)
		rt.aside(ctx, func() { rt.refused(ctx, route, r, err) })
	}
	if !r.renewed.Empty() && !resp.setsSession() {
		// Also on a problem: an answer that brings the cookie's next secret and is
		// not read costs nobody their session, see identity.Sessions.
		resp.With("Set-Cookie", sessionCookie(r.renewed))
	}
	r.rateHeaders(resp)
	rt.access(ctx, ev, r, route, resp, err, rt.clock.Now().Sub(start))
	return resp
}

// panicError is a panic with its stack, for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// aside does what goes with an answer: a panic there costs neither the answer nor its
// line in the log.
func (rt *Router) aside(ctx context.Context, do func()) {
	defer func() {
		if v := recover(); v != nil {
			rt.log.ErrorContext(ctx, "a panic beside an answer", "cause", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	do()
}

// answer is one request from the event to the handler's answer. A panic on the
// way is an error like any other.
func (rt *Router) answer(ctx context.Context, auth Authenticator, ev events.APIGatewayProxyRequest, r *Request) (route *Route, resp *Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			resp, err = nil, &panicError{value: v, stack: debug.Stack()}
		}
	}()
	r.Method, r.Path, r.SourceIP = ev.HTTPMethod, ev.Path, ev.RequestContext.Identity.SourceIP
	r.Header = header(ev)
	route, r.Params, err = find(rt.routes, r.Method, r.Path)
	// Where there is nothing the address counts too: looking for something costs us as much.
	if refused := rt.admit(ctx, route, r.SourceIP); refused != nil {
		return route, nil, refused
	}
	if refused := rt.limit(ctx, route, r); refused != nil {
		return route, nil, refused
	}
	if err != nil {
		return nil, nil, err
	}
	if err = checkHeader(r.Header); err != nil {
		return route, nil, err
	}
	if route.Scope == Public {
		// Also where nobody is known: no foreign page signs a browser in as somebody else.
		if err = sameSite(r); err != nil {
			return route, nil, err
		}
	}
	// The caller comes before the body: an unknown caller's bytes are not read.
	if route.Scope != Public {
		if r.Principal, err = rt.authorise(ctx, auth, r, route.Scope); err != nil {
			if fault.KindOf(err) == fault.Unauthenticated {
				rt.metrics.Emit(nil, metrics.Count("KeysRefused", 1))
			}
			return route, nil, err
		}
		r.Tenant = r.Principal.Tenant
		ctx = logs.With(ctx, logs.Fields{Tenant: r.Tenant})
	}
	if route.Scope != Public {
		if err = rt.quota(ctx, route, r); err != nil {
			return route, nil, err
		}
	}
	if r.Query, err = query(ev); err != nil {
		return route, nil, err
	}
	if r.Body, err = body(ev, route.maxBody()); err != nil {
		return route, nil, err
	}
	if err = checkBody(route, r.Header.Get("Content-Type"), r.Body); err != nil {
		return route, nil, err
	}
	if err = rt.changes(ctx, route, r); err != nil {
		return route, nil, err
	}
	resp, err = route.Handler(ctx, r)
	if err == nil && resp == nil {
		err = errors.New("web: the handler gave neither an answer nor an error")
	}
	if err == nil {
		err = rt.reads(ctx, route, r)
	}
	return route, resp, err
}

// admit asks the gate.
func (rt *Router) admit(ctx context.Context, route *Route, address string) error {
	if rt.gate == nil || route != nil && route.FromAnywhere {
		return nil
	}
	err := rt.gate.Admit(ctx, address)
	switch {
	case err == nil:
		return nil
	case fault.KindOf(err) == fault.Forbidden:
		rt.metrics.Emit(nil, metrics.Count("AddressesBlocked", 1))
		return err
	default:
		rt.log.WarnContext(ctx, "the gate could not be asked; the address was let in", "cause", err)
		return nil
	}
}

// access writes the request's log line: an error of ours at level ERROR with
// its cause, anything else at INFO.
func (rt *Router) access(ctx context.Context, ev events.APIGatewayProxyRequest, r *Request, route *Route, resp *Response, err error, took time.Duration) {
	pattern := "unmatched"
	if route != nil {
		pattern = route.Pattern
	}
	method := ev.HTTPMethod
	if len(method) > 10 {
		method = "other"
	}
	if r.Principal.Tenant != "" {
		ctx = logs.With(ctx, logs.Fields{Tenant: r.Principal.Tenant})
	}
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("route", pattern), slog.Int("status", resp.Status),
		slog.Int64("ms", took.Milliseconds()),
		slog.Int("bytesIn", len(r.Body)), slog.Int("bytesOut", len(resp.Body)),
	}
	for _, who := range []slog.Attr{slog.String("keyId", r.Principal.KeyID), slog.String("member", r.Principal.Member), slog.String("session", r.Principal.Session)} {
		if who.Value.String() != "" {
			attrs = append(attrs, who)
		}
	}
	// The health of the function is its own: it waits for nobody else's keys.
	if rt.sources != nil && (route == nil || route.Scope != Public || !route.FromAnywhere) {
		rt.aside(ctx, func() {
			if s := rt.sources(ctx, r.SourceIP); s != "" {
				attrs = append(attrs, slog.String("source", s))
			}
		})
	}
	level := slog.LevelInfo
	if resp.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if err != nil {
		attrs = append(attrs, slog.String("kind", string(fault.KindOf(err))), slog.String("cause", cause(err, resp.Status)))
		var p *panicError
		if errors.As(err, &p) {
			attrs = append(attrs, slog.String("stack", string(p.stack)))
		}
	}
	rt.log.LogAttrs(ctx, level, "request", attrs...)
}

// cause is an error's text for the log. The public text of a caller's mistake
// stays out: it may quote what the caller sent.
func cause(err error, status int) string {
	var f *fault.Fault
	switch {
	case status >= http.StatusInternalServerError || !errors.As(err, &f):
		return err.Error()
	case f.Err != nil:
		return f.Type + ": " + f.Err.Error()
	default:
		return f.Type
	}
}

var goodID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// requestID is API Gateway's id of the request, else the invocation's. It comes
// back in problem documents, so nothing else may stand in it.
func requestID(ctx context.Context, ev events.APIGatewayProxyRequest) string {
	for _, id := range []string{ev.RequestContext.RequestID, logs.From(ctx).RequestID} {
		if goodID.MatchString(id) {
			return id
		}
	}
	return "unknown"
}

// header collects the request headers, multi-value ones when there are any.
func header(ev events.APIGatewayProxyRequest) http.Header {
	h := http.Header{}
	for k, vs := range ev.MultiValueHeaders {
		for _, v := range vs {
			h.Add(k, v)
		}
	}
	several := maps.Clone(h)
	for k, v := range ev.Headers {
		// Two spellings of one name are two values here too, not whichever came last.
		if len(several.Values(k)) == 0 {
			h.Add(k, v)
		}
	}
	return h
}

// maxHeader is how many bytes of header a request may carry, names and values:
// less than the 10,240 at which API Gateway itself refuses, so that the answer is ours.
const maxHeader = 9 << 10

func checkHeader(h http.Header) error {
	size := 0
	for k, vs := range h {
		for _, v := range vs {
			size += len(k) + len(v)
		}
	}
	if size > maxHeader {
		return fault.New(fault.Invalid, "headers", "The request's headers may be at most %d bytes together.", maxHeader)
	}
	return nil
}

// maxQuery is how many bytes of query a request may carry.
const maxQuery = 8 << 10

// query collects the query, which API Gateway has decoded once.
func query(ev events.APIGatewayProxyRequest) (url.Values, error) {
	q := url.Values{}
	for k, vs := range ev.MultiValueQueryStringParameters {
		q[k] = append(q[k], vs...)
	}
	for k, v := range ev.QueryStringParameters {
		if _, ok := q[k]; !ok {
			q.Set(k, v)
		}
	}
	size := 0
	for k, vs := range q {
		// An empty variable in a script must not ask for everything. The end of a
		// list is an empty cursor, though.
		if k != "after" && (len(vs) == 0 || vs[0] == "") {
			return nil, fault.New(fault.Invalid, "query", "The query has %.40q without a value: give one, or leave it out.", k)
		}
		if len(vs) > 1 {
			return nil, fault.New(fault.Invalid, "query", "The query has %.40q %d times; say it once.", k, len(vs))
		}
		for _, v := range vs {
			size += len(k) + len(v)
			if !utf8.ValidString(k) || !utf8.ValidString(v) || size > maxQuery {
				return nil, fault.New(fault.Invalid, "query", "The query must be UTF-8 and at most %d bytes.", maxQuery)
			}
		}
	}
	return q, nil
}

// body returns the request body; a size over limit is refused before it is
// decoded.
func body(ev events.APIGatewayProxyRequest, limit int) ([]byte, error) {
	if !ev.IsBase64Encoded {
		return []byte(ev.Body), nil
	}
	if base64.StdEncoding.DecodedLen(len(ev.Body)) > limit+2 { // +2: padding
		return nil, fault.New(fault.TooLarge, "", "The request body is larger than the %d bytes this route takes.", limit)
	}
	b, err := base64.StdEncoding.DecodeString(ev.Body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "body", "The request body arrived damaged; send it again.").Because(err)
	}
	return b, nil
}
