package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/limit"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
	"pricemanager/test/fakeamazon"
	"pricemanager/test/openapi"
	"pricemanager/test/replay"
)

// What the recorded events name. They follow from the seeds in newRecorded; its
// check says so when they no longer do.
const (
	recorded = tenant.ID("t_replay0001")
	stranger = tenant.ID("t_stranger01")

	pending  = price.ConnectionID("conn_732v7yhbev2qvjqi2xra77bnci")
	active   = price.ConnectionID("conn_nlthqp2pxxurw3vyrnz2jdwsi4")
	foreign  = price.ConnectionID("conn_hiyr32c3zwzsa634qmorzebacu")
	freshURL = "/oauth/callback?selling_partner_id=A1FRESH&spapi_oauth_code=cnryCd3UBz9KNrjSsMcZ&state=cl2kizko7iv5chr2t2l6fyrq4hxggwwmvcq6fv3hmzr7hvavojdq"
	liarURL  = "/oauth/callback?selling_partner_id=A3LIAR&spapi_oauth_code=cnryCd3kp8vV12YKLyUJ&state=k3vuim34j7p6f6kaiiqopribb7sjrijddhhq5qmlcvjna54gnt7q"
)

// recordedWorld is the function with the token broker behind it, over stores in
// memory and the fake Amazon.
type recordedWorld struct {
	t       *testing.T
	fake    *fakeamazon.Fake
	clock   *clock.Manual
	db      *memory.DB
	lwa     *spapi.LWA
	queue   *memory.Queue
	vault   *vault.Vault
	service *connect.Service
	router  *web.Router
	serve   replay.Handler
}

