package fetch

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/fault"
)

// server is a web server for the named hosts, and a client that knows where they
// are and whom to trust.
func server(t *testing.T, h http.Handler, hosts ...string) *Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Local: map[string]netip.AddrPort{}, Roots: x509.NewCertPool()}
	c.Roots.AddCert(cert)
	for _, host := range hosts {
		c.Local[host+":443"] = netip.MustParseAddrPort(srv.Listener.Addr().String())
	}
	return c
}

func get(t *testing.T, c *Client, r Request) (string, Result, error) {
	t.Helper()
	if r.Max == 0 {
		r.Max = 1000
	}
	var out bytes.Buffer
	res, err := c.Get(t.Context(), r, &out)
	return out.String(), res, err
}

func typeOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Type
	}
	return fmt.Sprint(err)
}

func TestAFileComesAsItIsWithItsDigest(t *testing.T) {
	t.Parallel()
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("Cookie") != "" || r.URL.RawQuery != "key=1" {
			t.Errorf("asked with %v", r.Header)
		}
		if r.Header.Get("If-None-Match") == `"v1"` && r.Header.Get("If-Modified-Since") == "yesterday" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "yesterday")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8bpacked")
	}), "files.example.com")
	body, res, err := get(t, c, Request{URL: "https://files.example.com/p?key=1"})
	sum := sha256.Sum256([]byte("\x1f\x8bpacked"))
	want := Result{ETag: `"v1"`, LastModified: "yesterday", Size: 8, SHA256: hex.EncodeToString(sum[:])}
	if err != nil || body != "\x1f\x8bpacked" || res != want {
		t.Fatalf("%q, %+v, %v", body, res, err)
	}
	body, res, err = get(t, c, Request{URL: "https://files.example.com/p?key=1", ETag: res.ETag, LastModified: res.LastModified})
	if err != nil || body != "" || res != (Result{NotModified: true}) {
		t.Errorf("the second time %q, %+v, %v", body, res, err)
	}
}

