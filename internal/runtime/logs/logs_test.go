package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
)

// canaries are made-up credentials in every form that we know of.
var canaries = []string{
	"Atza|IwEBcanaryACCESS-1_x", "Atzr|IwEBcanaryREFRESH/+=", "Atzr%7CIwEBcanaryREFRESH", "pmk_abcdefghijklmnop_canarycanarycanarycanary",
	"amzn1.oa2-cs.v1.canary0123456789", "AKIACANARYCANARYCANA", "ASIACANARYCANARYCANA", "Bearer canarycanarycanary",
	"client_secret=canary", "https://x/?refresh_token=canary&b=1", "https://b.s3.amazonaws.com/k?X-Amz-Signature=canary",
	"spapi_oauth_code=canary", "/oauth/callback?state=s&code=canary",
}

type inner struct {
	Note   string `json:"note"`
	Secret string `json:"client_secret"`
}

type outer struct {
	Deep  []inner        `json:"deep"`
	Any   map[string]any `json:"any"`
	Price json.Number    `json:"price"`
}

type stringer string

func (s stringer) String() string { return string(s) }

// TestNoCanaryReachesAnyLogPath sends each credential down every way that a
// value can take into a line.
func TestNoCanaryReachesAnyLogPath(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, slog.LevelDebug, "svc", "v1")
	ctx := context.Background()
	old := slog.Default()
	slog.SetDefault(l)
	t.Cleanup(func() { slog.SetDefault(old) })
	for _, c := range canaries {
		paths := map[string]func(){
			"message":       func() { l.Info("got " + c) },
			"string":        func() { l.InfoContext(ctx, "x", "url", c) },
			"error":         func() { l.Info("x", "cause", fmt.Errorf("deep: %w", errors.New(c))) },
			"joined errors": func() { l.Info("x", "cause", errors.Join(errors.New("a"), errors.New(c))) },
			"bytes":         func() { l.Info("x", "body", []byte(c)) },
			"raw json":      func() { l.Info("x", "body", json.RawMessage(`"`+c+`"`)) },
			"struct":        func() { l.Info("x", "doc", outer{Deep: []inner{{Note: c, Secret: "canary"}}}) },
			"pointer":       func() { l.Info("x", "doc", &outer{Any: map[string]any{"a": []any{c}, "Refresh-Token": "canary"}}) },
			"map":           func() { l.Info("x", "doc", map[string]string{"a": c}) },
			"strings":       func() { l.Info("x", "list", []string{"ok", c}) },
			"stringer":      func() { l.Info("x", "v", stringer(c)) },
			"group":         func() { l.Info("x", slog.Group("g", "a", c, slog.Group("h", "token", "canary"))) },
			"with":          func() { l.With("a", c, "password", "canary").Info("x") },
			"with group":    func() { l.WithGroup("g").With("a", c).Info("x", "b", c) },
			"channel":       func() { l.Info("x", "v", struct{ C any }{C: []any{make(chan int), c}}) },
			"value":         func() { l.Info("x", "key", secret.New(c)) },
			"denied": func() {
				l.Info("x", "Authorization", "canary", "refresh_token", "canary", "x-amz-access-token", "canary")
			},
			"std log": func() { log.Printf("lib says %s", c) },
			"context": func() { l.InfoContext(logs.With(ctx, logs.Fields{RequestID: "r1"}), c) },
		}
		for name, write := range paths {
			b.Reset()
			write()
			if !json.Valid(b.Bytes()) {
				t.Errorf("%s: not one JSON line: %s", name, b.String())
			}
			if low := strings.ToLower(b.String()); strings.Contains(low, "canary") {
				t.Errorf("%s leaks %q: %s", name, c, b.String())
			}
		}
	}
}

func TestOrdinaryTextIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "plan plan_abc moved", "operation error DynamoDB: PutItem, https response error StatusCode: 400",
		"bearer of news", "19.99 EUR", "t_alpha00001 conn_1 bat_2", "the key prefix is pmk_", "status code=", "Atlas shrugged",
	} {
		if got := logs.Redact(s); got != s {
			t.Errorf("Redact(%q) = %q", s, got)
		}
	}
}

func TestRedactionFindsATokenInAnySurroundings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		token := rapid.SampledFrom([]string{"Atza|", "Atzr|", "pmk_"}).Draw(rt, "form") + rapid.StringMatching(`[a-z0-9]{20,40}`).Draw(rt, "token")
		s := rapid.String().Draw(rt, "before") + token + rapid.SampledFrom([]string{"", " ", `"`, "&x=1", "\n", "}"}).Draw(rt, "end")
		if got := logs.Redact(s); strings.Contains(got, token[5:]) {
			rt.Fatalf("Redact(%q) = %q", s, got)
		}
		if once := logs.Redact(s); logs.Redact(once) != once {
			rt.Fatalf("redacting twice changes %q", once)
		}
	})
}

func TestLinesCarryWhatTheContextKnows(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := logs.New(&b, slog.LevelInfo, "price-sync", "v7")
	ctx := logs.With(context.Background(), logs.Fields{Tenant: "t_alpha00001", RequestID: "r1"})
	ctx = logs.With(ctx, logs.Fields{Batch: "bat_1", Trace: "1-2-3"})
	l.With("a", 1).InfoContext(ctx, "hello", "price", outer{Price: "19.90"})
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{
		"tenant": "t_alpha00001", "requestId": "r1", "batch": "bat_1", "trace": "1-2-3",
		"service": "price-sync", "version": "v7", "a": 1.0, "msg": "hello", "level": "INFO",
	} {
		if m[k] != want {
			t.Errorf("%s = %v, want %v", k, m[k], want)
		}
	}
	if !strings.Contains(b.String(), `"price":19.90`) {
		t.Errorf("a price lost digits: %s", b.String())
	}
	b.Reset()
	l.DebugContext(ctx, "quiet")
	if b.Len() != 0 {
		t.Error("a line below the level was written")
	}
}

func FuzzRedact(f *testing.F) {
	for _, c := range canaries {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := logs.Redact(s); logs.Redact(once) != once {
			t.Fatalf("redacting %q twice changes it", s)
		}
	})
}
