package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

func TestHeadersAreTakenUpToTheirLimit(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, h := range map[string]map[string]string{
		"one":        {"X-Whatever": long(10_000)},
		"a cookie":   {"Cookie": web.SessionCookie + "=" + long(10_000)},
		"a key":      {"Authorization": "Bearer " + long(10_000)},
		"a name":     {long(10_000): "x"},
		"many":       {"A": long(3000), "B": long(3000), "C": long(3000), "D": long(3000)},
		"no key":     {"X-Whatever": long(10_000), "Authorization": ""},
		"not UTF-8":  {"X-Whatever": strings.Repeat("\xff", 10_000)},
		"an If-None": {"If-None-Match": long(10_000)},
	} {
		for _, path := range []string{"/plans/p1", "/health"} {
			ev := get(path)
			for k, v := range h {
				ev.Headers[k] = v
			}
			r := e.call(ev)
			if m := wantProblem(t, r, 400, "headers"); !strings.Contains(m["detail"].(string), "9216 bytes") || e.seen != nil {
				t.Errorf("%s: %v", name, m)
			}
			if len(oneLine(t, e.log)) == 0 || strings.Contains(e.log.String(), "xxxx") {
				t.Errorf("%s: log %s", name, e.log)
			}
		}
	}
	ev := get("/plans/p1")
	ev.Headers["X-Whatever"] = long(9216 - len("X-Whatever") - len("Authorization") - len("Bearer "+goodKey))
	if r := e.call(ev); r.StatusCode != 200 {
		t.Errorf("as much as is allowed: %s", r.Body)
	}
	ev.Headers["X-Whatever"] += "x"
	wantProblem(t, e.call(ev), 400, "headers")
}

func TestBodiesThatAreNoTextAreNoJSON(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	for name, body := range map[string]string{
		"bytes": "{\"plan\":\"\xff\xfe\"}", "UTF-16": "\xff\xfe{\x00}\x00", "half a character": "{\"plan\":\"\xc3\"}", "a mark of byte order": "\xef\xbb\xbf{}",
		"deep": strings.Repeat("[", 20_000), "deep objects": strings.Repeat(`{"plan":`, 5_000), "a number too large": `{"plan":1e999999}`, "no object": `["plan"]`,
		"a null byte": "{\"plan\":\x00}", "an escape cut off": `{"plan":"\u00`,
	} {
		ev := post("/batches", "application/json", body)
		if r := e.call(ev); r.StatusCode != 400 {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.Body)
		} else if m := wantProblem(t, r, 400, "body"); len(m["detail"].(string)) > 300 || e.seen != nil {
			t.Errorf("%s: %v", name, m)
		}
		ev.Body, ev.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(body)), true
		wantProblem(t, e.call(ev), 400, "body")
	}
}

