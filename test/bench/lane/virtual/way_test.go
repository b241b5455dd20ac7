package virtual

import (
	"bytes"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"pricemanager/internal/clock"
)

// rest carries calls to the fake without a network, after the time they would
// take on their way.
type rest struct {
	clock  clock.Clock
	amazon http.Handler
	mu     sync.Mutex
	jitter *mathrand.Rand
}

func (r *rest) delay(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return d + time.Duration(r.jitter.Int64N(int64(d)))
}

func (r *rest) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	if err := r.clock.Sleep(req.Context(), r.delay(wayThere)); err != nil {
		return nil, err
	}
	url := req.URL.String()
	if !strings.HasPrefix(req.URL.Path, "/auth/") {
		url = strings.Replace(url, req.URL.Host, req.URL.Host+"/eu", 1) // where the fake has Europe
	}
	in := httptest.NewRequestWithContext(req.Context(), req.Method, url, bytes.NewReader(body))
	in.Header = req.Header.Clone()
	out := httptest.NewRecorder()
	if cut := r.serve(out, in); cut {
		return nil, io.ErrUnexpectedEOF
	}
	if err := r.clock.Sleep(req.Context(), r.delay(wayBack)); err != nil {
		return nil, err
	}
	return out.Result(), nil
}

// serve reports whether the fake cut the connection instead of answering.
func (r *rest) serve(out http.ResponseWriter, in *http.Request) (cut bool) {
	defer func() {
		if v := recover(); v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			cut = true
		} else if v != nil {
			panic(v)
		}
	}()
	r.amazon.ServeHTTP(out, in)
	return false
}
