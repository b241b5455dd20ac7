package canary

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Heard is a transport that remembers every answer that it carries: status line,
// headers and body. What the fake Amazon's control panel says is left out: tests
// use it to look behind the scenes.
type Heard struct {
	Next http.RoundTripper // nil is http.DefaultTransport

	mu   sync.Mutex
	text bytes.Buffer
}

var _ http.RoundTripper = (*Heard)(nil)

// RoundTrip makes a request.
func (h *Heard) RoundTrip(req *http.Request) (*http.Response, error) {
	next := h.Next
	if next == nil {
		next = http.DefaultTransport
	}
	res, err := next.RoundTrip(req)
	if err != nil || strings.HasPrefix(req.URL.Path, "/_") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.WriteString(res.Status + "\n")
	_ = res.Header.Write(&h.text)
	if bytes.HasPrefix(body, zipMagic) || bytes.HasPrefix(body, gzipMagic) { // opened when it is a file of its own
		for _, in := range append(unzip(body), gunzip(body)...) {
			h.text.Write(in)
		}
	} else {
		h.text.Write(body)
	}
	h.text.WriteByte('\n')
	return res, nil
}

// Bytes is everything that was heard.
func (h *Heard) Bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.text.Bytes())
}
