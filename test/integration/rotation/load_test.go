// Package rotation_test turns every secret that rotates at once, under load and
// with the rotations killed, in simulated time.
package rotation_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

const owner tenant.ID = "t_alpha00001"

const (
	lwaName    = "pm-test/lwa"
	pepperName = "pm-test/pepper"
	seller     = "A1FIRSTSELLER"
	seconds    = 240
	instances  = 3
)

// world has several instances of everything that uses a secret, each with the
// cache that it has in production.
type world struct {
	clock   *clock.Manual
	db      *memory.DB
	static  *vault.Vault
	tokens  *vault.Vault
	lwa     *connect.Rotation
	pepper  identity.PepperRotation
	brokers []*connect.Broker
	newer   func() *connect.Broker
	keys    []*identity.Keys
	sealers []*envelope.Sealer
	account amazon.Account
	apiKey  secret.Value

	mu      sync.Mutex
	letters []connect.NewSecret

	requests, kills atomic.Int64
	doomed          atomic.Int64 // operations of the vault until the rotation is killed; 0: not
}

var errKilled = errors.New("killed")

// hear is Amazon's message with a new client secret.
func (w *world) hear(m secret.Value) {
	var in struct {
		Payload struct {
			Secret struct {
				ClientID string    `json:"clientId"`
				Secret   string    `json:"newClientSecret"`
				Ends     time.Time `json:"newClientSecretExpiryTime"`
			} `json:"applicationOAuthClientNewSecret"`
		} `json:"payload"`
	}
	if err := json.Unmarshal([]byte(m.Reveal()), &in); err != nil {
		panic(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := in.Payload.Secret
	w.letters = append(w.letters, connect.NewSecret{ClientID: s.ClientID, Secret: secret.New(s.Secret), Ends: s.Ends})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)), static: &vault.Vault{}, tokens: &vault.Vault{}}
	w.db = memory.New(w.clock)
	fake := must(fakeamazon.New(fakeamazon.Config{Seed: 5, Clock: w.clock, SecretQueue: w.hear, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.x", ClientID: "amzn1.client", ClientSecret: secret.New("first-secret"), RedirectURIs: []string{"https://us.test/oauth/callback"},
	}}))
	if err := fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{"A1PA6795UKMFR9"}}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(func() {
		server.Close()
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	})
	const agent = "PriceManager/1 (Language=Go/1.26)"
	api := must(spapi.New(spapi.Options{Endpoints: map[price.Region]string{price.EU: server.URL + "/eu"}, Clock: w.clock, UserAgent: agent, AllowInsecure: true}))
	login := must(spapi.NewLWA(spapi.LWAOptions{Endpoint: server.URL, Clock: w.clock, UserAgent: agent, AllowInsecure: true}))
	w.account = amazon.Account{Tenant: owner, Connection: price.ConnectionID("conn_" + strings.Repeat("a", 26)), Region: price.EU, Seller: seller, Grant: 1}
	for name, in := range map[string]struct {
		v *vault.Vault
		s secret.Value
	}{
		lwaName:    {w.static, secret.New(`{"client_id":"amzn1.client","client_secret":"first-secret"}`)},
		pepperName: {w.static, secret.New(strings.Repeat("p", 64))},
		"pm-test/connection/" + string(owner) + "/" + string(w.account.Connection) + "/1": {w.tokens, must(fake.Authorize(price.EU, seller))},
	} {
		if err := in.v.Put(t.Context(), name, in.s); err != nil {
			t.Fatal(err)
		}
	}
	w.newer = func() *connect.Broker {
		return connect.NewBroker(connect.BrokerOptions{Vault: w.tokens, Static: secret.NewCached(w.static, w.clock, 5*time.Minute), LWAKey: lwaName,
			Prefix: "pm-test/connection/", LWA: login, Clock: w.clock, Random: rand.Reader, Scopes: []amazon.Scope{amazon.ScopeNotifications}})
	}
	kms := memkms.New(rand.Reader)
	for range instances {
		w.brokers = append(w.brokers, w.newer())
		w.sealers = append(w.sealers, envelope.New(kms, w.db, w.clock))
		w.keys = append(w.keys, identity.NewKeys(w.db, identity.PeppersFrom(secret.NewCached(w.static, w.clock, 5*time.Minute), pepperName), w.clock, rand.Reader).
			Sealing(w.sealers[len(w.keys)]))
	}
	// The rotations see the vault through a door that can be shut on them.
	door := door{w.static, w}
	w.lwa = &connect.Rotation{DB: w.db, Vault: door, Name: lwaName, LWA: login, Amazon: api, Region: price.EU, Clock: w.clock}
	w.pepper = identity.PepperRotation{Vault: door, Name: pepperName, Clock: w.clock, Random: rand.Reader}
	if err := identity.NewTenants(w.db, w.sealers[0], w.clock).Create(t.Context(), owner, "operator", "Firm"); err != nil {
		t.Fatal(err)
	}
	_, w.apiKey = w.create(t)
	return w
}

