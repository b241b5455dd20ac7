package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// Router answers API Gateway events by a fixed table of routes.
type Router struct {
	routes   []Route
	log      *slog.Logger
	clock    clock.Clock
	problems string
	gate     Gate            // nil admits everybody
	metrics  *metrics.Writer // nil discards
	reads    Reads           // nil records none
}

// Reads records that a caller is given data of Amazon's; ledger.Outbox is one.
type Reads interface {
	Read(ctx context.Context, t tenant.ID, actor, route string) error
}

// amazonData are the scopes under which answers hold what Amazon told us.
var amazonData = []identity.Scope{identity.OffersRead, identity.PlansRead, identity.BatchesRead}

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

// WithMetrics has refused API keys and turned away addresses counted, in metrics
// named KeysRefused and AddressesBlocked. Call it before first use.
func (rt *Router) WithMetrics(m *metrics.Writer) *Router { rt.metrics = m; return rt }

// WithReads has every GET of Amazon's data recorded. An answer that cannot be
// recorded is not given. Call it before first use.
func (rt *Router) WithReads(r Reads) *Router { rt.reads = r; return rt }

// Routes lists what the router answers, so that descriptions of it can be
// compared with it.
func (rt *Router) Routes() []Route { return slices.Clone(rt.routes) }

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
	}
	rt.access(ctx, ev, r, route, resp, err, rt.clock.Now().Sub(start))
	return resp
}

// panicError is a panic with its stack, for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

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
	if err != nil {
		return nil, nil, err
	}
	if err = rt.admit(ctx, route, r.SourceIP); err != nil {
		return route, nil, err
	}
	// The caller comes before the body: an unknown caller's bytes are not read.
	if route.Scope != Public {
		if r.Principal, err = authorise(ctx, auth, r.Header, route.Scope); err != nil {
			if fault.KindOf(err) == fault.Unauthenticated {
				rt.metrics.Emit(nil, metrics.Count("KeysRefused", 1))
			}
			return route, nil, err
		}
		r.Tenant = r.Principal.Tenant
		ctx = logs.With(ctx, logs.Fields{Tenant: r.Tenant})
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
	resp, err = route.Handler(ctx, r)
	if err == nil && resp == nil {
		err = errors.New("web: the handler gave neither an answer nor an error")
	}
	if err == nil && rt.reads != nil && route.Method == http.MethodGet && slices.Contains(amazonData, route.Scope) {
		err = rt.reads.Read(ctx, r.Tenant, r.Principal.Actor, "GET "+route.Pattern)
	}
	return route, resp, err
}

// admit asks the gate.
func (rt *Router) admit(ctx context.Context, route *Route, address string) error {
	if rt.gate == nil || route.FromAnywhere {
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

// authorise takes the key from the Authorization header and nowhere else.
func authorise(ctx context.Context, auth Authenticator, h http.Header, scope identity.Scope) (identity.Principal, error) {
	refused := fault.New(fault.Unauthenticated, "", "Send an API key that is valid now, as: Authorization: Bearer pmk_...")
	values := h.Values("Authorization")
	if len(values) != 1 {
		return identity.Principal{}, refused
	}
	scheme, key, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || key == "" {
		return identity.Principal{}, refused
	}
	p, err := auth.Authenticate(ctx, secret.New(key))
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			return identity.Principal{}, refused.Because(err)
		}
		return identity.Principal{}, err
	}
	if !p.Tenant.Valid() {
		return identity.Principal{}, refused
	}
	if !p.May(scope) {
		return p, fault.New(fault.Forbidden, "scope", "This API key lacks the scope %s.", scope)
	}
	return p, nil
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
	if r.Principal.KeyID != "" {
		attrs = append(attrs, slog.String("keyId", r.Principal.KeyID))
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
	for k, v := range ev.Headers {
		if len(h.Values(k)) == 0 {
			h.Set(k, v)
		}
	}
	return h
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
