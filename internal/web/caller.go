package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
)

// SessionCookie is the cookie of a session. The prefix has browsers refuse it
// unless it is Secure, for the whole host and for no other (RFC 6265bis section
// 4.1.3.2).
const SessionCookie = "__Host-pm-session"

// Sessions knows who is signed in; identity.Sessions is one. Resume also returns
// what the cookie is to hold from now on, empty when that is what it holds.
type Sessions interface {
	Resume(ctx context.Context, cookie secret.Value) (identity.Principal, secret.Value, error)
}

// WithSessions takes session cookies for credentials too. Call it before first use.
func (rt *Router) WithSessions(s Sessions) *Router { rt.sessions = s; return rt }

// sessionCookie is the Set-Cookie header that hands a session's secret over.
// Strict: no link from another site arrives signed in. The session's end is
// decided by the table, so the cookie ends with the browser.
func sessionCookie(v secret.Value) string {
	return SessionCookie + "=" + v.Reveal() + "; Path=/; Secure; HttpOnly; SameSite=Strict"
}

// SignedIn gives the answer a session's cookie.
func (r *Response) SignedIn(v secret.Value) *Response { return r.With("Set-Cookie", sessionCookie(v)) }

// SignedOut takes the cookie back.
func (r *Response) SignedOut() *Response {
	return r.With("Set-Cookie", SessionCookie+"=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

// setsSession reports whether the answer brings or takes a session's cookie by itself.
// No other secret of the session may then come after it: it would be one that ended.
func (r *Response) setsSession() bool {
	return slices.ContainsFunc(r.Header.Values("Set-Cookie"), func(c string) bool { return strings.HasPrefix(c, SessionCookie+"=") })
}

// authorise finds out who asks and whether they may. An Authorization header
// counts alone: a cookie beside it is not looked at.
func (rt *Router) authorise(ctx context.Context, auth Authenticator, r *Request, scope identity.Scope) (identity.Principal, error) {
	refused := fault.New(fault.Unauthenticated, "", "Sign in, or send an API key that is valid now, as: Authorization: Bearer pmk_...")
	p, err := rt.caller(ctx, auth, r)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			return identity.Principal{}, refused.Because(err)
		}
		return identity.Principal{}, err
	}
	if !p.Tenant.Valid() {
		return identity.Principal{}, refused
	}
	return p, Permit(p, scope, rt.clock.Now())
}

// Permit refuses a caller who may not do what the scope names, or not before they gave
// a recent code. The router asks for the scope of the route; a handler whose request
// turns out to want another one asks for that.
func Permit(p identity.Principal, scope identity.Scope, now time.Time) error {
	switch {
	case p.May(scope) && p.Fresh(scope, now):
		return nil
	case p.May(scope):
		return fault.New(fault.Forbidden, "code-needed", "Confirm this with a code of your authenticator: POST /account/step-up, then ask again.")
	case p.Role == identity.Machine:
		return fault.New(fault.Forbidden, "scope", "This API key lacks the scope %s.", scope)
	case !p.Enrolled:
		return fault.New(fault.Forbidden, "enrolment-needed", "Set up an authenticator first: POST /account/authenticator.")
	default:
		return fault.New(fault.Forbidden, "role", "Your role (%s) lacks %s. An owner of your company can change that.", p.Role, scope)
	}
}

// caller takes the key from the Authorization header, or the session from its
// cookie, and from nowhere else.
func (rt *Router) caller(ctx context.Context, auth Authenticator, r *Request) (identity.Principal, error) {
	none := fault.New(fault.Unauthenticated, "", "There is no credential.")
	values := r.Header.Values("Authorization")
	if len(values) == 0 && rt.sessions != nil {
		cookie, ok := oneCookie(r.Header)
		if !ok {
			return identity.Principal{}, none
		}
		if err := sameSite(r); err != nil {
			return identity.Principal{}, err
		}
		p, renewed, err := rt.sessions.Resume(ctx, cookie)
		r.renewed = renewed
		return p, err
	}
	if len(values) != 1 {
		return identity.Principal{}, none
	}
	scheme, key, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || key == "" {
		return identity.Principal{}, none
	}
	return auth.Authenticate(identity.At(ctx, r.SourceIP), secret.New(key))
}

// oneCookie returns the session cookie when there is exactly one: with two of them
// nobody can say which is the browser's own.
func oneCookie(h http.Header) (secret.Value, bool) {
	var found []string
	for _, c := range (&http.Request{Header: h}).Cookies() {
		if c.Name == SessionCookie {
			found = append(found, c.Value)
		}
	}
	if len(found) != 1 || found[0] == "" {
		return secret.Value{}, false
	}
	return secret.New(found[0]), true
}

// sameSite refuses a change that a page of another origin had the browser ask for.
func sameSite(r *Request) error {
	host := r.Header.Get("Host")
	if host == "" && r.Header.Get("Origin") != "" {
		// The origin "null" has no host either, and would be ours.
		host = "unknown.invalid"
	}
	req := &http.Request{Method: r.Method, Host: host, Header: r.Header, URL: &url.URL{Path: r.Path, Host: host}}
	if err := http.NewCrossOriginProtection().Check(req); err != nil {
		return fault.New(fault.Forbidden, "cross-origin", "This change was asked for by a page that is not ours.").Because(err)
	}
	return nil
}
