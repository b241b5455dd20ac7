package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store/memory"
	"pricemanager/test/fakeamazon"
	"pricemanager/test/replay"
)

const (
	arn    = "arn:aws:secretsmanager:eu-south-1:000000000000:secret:pm-local/"
	lwa    = arn + "lwa-AbCdEf"
	pepper = arn + "pepper-AbCdEf"
)

// rig is the function over stores in memory and a fake Amazon that knows a
// second client secret already, as after it has sent one.
type rig struct {
	vault   *vault.Vault
	fake    *fakeamazon.Fake
	handler *handler
	letters []secret.Value
	out     bytes.Buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	r := &rig{vault: &vault.Vault{}}
	var err error
	r.fake, err = fakeamazon.New(fakeamazon.Config{Seed: 3, Clock: clk, SecretQueue: func(m secret.Value) { r.letters = append(r.letters, m) },
		Application: fakeamazon.Application{ID: "amzn1.sp.solution.x", ClientID: "amzn1.client",
			ClientSecret: secret.New("canary-first-secret"), RedirectURIs: []string{"https://us.test/oauth/callback"}}})
	if err != nil {
		t.Fatal(err)
	}
	r.fake.RotateSecret(secret.New("canary-next-secret"))
	server := httptest.NewServer(r.fake)
	t.Cleanup(func() {
		server.Close()
		if err := r.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: server.URL, Clock: clk, UserAgent: "PriceManager/1", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	api, err := spapi.New(spapi.Options{Endpoints: map[price.Region]string{price.EU: server.URL + "/eu"}, Clock: clk,
		UserAgent: "PriceManager/1 (Language=Go/1.26)", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		lwa: `{"client_id":"amzn1.client","client_secret":"canary-first-secret"}`, pepper: "canary-" + strings.Repeat("p", 40),
	} {
		if err := r.vault.Put(t.Context(), name, secret.New(content)); err != nil {
			t.Fatal(err)
		}
	}
	r.handler = &handler{
		app:   &runtime.App{Log: slog.New(slog.NewJSONHandler(&r.out, nil)), Metrics: metrics.New(&r.out, clk, "secret-rotation", "local"), Clock: clk},
		names: runtime.Secrets{LWA: lwa, Pepper: pepper},
		lwa: &connect.Rotation{DB: memory.New(clk), Vault: r.vault, Name: lwa, LWA: login, Amazon: api,
			Region: price.EU, Clock: clk},
		pepper: identity.PepperRotation{Vault: r.vault, Name: pepper, Clock: clk, Random: rand.Reader},
	}
	return r
}

func TestRecordedRotationsAreDone(t *testing.T) {
	var r *rig
	get := func(t *testing.T, name string) string {
		t.Helper()
		v, err := r.vault.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return v.Reveal()
	}
	// quiet says nothing of any secret, whatever came of the event.
	quiet := func(t *testing.T, out json.RawMessage, err error) {
		t.Helper()
		told := string(out) + r.out.String()
		if err != nil {
			told += err.Error()
		}
		if strings.Contains(told, "canary") {
			t.Errorf("a secret is told: %s", told)
		}
	}
	did := func(names string, check func(*testing.T)) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			quiet(t, out, err)
			if err != nil || string(out) != `{"did":[`+names+`]}` {
				t.Fatalf("%s, %v; want %s", out, err, names)
			}
			check(t)
		}
	}
	failed := func(contains string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			quiet(t, out, err)
			replay.Error(contains)(t, out, err)
			if !strings.Contains(get(t, lwa), "first") || len(strings.Fields(get(t, pepper))) != 1 {
				t.Error("a secret in use was changed")
			}
		}
	}
	replay.Run(t, "secret-rotation", false, func(t *testing.T) replay.Handler {
		r = newRig(t)
		return replay.Handler(runtime.JSON(r.handler.handle))
	}, map[string]replay.Check{
		"success-tick": did(`"pepper"`, func(t *testing.T) { // no notice of Amazon; a pepper of unknown age
			if len(r.letters) != 0 || len(strings.Fields(get(t, pepper))) != 2 {
				t.Errorf("%d letters", len(r.letters))
			}
		}),
		"success-rotate-lwa": did(`"lwa"`, func(t *testing.T) {
			if len(r.letters) != 1 || !strings.Contains(get(t, lwa), "first") {
				t.Errorf("%d letters, or the secret was changed before the new one came", len(r.letters))
			}
		}),
		"success-rotate-pepper": did(`"pepper"`, func(t *testing.T) {
			if n := len(strings.Fields(get(t, pepper))); n != 2 {
				t.Errorf("%d peppers", n)
			}
		}),
		"success-take": did(`"lwa"`, func(t *testing.T) {
			if !strings.Contains(get(t, lwa), "canary-next-secret") {
				t.Error("the new secret is not in use")
			}
		}),
		"success-step-pepper": did(`"pepper"`, func(t *testing.T) {
			if v, err := r.vault.At(t.Context(), pepper, secret.Pending); err != nil || len(strings.Fields(v.Value.Reveal())) != 2 {
				t.Errorf("pending: %v", err)
			}
		}),
		"failure-take-refused":        failed("invalid_client"),
		"failure-take-foreign":        failed("not a new secret of our application"),
		"failure-step-lwa-waits":      failed("has not come yet"),
		"failure-step-foreign-secret": failed("no such operation, step or secret"),
		"failure-step-unknown":        failed("no such step"),
		"failure-unknown-secret":      failed("no such operation, step or secret"),
	})
}