// newRecorded has two connections of one tenant, an active one and one whose
// seller has just consented, and a pending one of a stranger.
func newRecorded(t *testing.T) *recordedWorld {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &recordedWorld{t: t, clock: clk, queue: memory.NewQueue(clk), vault: &vault.Vault{}}
	const redirect = "https://api.example.com" + callbackPath
	var err error
	w.fake, err = fakeamazon.New(fakeamazon.Config{Seed: 11, Clock: clk, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.x", ClientID: "amzn1.client", ClientSecret: secret.New("hidden-client-secret"), RedirectURIs: []string{redirect},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"A1FRESH", "A2ACTIVE", "A3LIAR"} {
		if err := w.fake.AddSeller(fakeamazon.Seller{ID: id, Region: price.EU, Marketplaces: []price.MarketplaceID{"A1PA6795UKMFR9"}}); err != nil {
			t.Fatal(err)
		}
	}
	amazon := httptest.NewServer(w.fake)
	t.Cleanup(func() { amazon.Close(); _ = w.fake.Close() })
	sellers, err := spapi.New(spapi.Options{Endpoints: map[price.Region]string{price.EU: amazon.URL + "/eu"}, Clock: clk,
		UserAgent: "PriceManager/1 (Language=Go/1.26)", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: amazon.URL, Clock: clk, UserAgent: "PriceManager/1", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.vault.Put(t.Context(), "lwa", secret.New(`{"client_id":"amzn1.client","client_secret":"hidden-client-secret"}`)); err != nil {
		t.Fatal(err)
	}
	w.lwa = lwa
	random := rand.NewChaCha8([32]byte{1})
	db := memory.New(clk)
	w.db = db
	cfg := config{}
	cfg.Amazon.ConsentEU, cfg.Amazon.ApplicationID = amazon.URL+"/consent/eu/apps/authorize/consent", "amzn1.sp.solution.x"
	cfg.Public.URL, cfg.Stage = "https://api.example.com", runtime.Local
	bell := lane.Bell{DB: db, Queue: w.queue, Now: clk.Now}
	w.service = &connect.Service{DB: db, Clock: clk, Random: random, Config: cfg.consent(), Sellers: sellers,
		Importer: bell, Subscriptions: bell,
		Tokens: connect.NewBroker(connect.BrokerOptions{Vault: w.vault, Static: secret.NewCached(w.vault, clk, time.Hour), LWAKey: "lwa",
			Prefix: "p/", LWA: lwa, Clock: clk, Random: random})}
	if w.router, err = newRouter(replay.Log(t), nil, w.service, hashed, limit.Quotas{}); err != nil {
		t.Fatal(err)
	}
	w.serve = replay.Handler(runtime.JSON(w.router.Lambda(keys{
		"pmk_goodgoodgoodgood_goodgoodgoodgood": {Tenant: recorded, Actor: "key:good", Role: identity.Machine, Scopes: identity.Scopes()},
		"pmk_otherotherother1_otherotherother1": {Tenant: stranger, Actor: "key:other", Role: identity.Machine, Scopes: identity.Scopes()},
		"pmk_readreadreadread_readreadreadread": {Tenant: recorded, Actor: "key:read", Role: identity.Machine, Scopes: []identity.Scope{identity.ConnectionsRead}},
	})))

	a, back := w.consented(recorded, "A2ACTIVE")
	in := connect.Return{State: secret.New(back.Query().Get("state")), Code: secret.New(back.Query().Get("spapi_oauth_code")), Seller: "A2ACTIVE"}
	if _, err := w.service.Callback(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.queue.Receive(10, time.Hour) { // what that rang is no part of any case
		w.queue.Delete(m.ID)
	}
	p, fresh := w.consented(recorded, "A1FRESH")
	f, _ := w.consented(stranger, "A3LIAR")
	_, liar := w.consented(recorded, "A3LIAR")
	if a != active || p != pending || f != foreign || fresh.RequestURI() != freshURL || liar.RequestURI() != liarURL {
		t.Fatalf("the seeds give other names now; put them into events/oauth and here:\n%s\n%s\n%s\n%s\n%s", p, a, f, fresh.RequestURI(), liar.RequestURI())
	}
	return w
}

// consented begins a connection and returns it with the address that the
// seller's browser comes back to.
func (w *recordedWorld) consented(owner tenant.ID, seller string) (price.ConnectionID, *url.URL) {
	w.t.Helper()
	c, address, err := w.service.Start(w.t.Context(), "key:good", owner, price.EU)
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := w.fake.Consent(address, seller)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID, u
}

// state returns the state of a connection of the recorded tenant.
func (w *recordedWorld) state(t *testing.T, id price.ConnectionID) connect.Connection {
	t.Helper()
	c, err := w.service.Get(context.Background(), recorded, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	openapi.CompareRoutes(t, "oauth", newRecorded(t).router)
}

func TestRecordedConsentsAreAnswered(t *testing.T) {
	var w *recordedWorld
	// refused is a callback that connected nothing and left no token behind.
	refused := func(status int, contains string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Status(status, contains)(t, out, err)
			all, err := w.service.List(context.Background(), recorded)
			if err != nil || len(all) != 3 {
				t.Fatalf("%d connections, %v", len(all), err)
			}
			for _, c := range all {
				if c.State != connect.Pending && c.ID != active {
					t.Errorf("connection %s is %s", c.ID, c.State)
				}
			}
			if names := w.vault.Names(); len(names) != 2 { // the application's and the active connection's
				t.Errorf("the vault holds %v", names)
			}
			if n := w.queue.Len(); n != 0 {
				t.Errorf("%d doorbells rung", n)
			}
		}
	}
	replay.Run(t, "oauth", false, func(t *testing.T) replay.Handler { w = newRecorded(t); return openapi.Checked(t, w.serve) }, map[string]replay.Check{
		"success-start": replay.Status(201, `"state":"pending"`),
		"success-start-again": func(t *testing.T, out json.RawMessage, err error) {
			replay.Status(201, `"id":"`+string(active)+`"`)(t, out, err)
			if c := w.state(t, active); c.State != connect.Active {
				t.Errorf("asking for a new consent made the connection %s", c.State)
			}
		},
		"success-callback": func(t *testing.T, out json.RawMessage, err error) {
			replay.Status(200, "You can close this window")(t, out, err)
			if strings.Contains(string(out), "A1FRESH") || strings.Contains(string(out), "Atz") {
				t.Errorf("the page tells too much: %s", out)
			}
			c := w.state(t, pending)
			if c.State != connect.Active || c.Seller != "A1FRESH" || len(c.Marketplaces) != 1 {
				t.Errorf("connection %+v", c)
			}
			if kept, err := w.vault.Get(t.Context(), "p/"+string(recorded)+"/"+string(pending)+"/1"); err != nil || !strings.HasPrefix(kept.Reveal(), "Atzr|") {
				t.Errorf("the refresh token is not kept: %v", err)
			}
			if n := w.queue.Len(); n != 2 {
				t.Errorf("%d doorbells rung, want the import's and that of the subscriptions", n)
			}
		},
		"success-list": replay.Status(200, `"id":"`+string(active)+`"`),
		"success-get":  replay.Status(200, `"seller":"A2ACTIVE"`),
		"success-import": func(t *testing.T, out json.RawMessage, err error) {
			replay.Status(202, `"state":"running"`)(t, out, err)
			if n := w.queue.Len(); n != 1 {
				t.Errorf("%d doorbells rung, want the import's", n)
			}
		},
		"success-disconnect": func(t *testing.T, out json.RawMessage, err error) {
			replay.Status(200, "Manage Your Apps")(t, out, err)
			if c := w.state(t, active); c.State != connect.Disconnected || c.Grant != 0 {
				t.Errorf("connection %+v", c)
			}
			if names := w.vault.Names(); len(names) != 1 { // the application's
				t.Errorf("the vault holds %v", names)
			}
		},
		"failure-disconnect-foreign":  replay.Status(404, "There is no such connection"),
		"failure-disconnect-scope":    replay.Status(403, "connections:write"),
		"failure-no-key":              replay.Status(401, `"reference"`),
		"failure-scope":               replay.Status(403, "connections:write"),
		"failure-unknown-region":      replay.Status(400, "region must be NA, EU or FE"),
		"failure-foreign-connection":  replay.Status(404, "There is no such connection"),
		"failure-import-not-yet":      replay.Status(409, "authorise"),
		"failure-callback-wrong-code": refused(400, "no longer accepts the code"),
		"failure-callback-no-state":   refused(400, "This consent cannot be completed"),
		"failure-seller-not-proven":   refused(403, "does not confirm"),
	})
}

// hashed stands for identity.Keys.Hashes.
func hashed(_ context.Context, text string) ([]string, error) {
	sum := sha256.Sum256([]byte(text))
	return []string{hex.EncodeToString(sum[:16])}, nil
}
