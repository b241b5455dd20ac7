package product_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// proxy stands between the functions and the local AWS, and can hold a request
// before AWS has it, or the answer after AWS has acted.
type proxy struct {
	URL string

	opened chan struct{} // closed when target is known
	target *url.URL

	mu    sync.Mutex
	holds []*hold
}

// hold waits for one request and keeps it until the client is gone.
type hold struct {
	match  func(*http.Request, []byte) bool
	after  bool          // AWS acts, the answer is held
	caught chan struct{} // closed when the request is held
	gone   chan struct{} // closed when its client is gone
}

type holdKey struct{}

// newProxy listens; requests wait until open says where AWS is.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{URL: "http://" + l.Addr().String(), opened: make(chan struct{})}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.target)
			r.Out.Host = r.In.Host // signed links name it
		},
		// Runs when AWS has answered: the moment between effect and answer.
		ModifyResponse: func(res *http.Response) error {
			if h, ok := res.Request.Context().Value(holdKey{}).(*hold); ok {
				h.keep(res.Request.Context())
				return http.ErrAbortHandler
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.handle(forward, w, r)
	})}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return p
}

// open says where AWS is.
func (p *proxy) open(cfg aws.Config) {
	p.target, _ = url.Parse(aws.ToString(cfg.BaseEndpoint))
	close(p.opened)
}

func (p *proxy) handle(forward http.Handler, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-p.opened:
	case <-r.Context().Done():
		return
	}
	h := p.caught(r, body)
	switch {
	case h == nil:
	case !h.after: // AWS never has it
		h.keep(r.Context())
		panic(http.ErrAbortHandler)
	default:
		r = r.WithContext(context.WithValue(r.Context(), holdKey{}, h))
	}
	forward.ServeHTTP(w, r)
}

// caught is the hold that a request meets, if any. Each catches one request.
func (p *proxy) caught(r *http.Request, body []byte) *hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, h := range p.holds {
		if h.match(r, body) {
			p.holds = append(p.holds[:i:i], p.holds[i+1:]...)
			return h
		}
	}
	return nil
}

// hold arms a hold for the next request that matches.
func (p *proxy) hold(after bool, match func(*http.Request, []byte) bool) *hold {
	h := &hold{match: match, after: after, caught: make(chan struct{}), gone: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	return h
}

// keep holds the request until its client is gone: nobody else lets it go.
func (h *hold) keep(ctx context.Context) {
	close(h.caught)
	<-ctx.Done()
	close(h.gone)
}

func is(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