func TestWhatIsNotTheFileIsAnErrorInTheSellersWords(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	status := func(path string, code int) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, "SECRET") })
	}
	status("/missing", 404)
	status("/closed", 403)
	status("/broken", 500)
	status("/part", 206)
	status("/kept", 304) // without having been asked whether it changed
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1001)) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for { // no length, no end
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/brotli", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "x")
	})
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}
	mux.HandleFunc("/short", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"))
	mux.HandleFunc("/lying", raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n"+strings.Repeat("x", 2000)+"\r\n0\r\n\r\n"))
	mux.HandleFunc("/huge", raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"))
	mux.HandleFunc("/headers", raw("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("y", 2*maxHeader)+"\r\n\r\nx"))
	mux.HandleFunc("/noise", raw("SSH-2.0-OpenSSH_9.6 SECRET\r\n"))
	c := server(t, mux, "files.example.com")
	for path, want := range map[string]string{
		"missing": "fetch-status", "closed": "fetch-status", "broken": "fetch-status", "part": "fetch-status", "kept": "fetch-status",
		"empty": "fetch-empty", "large": "fetch-too-large", "endless": "fetch-too-large", "lying": "fetch-too-large", "huge": "fetch-too-large",
		"brotli": "fetch-encoding", "short": "fetch-cut", "headers": "fetch-unreachable", "noise": "fetch-unreachable",
	} {
		_, _, err := get(t, c, Request{URL: "https://files.example.com/" + path + "?key=TOKEN"})
		if typeOf(err) != want || strings.Contains(fmt.Sprint(err), "SECRET") || strings.Contains(fmt.Sprint(err), "TOKEN") {
			t.Errorf("%s gives %v; want %s", path, err, want)
		}
	}
}

func TestAFileOfExactlyTheLimitIsTaken(t *testing.T) {
	t.Parallel()
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) }), "files.example.com")
	if body, _, err := get(t, c, Request{URL: "https://files.example.com/"}); err != nil || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestARedirectIsCheckedAndToldNothing(t *testing.T) {
	t.Parallel()
	var inside atomic.Int32
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		if r.Host == "cdn.example.com" && (r.Referer() != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "") {
			t.Errorf("the other host was told %v", r.Header)
		}
		if r.URL.Path == "/loop" {
			w.Header().Set("Location", "/loop")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		if r.URL.Path == "/inside" {
			inside.Add(1)
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/on/")); err == nil && n > 0 {
			w.Header().Set("Location", fmt.Sprintf("/on/%d", n-1))
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, "the file")
	}), "files.example.com", "cdn.example.com", "intranet.example.com")
	c.Resolver = hosts{"intranet.example.com": {netip.MustParseAddr("10.0.0.5")}}
	delete(c.Local, "intranet.example.com:443")
	for _, to := range []string{"/other", "https://cdn.example.com/f", "https://cdn.example.com/?to=/again", "/on/2"} {
		if body, _, err := get(t, c, Request{URL: "https://files.example.com/f?key=TOKEN&to=" + to}); err != nil || body != "the file" {
			t.Errorf("to %s: %q, %v", to, body, err)
		}
	}
	for _, to := range []string{
		"http://cdn.example.com/inside", "https://cdn.example.com:8443/inside", "https://127.0.0.1/inside", "https://[::1]/inside", "https://169.254.169.254/inside", "file:///etc/passwd",
		"https://user:word@cdn.example.com/inside", "https://2130706433/inside", "//localhost/inside", "gopher://cdn.example.com/inside", "/loop", "/on/3", "https://bad host/", "https://%zz/",
	} {
		_, _, err := get(t, c, Request{URL: "https://files.example.com/f?key=TOKEN&to=" + url.QueryEscape(to)})
		want := "fetch-redirect"
		if strings.ContainsAny(to, " %") {
			want = "fetch-unreachable" // is no address at all
		}
		if typeOf(err) != want || strings.Contains(fmt.Sprint(err), "TOKEN") {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if _, _, err := get(t, c, Request{URL: "https://files.example.com/?to=https://intranet.example.com/inside"}); typeOf(err) != "fetch-host" {
		t.Errorf("to a name inside: %v", err)
	}
	if inside.Load() != 0 {
		t.Errorf("%d calls went inside", inside.Load())
	}
}

// hosts is a resolver with a fixed answer for each name.
type hosts map[string][]netip.Addr

func (h hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, ok := h[strings.TrimSuffix(host, ".")]; ok && strings.HasSuffix(host, ".") {
		return a, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestANameThatLeadsInsideReadsLikeOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	public, private := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.1.2.3")
	c := &Client{Resolver: hosts{
		"inside.example.com": {private}, "mixed.example.com": {public, private}, "mapped.example.com": {netip.MustParseAddr("::ffff:169.254.169.254")},
		"nat64.example.com": {netip.MustParseAddr("64:ff9b::a9fe:a9fe")}, "none.example.com": {}, "many.example.com": make([]netip.Addr, mostAddresses+1),
	}}
	texts := map[string]bool{}
	for _, host := range []string{"inside", "mixed", "mapped", "nat64", "none", "many", "unknown"} {
		_, _, err := get(t, c, Request{URL: "https://" + host + ".example.com/p"})
		if typeOf(err) != "fetch-host" {
			t.Errorf("%s: %v", host, err)
		}
		texts[fmt.Sprint(err)] = true
	}
	if len(texts) != 1 {
		t.Errorf("the answers differ: %v", texts)
	}
}

// turning answers with a public address first and with one inside ever after.
type turning struct{ asked atomic.Int32 }

func (r *turning) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if r.asked.Add(1) == 1 && network == "ip" && host == "files.example.com." { // with its dot: no search domains
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func TestANameIsResolvedOnceForCheckAndConnection(t *testing.T) {
	t.Parallel()
	r := &turning{}
	c := &Client{Resolver: r}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // ends the connection at its start: nothing leaves the machine
	conn, err := c.dial(ctx, "tcp", "files.example.com:443")
	if conn != nil || err == nil {
		t.Fatalf("connected to %v", conn)
	}
	if r.asked.Load() != 1 {
		t.Errorf("the name was resolved %d times", r.asked.Load())
	}
	addrs, err := (&Client{Resolver: &turning{}}).resolve(t.Context(), "files.example.com")
	if err != nil || len(addrs) != 1 || addrs[0].String() != "8.8.8.8" {
		t.Errorf("%v, %v", addrs, err)
	}
}

func TestTheSocketItselfRefusesEveryAddressButPublicOnes(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"127.0.0.1:443", "[::1]:443", "[::ffff:10.0.0.1]:443", "169.254.169.254:443", "8.8.8.8:80", "localhost:443", ""} {
		if control("tcp", to, nil) == nil {
			t.Errorf("%s is connected to", to)
		}
	}
	if err := control("tcp4", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
	// And it is in the way of a real connection.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if conn, err := dialer().DialContext(t.Context(), "tcp", l.Addr().String()); typeOf(err) != "fetch-host" {
		t.Errorf("connected to the own machine: %v, %v", conn, err)
	}
	tr, ok := (&Client{}).client().Transport.(*http.Transport)
	if !ok || tr.Proxy != nil || tr.DialTLSContext != nil {
		t.Error("something else may do the connecting")
	}
}

func TestOnlySafeConnectionsAreMade(t *testing.T) {
	t.Parallel()
	c := server(t, http.NotFoundHandler(), "other.example.com")
	c.Local["files.example.com:443"] = c.Local["other.example.com:443"]
	if _, _, err := get(t, c, Request{URL: "https://files.example.com/"}); typeOf(err) != "fetch-tls" {
		t.Errorf("with another host's certificate: %v", err)
	}
	c.Roots = nil
	if _, _, err := get(t, c, Request{URL: "https://other.example.com/"}); typeOf(err) != "fetch-tls" {
		t.Errorf("with a certificate of nobody: %v", err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	old := &Client{Roots: pool, Local: map[string]netip.AddrPort{"example.com:443": netip.MustParseAddrPort(srv.Listener.Addr().String())}}
	if _, _, err := get(t, old, Request{URL: "https://example.com/"}); typeOf(err) != "fetch-tls" {
		t.Errorf("with TLS 1.1: %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	old.Local["example.com:443"] = netip.MustParseAddrPort(plain.Listener.Addr().String())
	if _, _, err := get(t, old, Request{URL: "https://example.com/"}); typeOf(err) != "fetch-tls" && typeOf(err) != "fetch-unreachable" {
		t.Errorf("without TLS: %v", err)
	}
}

func TestASlowServerIsNotWaitedForAndACallersEndIsItsOwn(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "a bit")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}), "files.example.com")
	defer close(gone)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, Request{URL: "https://files.example.com/", Max: 1000}, io.Discard); typeOf(err) != "fetch-slow" {
		t.Errorf("a body that does not end: %v", err)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if _, err := c.Get(ctx, Request{URL: "https://files.example.com/", Max: 1000}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled by the caller: %v", err)
	}
}

func TestAFileThatEndsAfterTheDeadlineIsNone(t *testing.T) {
	t.Parallel()
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "all of it") }), "files.example.com")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, Request{URL: "https://files.example.com/", Max: 1000}, late{ctx}); typeOf(err) != "fetch-slow" {
		t.Errorf("%v", err)
	}
}

// late takes what comes when its context is over.
type late struct{ context.Context }

func (l late) Write(p []byte) (int, error) {
	<-l.Done()
	return len(p), nil
}

func TestAnErrorOfTheCallersOwnIsNotTheServers(t *testing.T) {
	t.Parallel()
	c := server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }), "files.example.com")
	full := errors.New("disk full")
	_, err := c.Get(t.Context(), Request{URL: "https://files.example.com/", Max: 1000}, failing{full})
	if !errors.Is(err, full) || fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