func (w *world) create(t *testing.T) (identity.Key, secret.Value) {
	t.Helper()
	k, text, err := w.keys[0].Create(t.Context(), owner, "member:ann", "till", []identity.Scope{identity.PlansRead})
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// door kills the rotation that passes it when its time has come: before or after
// what it was about to do.
type door struct {
	secret.Versions

	w *world
}

func (d door) Propose(ctx context.Context, name string, v secret.Version) error {
	return d.pass(func() error { return d.Versions.Propose(ctx, name, v) })
}

func (d door) Promote(ctx context.Context, name, id, from string) error {
	return d.pass(func() error { return d.Versions.Promote(ctx, name, id, from) })
}

func (d door) pass(do func() error) error {
	switch left := d.w.doomed.Load(); {
	case left == 0:
		return do()
	case left%2 == 1: // killed before
		d.w.doomed.Store(0)
		d.w.kills.Add(1)
		return errKilled
	case left == 2: // killed after
		d.w.doomed.Store(0)
		d.w.kills.Add(1)
		return errors.Join(do(), errKilled)
	default:
		d.w.doomed.Add(-2)
		return do()
	}
}

// rotate is a second of the rotations. What is killed is merely run again.
func (w *world) rotate(t *testing.T, second int) {
	t.Helper()
	if second%3 == 0 {
		w.doomed.Store(int64(second/3%4) + 1)
	}
	for range 2 {
		if err := w.pepper.Rotate(t.Context()); err != nil && !errors.Is(err, errKilled) {
			t.Errorf("second %d: pepper: %v", second, err)
		} else if err == nil {
			break
		}
	}
	for _, p := range []envelope.Purpose{envelope.Tokens, envelope.Members} {
		if _, err := w.sealers[0].Rotate(t.Context(), owner, p, w.clock.Now()); err != nil {
			t.Errorf("second %d: data key: %v", second, err)
		}
	}
	if second%60 == 1 { // Amazon's limit is one a minute
		w.doomed.Store(int64(second/60%4) + 1)
		if did, err := w.lwa.Ask(t.Context()); err != nil || !did {
			t.Errorf("second %d: ask: %v, %v", second, did, err)
		}
	}
	w.mu.Lock()
	letters := w.letters
	w.letters = nil
	w.mu.Unlock()
	for _, n := range letters {
		if err := w.lwa.Take(t.Context(), n); err != nil {
			if !errors.Is(err, errKilled) {
				t.Errorf("second %d: take: %v", second, err)
			}
			w.mu.Lock()
			w.letters = append(w.letters, n) // the queue delivers it again
			w.mu.Unlock()
		}
	}
}

// serve is a second of one instance's requests.
func (w *world) serve(ctx context.Context, n int) error {
	w.requests.Add(5)
	at := envelope.Where{Table: store.Identity, Key: store.Key{PK: "x", SK: fmt.Sprint(n)}, Field: "f"}
	sealed, err := w.sealers[n].Seal(ctx, owner, envelope.Tokens, at, []byte("token"))
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if text, err := w.sealers[(n+1)%instances].Open(ctx, owner, envelope.Tokens, at, sealed); err != nil || string(text) != "token" {
		return fmt.Errorf("open: %q, %w", text, err)
	}
	if _, err := w.keys[n].Authenticate(ctx, w.apiKey); err != nil {
		return fmt.Errorf("API key: %w", errors.Unwrap(err))
	}
	if _, err := w.brokers[n].Grantless(ctx, amazon.ScopeNotifications); err != nil {
		return fmt.Errorf("grantless token: %w", err)
	}
	if _, err := w.newer().Access(ctx, w.account); err != nil {
		return fmt.Errorf("access token: %w", err)
	}
	return nil
}

func TestNoRequestFailsAndNoTokenIsLostWhileEverySecretRotatesAndRotationsAreKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var unused []secret.Value
	for second := 1; second <= seconds; second++ {
		w.clock.Advance(time.Second)
		if second%40 == 0 {
			_, key := w.create(t)
			unused = append(unused, key)
		}
		var wg sync.WaitGroup
		wg.Go(func() { w.rotate(t, second) })
		for n := range instances {
			wg.Go(func() {
				if err := w.serve(t.Context(), n); err != nil {
					t.Errorf("second %d, instance %d: %v", second, n, err)
				}
			})
		}
		wg.Wait()
	}
	for i, key := range unused {
		if _, err := w.keys[i%instances].Authenticate(t.Context(), key); err != nil {
			t.Errorf("a key that nobody used: %v", err)
		}
	}
	v, err := w.static.Get(t.Context(), lwaName)
	if err != nil || strings.Contains(v.Reveal(), "first-secret") {
		t.Errorf("the client secret did not rotate: %v", err)
	}
	peppers, err := w.static.Get(t.Context(), pepperName)
	if n := len(strings.Fields(peppers.Reveal())); err != nil || n <= seconds {
		t.Errorf("%d peppers after %d seconds, %v", n, seconds, err)
	}
	if versions, err := w.sealers[0].Versions(t.Context(), owner); err != nil || len(versions) < seconds {
		t.Errorf("%d data keys after %d seconds, %v", len(versions), seconds, err)
	}
	if w.kills.Load() < seconds/4 {
		t.Errorf("only %d rotations were killed", w.kills.Load())
	}
	if names := w.tokens.Names(); len(names) != 1 {
		t.Errorf("refresh tokens: %v", names)
	}
	t.Logf("%d requests, %d rotations killed", w.requests.Load(), w.kills.Load())
}