// Anything that can be sent has an answer that says what is wrong with it, and leaves
// one line in the log.
func TestNothingThatIsSentIsAFaultOfOurs(t *testing.T) {
	t.Parallel()
	e := setup(t, doorman{})
	ours := []string{"/panic", "/unforeseen", "/broken", "/nothing"} // routes that fail by themselves
	nasty := rapid.OneOf(
		rapid.SampledFrom([]string{"", "/", "//", "/health", "/plans", "/plans/p1", "/plans/p1/rows", "/batches", "/plans/..%2f..", "/./health", "/health/../plans", "\\plans", "/plans/%00", "*", "http://evil.example/plans"}),
		rapid.String(), rapid.StringN(0, 2000, -1), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
	method := rapid.OneOf(rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", ""}), rapid.String())
	name := rapid.OneOf(rapid.SampledFrom([]string{"Authorization", "Cookie", "Content-Type", "Host", "Origin", "Sec-Fetch-Site", "Content-Length", "Transfer-Encoding", "If-Match"}), rapid.String())
	value := rapid.OneOf(nasty, rapid.SampledFrom([]string{
		"Bearer " + goodKey, "Bearer " + poorKey, "Bearer", "bearer  ", "application/json", "application/json; charset=", "text/csv", "multipart/form-data; boundary=", ";;;",
		web.SessionCookie + "=pms_aaaaaaaaaaaaaaaa_" + strings.Repeat("0", 64), web.SessionCookie + `="`, "gzip, chunked", "-1",
	}))
	rapid.Check(t, func(rt *rapid.T) {
		ev := events.APIGatewayProxyRequest{
			HTTPMethod: method.Draw(rt, "method"), Path: nasty.Draw(rt, "path"), Body: value.Draw(rt, "body"), IsBase64Encoded: rapid.Bool().Draw(rt, "base64"),
			Headers:                         rapid.MapOfN(name, value, 0, 4).Draw(rt, "headers"),
			MultiValueHeaders:               rapid.MapOfN(name, rapid.SliceOfN(value, 0, 3), 0, 3).Draw(rt, "many"),
			QueryStringParameters:           rapid.MapOfN(nasty, nasty, 0, 3).Draw(rt, "query"),
			MultiValueQueryStringParameters: rapid.MapOfN(nasty, rapid.SliceOfN(nasty, 0, 3), 0, 3).Draw(rt, "queries"),
			PathParameters:                  map[string]string{"id": "p2"},
		}
		ev.RequestContext.RequestID = rapid.OneOf(rapid.Just("req-12345678"), rapid.String()).Draw(rt, "id")
		if slices.Contains(ours, ev.Path) {
			rt.Skip()
		}
		r := e.call(ev)
		if r.StatusCode < 200 || r.StatusCode >= 500 || strings.Count(e.log.String(), "\n") != 1 {
			rt.Fatalf("%d %s, log %s", r.StatusCode, r.Body, e.log)
		}
		if r.StatusCode >= 400 && r.StatusCode != 429 && ev.Path != "/moved" {
			var m struct {
				Type, Title, Detail, Reference string
				Status                         int
			}
			if err := json.Unmarshal([]byte(r.Body), &m); err != nil || m.Status != r.StatusCode || !strings.HasPrefix(m.Type, "/problems/") || m.Title == "" || m.Detail == "" || m.Reference == "" {
				rt.Fatalf("%d %s, %v", r.StatusCode, r.Body, err)
			}
		}
	})
}

// blown are collaborators that panic, all or one.
type blown struct{ who string }

func (b blown) when(who string) {
	if b.who == who {
		panic("boom of " + who)
	}
}

func (b blown) Authenticate(ctx context.Context, key secret.Value) (identity.Principal, error) {
	b.when("keys")
	return doorman{}.Authenticate(ctx, key)
}

func (b blown) Resume(context.Context, secret.Value) (identity.Principal, secret.Value, error) {
	b.when("sessions")
	return identity.Principal{Tenant: acme, Role: identity.Owner, Member: "m1", Enrolled: true, MFAAt: time.Unix(1, 0)}, secret.Value{}, nil
}

func (b blown) Admit(context.Context, string) error { b.when("gate"); return nil }

func (b blown) Address(context.Context, string) (web.Limit, error) {
	b.when("addresses")
	return web.Limit{}, nil
}

func (b blown) Caller(context.Context, identity.Principal) ([]web.Limit, error) {
	b.when("callers")
	return nil, nil
}

func (b blown) Used(context.Context, tenant.ID, ledger.Use) error { b.when("uses"); return nil }

func (b blown) Refused(context.Context, tenant.ID, ledger.Refusal) error {
	b.when("refusals")
	return nil
}

// Whoever panics, the caller gets an answer and the log its one line, with the route.
func TestOneAccessLineAlsoWhenAnybodyPanics(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"nobody", "gate", "addresses", "keys", "sessions", "callers", "uses", "handler", "refusals", "names", "sources"} {
		b := blown{who: who}
		var log bytes.Buffer
		rt, err := web.New(logs.New(&log, nil, "svc", "v1"), clock.NewManual(time.Unix(1, 0)), "",
			web.Route{Method: "GET", Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: func(context.Context, *web.Request) (*web.Response, error) {
				b.when("handler")
				return web.Text(http.StatusOK, "ok")
			}})
		if err != nil {
			t.Fatal(err)
		}
		serve := rt.WithGate(b).WithLimits(b).WithSessions(b).WithUses(b, func(context.Context, string) []string { b.when("names"); return nil }).
			WithSources(func(context.Context, string) string { b.when("sources"); return "" }).Lambda(b)
		ev := get("/plans/p1")
		ev.RequestContext.RequestID = "req-12345678"
		ev.RequestContext.Identity.SourceIP = "192.0.2.1"
		want := 500
		switch who {
		case "nobody", "sources":
			want = 200
		case "sessions":
			ev.Headers = map[string]string{"Cookie": web.SessionCookie + "=pms_x"}
		case "refusals":
			ev.Headers["Authorization"] = "Bearer " + poorKey
			want = 403 // it is refused whether that can be recorded or not
		}
		r, err := serve(t.Context(), ev)
		if err != nil || r.StatusCode != want {
			t.Errorf("%s: %d %s, %v; want %d", who, r.StatusCode, r.Body, err, want)
		}
		lines := strings.Count(log.String(), `"msg":"request"`)
		if lines != 1 || !strings.Contains(log.String(), `"route":"/plans/{id}"`) || !strings.Contains(log.String(), fmt.Sprintf(`"status":%d`, want)) {
			t.Errorf("%s: %d lines: %s", who, lines, &log)
		}
		if strings.Contains(r.Body, "boom") || want == 500 && !strings.Contains(log.String(), "boom of "+who) {
			t.Errorf("%s: answer %s, log %s", who, r.Body, &log)
		}
	}
}

func TestWhoChangesSomethingSaysWhatTheySaw(t *testing.T) {
	t.Parallel()
	ask := func(name string, values ...string) *web.Request {
		return &web.Request{Header: http.Header{name: values}}
	}
	res, err := web.JSON(http.StatusOK, nil)
	if err != nil {
		t.Fatal(err)
	}
	tag := res.Tagged("17").Header.Get("ETag")
	if v, err := ask("If-Match", tag).IfMatch(); tag != `"17"` || v != "17" || err != nil {
		t.Errorf("%s is %q, %v", tag, v, err)
	}
	if n, err := ask("If-Match", tag).IfMatchNumber("thing-changed"); n != 17 || err != nil {
		t.Errorf("%s is %d, %v", tag, n, err)
	}
	for _, bad := range [][]string{nil, {""}, {"17"}, {`"17`}, {`17"`}, {`W/"17"`}, {"*"}, {`"17", "18"`}, {`"17"`, `"17"`}, {`"` + strings.Repeat("a", 65) + `"`}, {"\"\x7f\""}, {`"ä"`}} {
		r := ask("If-Match", bad...)
		if v, err := r.IfMatch(); kindAndType(err) != "invalid if-match" {
			t.Errorf("%q is %q, %v", bad, v, err)
		}
		if _, err := r.IfMatchNumber("thing-changed"); kindAndType(err) != "invalid if-match" {
			t.Error(err)
		}
	}
	for _, foreign := range []string{`"x"`, `""`, `"-1"`, `"99999999999999999999"`} {
		if n, err := ask("If-Match", foreign).IfMatchNumber("thing-changed"); kindAndType(err) != "conflict thing-changed" {
			t.Errorf("%s is %d, %v", foreign, n, err)
		}
	}
	for _, good := range []string{"x", "order 17/b", strings.Repeat("k", 200)} {
		if got, err := ask("Idempotency-Key", good).IdempotencyKey(); got != good || err != nil {
			t.Errorf("%q is %q, %v", good, got, err)
		}
	}
	for _, bad := range [][]string{nil, {""}, {"a", "a"}, {strings.Repeat("k", 201)}, {"\xff"}, {"ä"}, {"a\nb"}, {"a\x00"}} {
		if got, err := ask("Idempotency-Key", bad...).IdempotencyKey(); kindAndType(err) != "invalid idempotency-key" {
			t.Errorf("%q is %q, %v", bad, got, err)
		}
	}
}

func kindAndType(err error) string {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	return string(f.Kind) + " " + f.Type
}
