package spapi

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// newHTTP makes the client that carries calls: base's transport or a hardened
// one, wrapped, behind a guard that sees every request last and refuses those
// that permit does not allow. Redirects are answers, not instructions: neither
// Amazon's API nor its storage redirects, so one is never followed.
func newHTTP(base *http.Client, told Negotiated, wrap func(http.RoundTripper) http.RoundTripper, permit func(*http.Request) error) *http.Client {
	var c http.Client
	if base != nil {
		c = *base
	}
	if c.Transport == nil {
		c.Transport = hardened()
	}
	if t, ok := c.Transport.(*http.Transport); ok && told != nil {
		c.Transport = telling(t, told)
	}
	if wrap != nil {
		c.Transport = wrap(c.Transport)
	}
	if permit != nil {
		c.Transport = guard{next: c.Transport, permit: permit}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

// hardened is a transport for one kind of peer: Amazon over TLS.
func hardened() *http.Transport {
	// HTTP/1.1 only. Its write path tells exactly whether a whole request was
	// handed to the network, which decides whether a change may be repeated;
	// multiplexing would blur that and a lane of 5 requests a second gains
	// nothing from it.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:           protocols,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 64,
		// A function that was frozen wakes with connections that the peer has
		// closed; the transport compares wall time and dials anew instead.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Negotiated is told of each new TLS connection: the peer's name and the version, as
// package crypto/tls numbers them. We offer 1.3; what it becomes is the peer's choice.
type Negotiated func(host string, version uint16)

// telling is t with told called for its TLS connections.
func telling(t *http.Transport, told Negotiated) *http.Transport {
	t = t.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
		told(s.ServerName, s.Version)
		return nil
	}
	return t
}

// errForbidden is returned for a request that is no listed operation.
var errForbidden = errors.New("spapi: request is not on the list of operations")

// guard refuses requests that permit does not allow. It stands on the way of
// every call, also of one built by mistake.
type guard struct {
	next   http.RoundTripper
	permit func(*http.Request) error
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.permit(r); err != nil {
		return nil, err
	}
	return g.next.RoundTrip(r)
}
