package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"pricemanager/internal/spapi"
	"pricemanager/test/contract"
)

// judge stands on the client's side of Prism. It turns calls of the API to Prism,
// counts them, and hears what Prism says about them. The client believes to speak
// with the fake itself: documents come from there, and it takes none from a host
// that it was not told.
type judge struct {
	next http.RoundTripper
	spec *contract.Spec
	host string // where Prism is

	mu         sync.Mutex
	requests   int
	succeeded  map[string]bool // operations
	refused    map[string]bool
	violations []string
	controls   int
	spoil      string // the operation whose next request is made wrong, see controls.go
}

// RoundTrip passes a request on. Prism tells what it objects to in a problem
// document of its own, or in a header where it does not end the call.
func (j *judge) RoundTrip(r *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/eu")
	if !ok {
		return j.next.RoundTrip(r) // documents
	}
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = j.host, ""
	r.URL.Path, r.URL.RawPath = strings.TrimPrefix(r.URL.Path, "/eu"), path
	name := r.Method + " " + path
	if op, _ := j.spec.Match(r.Method, path); op != nil {
		name = op.ID
	}
	j.spoilRequest(name, r)
	resp, err := j.next.RoundTrip(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests++
	if err != nil {
		j.violations = append(j.violations, fmt.Sprintf("%s: no answer: %v", name, err))
		return nil, err
	}
	said := resp.Header.Get("Sl-Violations")
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		said = string(body)
	}
	switch {
	case said != "":
		j.violations = append(j.violations, fmt.Sprintf("%s %s: %d %s", name, r.URL.EscapedPath(), resp.StatusCode, said))
	case resp.StatusCode/100 == 2:
		j.succeeded[name] = true
	default:
		j.refused[name] = true
	}
	return resp, nil
}

// heard lists what Prism objected to.
func (j *judge) heard() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.violations)
}

// wanted takes back what Prism objected to, because it was meant to.
func (j *judge) wanted() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.violations
	j.violations = nil
	return out
}

// both lists the operations that were seen with a success and with a refusal,
// and those of the client that were not.
func (j *judge) both() (seen int, missing []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range spapi.Operations() {
		if j.succeeded[name] && j.refused[name] {
			seen++
		} else {
			missing = append(missing, name)
		}
	}
	return seen, missing
}

func (j *judge) report() report {
	seen, _ := j.both()
	j.mu.Lock()
	defer j.mu.Unlock()
	return report{Operations: seen, Requests: j.requests, Violations: len(j.violations), Controls: j.controls}
}

// front stands between Prism and the fake, and makes an answer wrong when told to.
type front struct {
	next http.Handler
	spec *contract.Spec

	mu    sync.Mutex
	op    string // whose next answer is made wrong, "" for none
	spoil func([]byte) []byte
}

// at has the body of the operation's next answer replaced.
func (f *front) at(op string, spoil func([]byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.op, f.spoil = op, spoil
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock() // one call at a time
	op, _ := f.spec.Match(r.Method, strings.TrimPrefix(r.URL.EscapedPath(), "/eu"))
	if op == nil || op.ID != f.op {
		f.next.ServeHTTP(w, r)
		return
	}
	f.op = ""
	rec := httptest.NewRecorder()
	f.next.ServeHTTP(rec, r)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(f.spoil(rec.Body.Bytes()))
}
