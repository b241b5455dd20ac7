package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"pricemanager/internal/fault"
)

const (
	// redirects is how many are followed: one to the canonical host, one to a
	// storage service, and one to spare.
	redirects = 3
	// maxHeader bounds the headers of an answer, in bytes.
	maxHeader = 64 << 10
	// patience is how long connecting, the handshake, and the first byte may each
	// take; the context bounds the whole.
	patience = 20 * time.Second
	// mostAddresses bounds how many addresses of one name are looked at.
	mostAddresses = 16
)

// Resolver finds the addresses of a host. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Client gets files. The zero value is ready to use and safe for concurrent use.
type Client struct {
	// Resolver is net.DefaultResolver when nil.
	Resolver Resolver
	// Local are hosts with their port, such as "files.test:443", that are called at
	// the address given here without a look at either. It is for tests and for the
	// local profile, and empty everywhere else.
	Local map[string]netip.AddrPort
	// Roots are the certificate authorities; nil are the system's.
	Roots *x509.CertPool
}

// Request is what to get.
type Request struct {
	URL string
	// ETag and LastModified are those of the copy that the caller has, "" for none.
	ETag, LastModified string
	// Max bounds the content, in bytes.
	Max int64
}

// Result is what was got.
type Result struct {
	// NotModified says that the caller's copy is still good. Nothing was written
	// then and the rest is empty.
	NotModified        bool
	ETag, LastModified string // as sent, "" when absent or too long to keep
	Size               int64
	SHA256             string // of the content, in hexadecimal
}

// Get writes the file at an address to out. On an error part of it may have been
// written. Every error is a *fault.Fault but for those of out and for the end of
// ctx by its caller.
func (c *Client) Get(ctx context.Context, r Request, out io.Writer) (Result, error) {
	u, err := c.parse(r.URL)
	if err != nil {
		return Result{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Result{}, refused("it is not well formed")
	}
	req.Header.Set("User-Agent", "PriceManager")
	// What a server packs nevertheless is kept as it comes.
	req.Header.Set("Accept-Encoding", "identity")
	conditional := r.ETag != "" || r.LastModified != ""
	if r.ETag != "" {
		req.Header.Set("If-None-Match", r.ETag)
	}
	if r.LastModified != "" {
		req.Header.Set("If-Modified-Since", r.LastModified)
	}
	res, err := c.client().Do(req)
	if err != nil {
		return Result{}, explain(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // all of it was read, or the error counts
	if conditional && res.StatusCode == http.StatusNotModified {
		return Result{NotModified: true}, nil
	}
	if err := acceptable(res, r.Max); err != nil {
		return Result{}, err
	}
	return read(ctx, res, r.Max, out)
}

func read(ctx context.Context, res *http.Response, limit int64, out io.Writer) (Result, error) {
	sum, sink := sha256.New(), &writer{to: out}
	n, err := io.Copy(io.MultiWriter(sum, sink), io.LimitReader(res.Body, limit+1))
	switch {
	case sink.err != nil:
		return Result{}, fmt.Errorf("fetch: keep what came: %w", sink.err)
	case err != nil || ctx.Err() != nil:
		// At the deadline the transport says goodbye before it hangs up. A server that
		// ends its answer on hearing that has sent a whole answer and half a file.
		return Result{}, explain(ctx, err)
	case n > limit:
		return Result{}, tooLarge(limit)
	case n == 0:
		return Result{}, fault.New(fault.Unavailable, "fetch-empty", "The server answered with an empty file.")
	}
	return Result{ETag: validator(res, "ETag"), LastModified: validator(res, "Last-Modified"), Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// writer tells an error of the caller's writer from one of the network.
type writer struct {
	to  io.Writer
	err error
}

func (w *writer) Write(p []byte) (n int, err error) {
	n, err = w.to.Write(p)
	w.err = err
	return n, err
}

// validator is a header that is sent back the next time.
func validator(res *http.Response, name string) string {
	v := res.Header.Get(name)
	if len(v) > 500 || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return v
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "fetch-too-large", "The file is larger than the %d bytes that are fetched. Split it, or send it packed with gzip.", limit)
}

func acceptable(res *http.Response, limit int64) error {
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return fault.New(fault.Unavailable, "fetch-status", "The server refuses to hand out the file (status %d). It has to let everybody who knows the address read it.", res.StatusCode)
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return fault.New(fault.Unavailable, "fetch-status", "There is no file at the address (status %d).", res.StatusCode)
	case res.StatusCode != http.StatusOK:
		return fault.New(fault.Unavailable, "fetch-status", "The server answered with status %d in place of the file.", res.StatusCode)
	case res.ContentLength > limit:
		return tooLarge(limit)
	}
	switch enc := strings.ToLower(res.Header.Get("Content-Encoding")); enc {
	case "", "identity", "gzip", "x-gzip":
		return nil
	}
	return fault.New(fault.Unsupported, "fetch-encoding", "The server sends the file in an encoding that was not asked for. Let it send the file as it is, or packed with gzip.")
}

// client is made anew for each file: connections are not worth keeping for a
// quarter of an hour, and none can be used for another host's file.
func (c *Client) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would do the resolving
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout:    patience,
			ResponseHeaderTimeout:  patience,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return fault.New(fault.Unavailable, "fetch-redirect", "The address leads on more than %d times. Give the one where the file is.", redirects)
			}
			req.Header.Del("Referer") // it holds the address we came from, with its query
			if _, err := c.parse(req.URL.String()); err != nil {
				return fault.New(fault.Unavailable, "fetch-redirect", "The server leads on to an address that is not called: it has to be https on port 443 of a public host.")
			}
			return nil
		},
	}
}

