package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
)

func TestUnforeseenErrorsShowOnlyAReference(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for _, p := range []string{"/panic", "/unforeseen", "/broken", "/nothing"} {
		r := e.call(get(p))
		m := wantProblem(t, r, 500, "internal")
		if len(m) != 5 || strings.Contains(r.Body, "boom") || strings.Contains(r.Body, "dial") {
			t.Errorf("%s shows %s", p, r.Body)
		}
		line := oneLine(t, e.log)
		if line["level"] != "ERROR" || line["cause"] == "" || line["requestId"] != "req-12345678" {
			t.Errorf("%s logs %v", p, line)
		}
		if p == "/panic" && !strings.Contains(line["stack"].(string), "web_test.go") {
			t.Errorf("the panic's stack does not lead to its cause: %v", line["stack"])
		}
	}
	e = setup(t, doorman{err: errors.New("table is gone")})
	wantProblem(t, e.call(get("/plans/p1")), 500, "internal")
	e = setup(t, doorman{err: fault.New(fault.Unavailable, "", "Try again.")})
	wantProblem(t, e.call(get("/plans/p1")), 503, "unavailable")
}

func TestFaultsShowTheirPublicTextAndExtras(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	r := e.call(get("/moved"))
	m := wantProblem(t, r, 409, "plan-moved") // also: an extra cannot overwrite status
	if m["detail"] != "The plan moved." || !cmp.Equal(m["rows"], []any{float64(3)}) || strings.Contains(r.Body, "internal cause") {
		t.Errorf("problem %s", r.Body)
	}
	if r := e.call(get("/busy")); r.StatusCode != 429 || !slices.Equal(r.MultiValueHeaders["Retry-After"], []string{"7"}) {
		t.Errorf("%d %v", r.StatusCode, r.MultiValueHeaders)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	want := map[string]string{
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Strict-Transport-Security":    "max-age=63072000; includeSubDomains; preload",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	}
	for _, p := range []string{"/health", "/override", "/binary", "/panic", "/unforeseen", "/nowhere", "//", "/moved", "/plans"} {
		r := e.call(get(p))
		for k, v := range want {
			if got := r.MultiValueHeaders[k]; !slices.Equal(got, []string{v}) {
				t.Errorf("%s: %s = %q, want %q", p, k, got, v)
			}
		}
	}
	if r := e.call(get("/override")); !slices.Equal(r.MultiValueHeaders["X-Own"], []string{"yes"}) {
		t.Error("the handler's own header is gone")
	}
	if r := e.call(get("/binary")); !r.IsBase64Encoded || r.Body != "//4=" {
		t.Errorf("binary body %q", r.Body)
	}
}

// oneLine fails unless the log holds exactly one line, and returns it.
func oneLine(t *testing.T, b *bytes.Buffer) map[string]any {
	t.Helper()
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Fatalf("%d log lines, want 1: %s", n, b.String())
	}
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExactlyOneAccessLinePerRequestWithoutCredentialsOrQuery(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for path, route := range map[string]string{
		"/health": "/health", "/plans/p1": "/plans/{id}", "/panic": "/panic", "/unforeseen": "/unforeseen",
		"/nowhere": "unmatched", "//x": "unmatched", "/moved": "/moved",
	} {
		ev := get(path)
		ev.QueryStringParameters = map[string]string{"q": "canary-query"}
		ev.Headers["Cookie"] = "canary-cookie"
		ev.RequestContext.Identity.SourceIP = "192.0.2.77"
		r := e.call(ev)
		m := oneLine(t, e.log)
		if m["msg"] != "request" || m["route"] != route || m["status"] != float64(r.StatusCode) || m["requestId"] != "req-12345678" || m["ms"] == nil {
			t.Errorf("%s: line %v", path, m)
		}
		if path == "/plans/p1" && (m["tenant"] != "t_alpha00001" || m["keyId"] != "k1") {
			t.Errorf("line %v lacks the caller", m)
		}
		if path == "/moved" && m["cause"] != "plan-moved: internal cause" {
			t.Errorf("cause %v", m["cause"])
		}
		for _, leak := range []string{"goodgood", "The plan moved", "canary-query", "canary-cookie", "CANARY", "192.0.2.77", "p1\""} {
			if strings.Contains(e.log.String(), leak) {
				t.Errorf("%s: the line holds %q: %s", path, leak, e.log)
			}
		}
	}
}

func TestARequestIDFromOutsideIsNotEchoed(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	ev := get("/nowhere")
	ev.RequestContext.RequestID = `<script>"`
	if m := doc(t, e.call(ev)); m["reference"] != "unknown" {
		t.Errorf("reference = %v", m["reference"])
	}
}
