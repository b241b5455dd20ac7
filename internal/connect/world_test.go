package connect_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

var _ lane.Connections = (*connect.Service)(nil)

const (
	alpha tenant.ID = "t_alpha1"
	beta  tenant.ID = "t_beta22"

	seller1 = "A1FIRSTSELLER"
	seller2 = "A2SECONDSELLER"

	prefix   = "pm-test/connection/"
	lwaKey   = "pm-test/lwa"
	redirect = "https://us.test/oauth/callback"

	germany price.MarketplaceID = "A1PA6795UKMFR9"
	france  price.MarketplaceID = "A13V1IB3VIYZZH"
)

// world is the real service and broker over stores in memory and a fake Amazon.
type world struct {
	t       *testing.T
	clock   *clock.Manual
	db      *memory.DB
	vault   *vault.Vault
	static  *vault.Vault
	fake    *fakeamazon.Fake
	broker  *connect.Broker
	service *connect.Service
	address string // of the fake
	rung    []price.ConnectionID
	ringErr error
	asked   []price.ConnectionID // for subscriptions
	askErr  error
	letters []secret.Value // Amazon's messages with new client secrets
	reader  amazon.SecretRotation
	lwa     amazon.LWA
}

func (w *world) RequestImport(_ context.Context, _ tenant.ID, c price.ConnectionID) error {
	if w.ringErr != nil {
		return w.ringErr
	}
	w.rung = append(w.rung, c)
	return nil
}

func (w *world) RequestSubscriptions(_ context.Context, _ tenant.ID, c price.ConnectionID) error {
	w.asked = append(w.asked, c)
	return w.askErr
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, clock: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)),
		vault: &vault.Vault{}, static: &vault.Vault{},
	}
	w.db = memory.New(w.clock)
	if err := w.static.Put(t.Context(), lwaKey, secret.New(`{"client_id":"amzn1.client","client_secret":"first-secret"}`)); err != nil {
		t.Fatal(err)
	}
	var err error
	w.fake, err = fakeamazon.New(fakeamazon.Config{Seed: 7, Clock: w.clock, SecretQueue: func(m secret.Value) { w.letters = append(w.letters, m) }, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.x", ClientID: "amzn1.client", ClientSecret: secret.New("first-secret"), RedirectURIs: []string{redirect}, Draft: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{seller1, seller2} {
		if err := w.fake.AddSeller(fakeamazon.Seller{ID: id, Region: price.EU, Marketplaces: []price.MarketplaceID{germany, france}}); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(w.fake)
	t.Cleanup(func() {
		server.Close()
		if err := w.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	w.address = server.URL
	client, err := spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: server.URL + "/eu", price.NA: server.URL + "/na"},
		Clock:     w.clock, UserAgent: "PriceManager/1 (Language=Go/1.26)", AllowInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: server.URL, Clock: w.clock, UserAgent: "PriceManager/1", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	w.reader, w.lwa = client, lwa
	w.broker = connect.NewBroker(connect.BrokerOptions{
		Vault: w.vault, Static: secret.NewCached(w.static, w.clock, time.Hour), LWAKey: lwaKey, Prefix: prefix,
		LWA: lwa, Clock: w.clock, Random: rand.Reader, Scopes: []amazon.Scope{amazon.ScopeNotifications},
		Health: &connect.Book{DB: w.db, Clock: w.clock},
	})
	w.service = &connect.Service{
		DB: w.db, Clock: w.clock, Random: rand.Reader, Tokens: w.broker, Sellers: client, Importer: w, Subscriptions: w,
		Config: connect.Config{
			Consent:       map[price.Region]string{price.EU: server.URL + "/consent/eu/apps/authorize/consent", price.NA: server.URL + "/consent/na/apps/authorize/consent"},
			ApplicationID: "amzn1.sp.solution.x", Draft: true, RedirectURI: redirect,
		},
	}
	return w
}

// start begins a consent for a new connection.
func (w *world) start(t tenant.ID) (price.ConnectionID, string) {
	w.t.Helper()
	c, address, err := w.service.Start(w.t.Context(), "key:tester", t, price.EU)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID, address
}

// consent is what the seller's browser brings back from Amazon.
func (w *world) consent(address, seller string) connect.Return {
	w.t.Helper()
	w.clock.Advance(10 * time.Second) // a person clicks; budgets refill
	back, err := w.fake.Consent(address, seller)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		w.t.Fatal(err)
	}
	q := u.Query()
	return connect.Return{State: secret.New(q.Get("state")), Code: secret.New(q.Get("spapi_oauth_code")), Seller: q.Get("selling_partner_id")}
}

// connect makes an active connection.
func (w *world) connect(t tenant.ID, seller string) connect.Connection {
	w.t.Helper()
	_, address := w.start(t)
	c, err := w.service.Callback(w.t.Context(), w.consent(address, seller))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) get(t tenant.ID, id price.ConnectionID) connect.Connection {
	w.t.Helper()
	c, err := w.service.Get(w.t.Context(), t, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// works checks that the connection's authorisation gets a token that Amazon
// takes for the seller's.
func (w *world) works(t tenant.ID, c connect.Connection) {
	w.t.Helper()
	w.clock.Advance(10 * time.Second)
	token, err := w.broker.Access(w.t.Context(), c.Account(t))
	if err != nil {
		w.t.Fatalf("access: %v", err)
	}
	if err := w.service.Sellers.Prove(w.t.Context(), token.Access, c.Account(t), germany); err != nil {
		w.t.Fatalf("the token is not the seller's: %v", err)
	}
}

// refused checks that the error is a fault of that kind and type.
func refused(t *testing.T, err error, kind fault.Kind, typ string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind != kind || f.Type != typ {
		t.Errorf("want %s %s, got %v", kind, typ, err)
	}
}

func accountOf(t tenant.ID, c price.ConnectionID, grant int64) amazon.Account {
	return amazon.Account{Tenant: t, Connection: c, Region: price.EU, Seller: seller1, Grant: grant}
}

// everything returns all items of the connections table, of all tenants.
func (w *world) everything() (items []store.Item) {
	w.db.Each(func(_ tenant.ID, table store.Table, it store.Item) bool {
		if table == store.Connections {
			items = append(items, it)
		}
		return true
	})
	return items
}
