package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/test/fakeamazon"
)

const (
	connection = "conn_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	redirect   = "https://us.test/oauth/callback"
)

type rig struct {
	t       *testing.T
	fake    *fakeamazon.Fake
	vault   *vault.Vault
	db      *memory.DB
	handler *handler
	invoke  runtime.Handler
	log     strings.Builder
	server  *httptest.Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	r := &rig{t: t, vault: &vault.Vault{}}
	var err error
	r.fake, err = fakeamazon.New(fakeamazon.Config{Clock: now, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.x", ClientID: "amzn1.client", ClientSecret: secret.New("hidden-client-secret"), RedirectURIs: []string{redirect},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.fake.AddSeller(fakeamazon.Seller{ID: "A1SELLER", Region: price.EU, Marketplaces: []price.MarketplaceID{"A1PA6795UKMFR9"}}); err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewServer(r.fake)
	t.Cleanup(func() { r.server.Close(); _ = r.fake.Close() })
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: r.server.URL, Clock: now, UserAgent: "x", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.vault.Put(t.Context(), "lwa", secret.New(`{"client_id":"amzn1.client","client_secret":"hidden-client-secret"}`)); err != nil {
		t.Fatal(err)
	}
	r.db = memory.New(now)
	h := &handler{log: slog.New(slog.NewJSONHandler(&r.log, nil)), clock: now, random: rand.Reader,
		outbox: ledger.Outbox{DB: r.db, Table: store.Connections, Clock: now}, broker: connect.NewBroker(connect.BrokerOptions{
			Vault: r.vault, Static: secret.NewCached(r.vault, now, time.Hour), LWAKey: "lwa", Prefix: "p/", LWA: lwa, Clock: now, Random: rand.Reader,
			Scopes: []amazon.Scope{amazon.ScopeNotifications},
		})}
	r.handler, r.invoke = h, runtime.JSON(h.handle)
	return r
}

type answer struct {
	AccessToken string
	ExpiresAt   time.Time
	Error       *struct {
		Code   string
		Status int
	}
}

func (r *rig) ask(payload string) answer {
	r.t.Helper()
	out, err := r.invoke(context.Background(), json.RawMessage(payload))
	if err != nil {
		r.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		r.t.Fatal(err)
	}
	return a
}

// code is what a consent of the seller brings.
func (r *rig) code() string {
	r.t.Helper()
	back, err := r.fake.Consent(r.server.URL+"/consent/eu/apps/authorize/consent?application_id=amzn1.sp.solution.x&state=s&redirect_uri="+redirect, "A1SELLER")
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, back, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return req.URL.Query().Get("spapi_oauth_code")
}

func TestACodeBecomesAccessAndItsRefreshTokenStaysHere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	of := `"tenant":"t_alpha1","connection":"` + connection + `","grant":1`
	code := r.code()
	got := r.ask(`{"op":"exchange",` + of + `,"code":"` + code + `","redirectUri":"` + redirect + `"}`)
	if got.Error != nil || !strings.HasPrefix(got.AccessToken, "Atza|") || got.ExpiresAt.IsZero() {
		t.Fatalf("exchange: %+v", got)
	}
	if kept, err := r.vault.Get(t.Context(), "p/t_alpha1/"+connection+"/1"); err != nil || !strings.HasPrefix(kept.Reveal(), "Atzr|") {
		t.Errorf("kept %v, %v", kept, err)
	}
	if got = r.ask(`{"op":"access",` + of + `}`); got.Error != nil || !strings.HasPrefix(got.AccessToken, "Atza|") {
		t.Errorf("access: %+v", got)
	}
	if got = r.ask(`{"op":"exchange",` + of + `,"code":"` + code + `","redirectUri":"` + redirect + `"}`); got.Error == nil || got.Error.Code != "invalid_grant" {
		t.Errorf("code used twice: %+v", got)
	}
	r.fake.Revoke(price.EU, "A1SELLER")
	if got = r.ask(`{"op":"discard",` + of + `}`); got.Error != nil || got.AccessToken != "" {
		t.Errorf("discard: %+v", got)
	}
	if names := r.vault.Names(); len(names) != 1 {
		t.Errorf("vault holds %v", names)
	}
	for _, hidden := range []string{"Atz", "hidden", code} {
		if strings.Contains(r.log.String(), hidden) {
			t.Errorf("log holds %s: %s", hidden, r.log.String())
		}
	}
}

func TestARequestThatMakesNoSenseIsRefusedWithoutDetail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, payload := range []string{
		`{}`, `{"op":"dump"}`, `{"op":"access","tenant":"t_alpha1","connection":"../../lwa","grant":1}`,
		`{"op":"access","tenant":"","connection":"` + connection + `","grant":1}`,
		`{"op":"access","tenant":"t_alpha1","connection":"` + connection + `"}`,
	} {
		if got := r.ask(payload); got.Error == nil || got.AccessToken != "" || got.Error.Code != "" {
			t.Errorf("%s: %+v", payload, got)
		}
	}
}

func TestABrokerWithoutItsSecretsDoesNotStart(t *testing.T) {
	t.Parallel()
	good := secrets{runtime.Secrets{LWA: "lwa", ConnectionPrefix: "pm/connection/"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []runtime.Secrets{{}, {LWA: "lwa"}, {ConnectionPrefix: "p/"}, {LWA: "lwa", ConnectionPrefix: "pm/connection"}} {
		if (secrets{bad}).Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