func noAddress() error {
	return fault.New(fault.Invalid, "fetch-host", "The host of the address is not to be found on the public internet. Check its spelling, and that it has only public addresses.")
}

// dial connects to a host that was checked: it resolves its name once, looks at
// every address, and connects to one of those very addresses.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, ok := c.Local[address]
	if ok {
		return (&net.Dialer{Timeout: patience}).DialContext(ctx, network, to.String())
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || checkHost(host) != nil {
		return nil, noAddress()
	}
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	d := dialer()
	var failed error
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(a, 443).String())
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	r := c.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	// With the dot it is the whole name: no search domain of the machine's network
	// is tried behind it.
	addrs, err := r.LookupNetIP(ctx, "ip", host+".")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil || len(addrs) == 0 || len(addrs) > mostAddresses {
		return nil, noAddress()
	}
	for i, a := range addrs {
		if !Public(a) {
			return nil, noAddress()
		}
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

func dialer() *net.Dialer { return &net.Dialer{Timeout: patience, Control: control} }

// control is the last look, at the address that the socket is about to be
// connected to: whatever happens above it, nothing else is called.
func control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !Public(to.Addr()) || to.Port() != 443 {
		return noAddress()
	}
	return nil
}

// explain turns what net/http says into words for the seller. The cause is kept
// for the log only where it cannot hold the address.
func explain(ctx context.Context, err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var asked *url.Error
	// At its deadline a connection also fails in ways that do not say so.
	slow := ctx.Err() != nil || errors.As(err, &asked) && asked.Timeout()
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	alert := errors.As(err, &op) && op.Op == "remote error" // how crypto/tls reports one
	switch {
	case slow:
		return fault.New(fault.Unavailable, "fetch-slow", "The server took too long to answer or to send the file.")
	case errors.As(err, &certificate):
		return fault.New(fault.Unavailable, "fetch-tls", "The server's certificate is not valid for the host of the address.").Because(certificate)
	case errors.As(err, &record) || alert:
		return fault.New(fault.Unavailable, "fetch-tls", "No safe connection to the server could be made: it has to speak TLS 1.2 or later.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Unavailable, "fetch-cut", "The connection ended before the whole file had come.")
	}
	f = fault.New(fault.Unavailable, "fetch-unreachable", "The server could not be reached, or did not answer as a web server does.")
	if op != nil {
		return f.Because(op)
	}
	return f
}
