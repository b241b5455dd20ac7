// Package spapi speaks Amazon's Selling Partner API and Login with Amazon over
// HTTP: the few operations the product uses, and no others. It implements
// amazon.Listings, amazon.Reports, amazon.Feeds and amazon.Notifications, proves
// who a seller is, and reads the listings report.
//
// When a call fails it returns an *amazon.Error whose Reached says whether the
// request may have taken effect; package amazon decides what that means. The
// package never repeats a call, never paces one (the lane does both), never
// follows a redirect, and never puts a token, a code or a presigned address
// into an error. Prices are exact decimals from the first byte to the last.
package spapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// Tokens hands out access tokens. Errors are *amazon.Error, so that a revoked
// authorisation is told from a passing failure.
type Tokens interface {
	Access(ctx context.Context, a amazon.Account) (secret.Value, error)
}

// Options are the parts of a Client. Tokens is needed for all but Prove and
// Marketplaces, which are given theirs.
type Options struct {
	// Endpoints are the base addresses per region. They must be Amazon's own
	// over https unless AllowInsecure is set.
	Endpoints map[price.Region]string
	Tokens    Tokens
	Clock     clock.Clock
	// UserAgent is sent as it is, at most 500 characters: Amazon asks for
	// "App/Version (Language=Go/1.26; ...)".
	UserAgent string
	// HTTP carries the calls. Nil is a client that speaks TLS 1.2 or newer only.
	HTTP *http.Client
	// Wrap, when set, is put around the transport: the place for tracing.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Negotiated, when set, is told of each TLS connection.
	Negotiated Negotiated
	// AllowInsecure permits plain http and other hosts. Local profile only.
	AllowInsecure bool
}

// Client calls the Selling Partner API. It is safe for concurrent use.
type Client struct {
	endpoints map[price.Region]*url.URL
	tokens    Tokens
	clock     clock.Clock
	agent     string
	api       *http.Client // guarded: only listed operations at listed endpoints
	documents *http.Client // guarded: documents lie elsewhere, and get no token
	insecure  bool
}

var (
	_ amazon.Listings = (*Client)(nil)
	_ amazon.Reports  = (*Client)(nil)
)

// Hosts of the Selling Partner API, from Amazon's "SP-API Endpoints" page.
var apiHosts = []string{
	"sellingpartnerapi-na.amazon.com", "sellingpartnerapi-eu.amazon.com", "sellingpartnerapi-fe.amazon.com",
	"sandbox.sellingpartnerapi-na.amazon.com", "sandbox.sellingpartnerapi-eu.amazon.com", "sandbox.sellingpartnerapi-fe.amazon.com",
}

// ErrConfig is returned for options that must not be used.
var ErrConfig = errors.New("spapi: configuration")

// maxUserAgent is Amazon's limit on the User-Agent header.
const maxUserAgent = 500

// callTimeout bounds a call whose context has no deadline of its own.
const callTimeout = 30 * time.Second

// New checks the options and returns a client.
func New(o Options) (*Client, error) {
	c := &Client{
		endpoints: map[price.Region]*url.URL{},
		tokens:    o.Tokens, clock: o.Clock, agent: o.UserAgent, insecure: o.AllowInsecure,
	}
	if len(o.Endpoints) == 0 || o.Clock == nil {
		return nil, fmt.Errorf("%w: Endpoints and Clock are needed", ErrConfig)
	}
	if o.UserAgent == "" || len(o.UserAgent) > maxUserAgent {
		return nil, fmt.Errorf("%w: UserAgent must have 1 to %d characters", ErrConfig, maxUserAgent)
	}
	for region, raw := range o.Endpoints {
		if !region.Valid() {
			return nil, fmt.Errorf("%w: unknown region %q", ErrConfig, region)
		}
		u, err := parseBase(raw, apiHosts, o.AllowInsecure)
		if err != nil {
			return nil, fmt.Errorf("%w: endpoint of %s: %w", ErrConfig, region, err)
		}
		c.endpoints[region] = u
	}
	c.api = newHTTP(o.HTTP, o.Negotiated, o.Wrap, c.permitted)
	c.documents = newHTTP(o.HTTP, o.Negotiated, o.Wrap, c.permittedDocument)
	return c, nil
}

// parseBase reads the address of an Amazon service and refuses all but https to
// one of hosts, unless insecure.
func parseBase(raw string, hosts []string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("want scheme and host only")
	}
	if insecure {
		if u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("scheme %q", u.Scheme)
		}
		return u, nil
	}
	if u.Scheme != "https" || !slices.Contains(hosts, u.Host) {
		return nil, fmt.Errorf("%s is not https at a known Amazon host", u.Redacted())
	}
	return u, nil
}
