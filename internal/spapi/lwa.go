package spapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

// LWAOptions are the parts of an LWA client.
type LWAOptions struct {
	// Endpoint is the token endpoint; without a path, Amazon's is added.
	Endpoint      string
	Clock         clock.Clock
	UserAgent     string
	HTTP          *http.Client                              // nil is the hardened default
	Wrap          func(http.RoundTripper) http.RoundTripper // around the transport
	Negotiated    Negotiated                                // told of each TLS connection, when set
	AllowInsecure bool                                      // plain http and other hosts; local profile only
}

// LWA trades codes, refresh tokens and the application's own credentials for
// access tokens. It keeps nothing. It is
// safe for concurrent use.
type LWA struct {
	endpoint string
	clock    clock.Clock
	agent    string
	http     *http.Client
}

var _ amazon.LWA = (*LWA)(nil)

// DefaultLWA is Login with Amazon's token endpoint, the same for all regions.
const DefaultLWA = "https://api.amazon.com/auth/o2/token"

// tokenPath is the only path that an LWA client calls.
const tokenPath = "/auth/o2/token" //nolint:gosec // a path

// NewLWA checks the options and returns a client.
func NewLWA(o LWAOptions) (*LWA, error) {
	if o.Clock == nil || o.UserAgent == "" {
		return nil, fmt.Errorf("%w: Clock and UserAgent are needed", ErrConfig)
	}
	u, err := parseBase(o.Endpoint, []string{"api.amazon.com"}, o.AllowInsecure)
	if err != nil {
		return nil, fmt.Errorf("%w: LWA endpoint: %w", ErrConfig, err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tokenPath
	}
	l := &LWA{endpoint: u.String(), clock: o.Clock, agent: o.UserAgent}
	l.http = newHTTP(o.HTTP, o.Negotiated, o.Wrap, func(r *http.Request) error {
		if r.Method != http.MethodPost || r.URL.String() != l.endpoint {
			return errForbidden
		}
		return nil
	})
	return l, nil
}

// Exchange trades an authorisation code (valid for 5 minutes, once) for tokens.
// redirectURI must be the one that the consent was asked with.
func (l *LWA) Exchange(ctx context.Context, c amazon.Credentials, code secret.Value, redirectURI string) (amazon.Grant, error) {
	g, err := l.post(ctx, "lwa.exchange", c, code, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "redirect_uri": {redirectURI},
	})
	if err == nil && g.Refresh.Empty() {
		return amazon.Grant{}, &amazon.Error{Op: "lwa.exchange", Status: http.StatusOK, Reached: true, Err: errors.New("answer has no refresh token")}
	}
	return g, err
}

// Refresh trades a refresh token for an access token. A refresh token that
// comes back replaces the one sent.
func (l *LWA) Refresh(ctx context.Context, c amazon.Credentials, refresh secret.Value) (amazon.Grant, error) {
	return l.post(ctx, "lwa.refresh", c, refresh, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()},
	})
}

// Grantless asks for a token of the application itself.
func (l *LWA) Grantless(ctx context.Context, c amazon.Credentials, scope amazon.Scope) (amazon.Token, error) {
	g, err := l.post(ctx, "lwa.grantless", c, secret.Value{}, url.Values{
		"grant_type": {"client_credentials"}, "scope": {string(scope)},
	})
	return g.Token, err
}

// maxTokenAnswer bounds an answer: two tokens of at most 2,048 bytes and some JSON.
const maxTokenAnswer = 64 << 10

func (l *LWA) post(ctx context.Context, op string, c amazon.Credentials, sensitive secret.Value, form url.Values) (amazon.Grant, error) {
	form.Set("client_id", c.ClientID)
	form.Set("client_secret", c.ClientSecret.Reveal())
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return amazon.Grant{}, &amazon.Error{Op: op, Err: plain(err)}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", l.agent)
	asked := l.clock.Now() // a token lives from when it was made, which is not before this
	resp, sent, err := send(l.http, req)
	if err != nil {
		return amazon.Grant{}, &amazon.Error{Op: op, Reached: sent, Err: plain(err)}
	}
	defer resp.Body.Close()
	id := resp.Header.Get("X-Amzn-Requestid")
	body, err := readAll(resp.Body, maxTokenAnswer)
	if err != nil {
		return amazon.Grant{}, &amazon.Error{Op: op, Status: resp.StatusCode, RequestID: id, Reached: true, Err: plain(err)}
	}
	if resp.StatusCode != http.StatusOK {
		return amazon.Grant{}, l.refused(op, resp, body, c, sensitive)
	}
	var out struct {
		Access    string `json:"access_token"`
		Refresh   string `json:"refresh_token"`
		ExpiresIn int64  `json:"expires_in"` // seconds
	}
	// The decoder's own error would quote the answer: it is dropped on purpose.
	if decode(body, &out) != nil || out.Access == "" || out.ExpiresIn <= 0 {
		return amazon.Grant{}, &amazon.Error{Op: op, Status: resp.StatusCode, RequestID: id, Reached: true, Err: errors.New("answer is no token")}
	}
	return amazon.Grant{
		Token: amazon.Token{
			Access:  secret.New(out.Access),
			Expires: asked.Add(time.Duration(out.ExpiresIn) * time.Second),
		},
		Refresh: secret.New(out.Refresh),
	}, nil
}

// refused makes the error of an answer that is not 200, with the OAuth error
// code (RFC 6749, section 5.2). An answer without one is not Login with
// Amazon's own; it says nothing about the seller or the application, so it
// keeps neither status nor code and counts as a passing failure.
func (l *LWA) refused(op string, resp *http.Response, body []byte, c amazon.Credentials, sensitive secret.Value) *amazon.Error {
	e := &amazon.Error{
		Op: op, RequestID: resp.Header.Get("X-Amzn-Requestid"), RetryAfter: retryAfter(resp.Header, l.clock.Now()),
		Reached: resp.StatusCode >= 500,
	}
	var out struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if decode(body, &out) != nil || out.Error == "" {
		if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
			e.Status = resp.StatusCode
		}
		e.Err = fmt.Errorf("token endpoint answered HTTP %d without an OAuth error", resp.StatusCode)
		return e
	}
	e.Status, e.Code = resp.StatusCode, out.Error
	e.Message = out.Description
	for _, s := range []secret.Value{sensitive, c.ClientSecret} {
		if !s.Empty() {
			e.Message = strings.ReplaceAll(e.Message, s.Reveal(), secret.Redacted)
		}
	}
	return e
}
