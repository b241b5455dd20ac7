package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/test/contract"
	"pricemanager/test/fakeamazon"
)

const (
	seller                      = "A2EXAMPLESELLER"
	market  price.MarketplaceID = "A1PA6795UKMFR9"
	france  price.MarketplaceID = "A13V1IB3VIYZZH"
	account                     = "123456789012" // AWS account of the event bus
)

// skus are those that a client gets wrong.
//
// blind: a SKU of only dots is not among them. Prism reads addresses by the
// rules of browsers, where a segment of one or two dots is taken out of the
// path, so it cannot see a correct request for one; Amazon can. The tests of
// package spapi have them, without Prism.
//
// blind: Prism reads JSON numbers as floats and writes them anew, so 0.10 comes
// out as 0.1. The value is the same, which is what is compared here; the digits
// are looked at where nothing stands in between, in the tests of package spapi.
var skus = []price.SKU{
	"PLAIN", "a/b", "50%", "50%25", "c+d", "e f", " ", "x,y", "#1", "?&=;", `"q"\`, "<&>", "ü€", "価格", "ราคา", "سعر", "👕", "a/b#c+d e%2F?&=ü€",
}

// world is the fake, Prism in front of it, and our client in front of Prism.
type world struct {
	clock   *clock.Manual
	fake    *fakeamazon.Fake
	front   *front
	server  *httptest.Server
	proxy   *proxy
	judge   *judge
	client  *spapi.Client
	lwa     *spapi.LWA
	app     amazon.Credentials
	account amazon.Account
	refresh secret.Value
	n       int64 // makes prices and names differ
}

func newWorld(ctx context.Context) (*world, error) {
	spec, err := contract.Load()
	if err != nil {
		return nil, err
	}
	if err := install(ctx); err != nil {
		return nil, err
	}
	w := &world{
		clock:   clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)),
		account: amazon.Account{Tenant: "t_prism", Connection: "conn_prism", Region: price.EU, Seller: seller, Grant: 1},
		app:     amazon.Credentials{ClientID: "amzn1.application-oa2-client.prism", ClientSecret: secret.New("amzn1.oa2-cs.v1.prism")},
	}
	if err := w.openFake(); err != nil {
		return nil, err
	}
	w.front = &front{next: w.fake, spec: spec}
	w.server = httptest.NewServer(w.front)
	if w.proxy, err = startProxy(ctx, w.server.URL+"/eu"); err != nil {
		w.close()
		return nil, err
	}
	at, err := url.Parse(w.proxy.url)
	if err != nil {
		w.close()
		return nil, err
	}
	w.judge = &judge{spec: spec, host: at.Host, succeeded: map[string]bool{}, refused: map[string]bool{}}
	const agent = "PriceManager/1.0 (Language=Go/1.26; Platform=Test)"
	w.client, err = spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: w.server.URL + "/eu"}, Tokens: w, Clock: w.clock, UserAgent: agent, AllowInsecure: true,
		Wrap: func(next http.RoundTripper) http.RoundTripper { w.judge.next = next; return w.judge },
	})
	if err != nil {
		w.close()
		return nil, err
	}
	if w.lwa, err = spapi.NewLWA(spapi.LWAOptions{Endpoint: w.server.URL, Clock: w.clock, UserAgent: agent, AllowInsecure: true}); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) openFake() (err error) {
	rates := map[string]fakeamazon.Rate{} // budgets are another matter
	for _, op := range spapi.Operations() {
		rates[op] = fakeamazon.Rate{PerSecond: "1000", Burst: 1000}
	}
	w.fake, err = fakeamazon.New(fakeamazon.Config{
		Seed: 1, Clock: w.clock, Rates: rates, SecretQueue: w.newSecret, Application: fakeamazon.Application{
			ID: "amzn1.sp.solution.prism", ClientID: w.app.ClientID, ClientSecret: w.app.ClientSecret, RedirectURIs: []string{"https://us.test/oauth/callback"},
		},
	})
	if err != nil {
		return err
	}
	listings := []fakeamazon.Listing{{Marketplace: market, SKU: "BOUND", Price: "20.00", Min: "15.00"}, {Marketplace: france, SKU: "価格", Price: "20.00"}}
	for _, sku := range skus {
		listings = append(listings, fakeamazon.Listing{Marketplace: market, SKU: sku, Price: "20.00"})
	}
	err = w.fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{market, france}, Listings: listings})
	if err != nil {
		return err
	}
	w.refresh, err = w.fake.Authorize(price.EU, seller)
	return err
}

func (w *world) close() {
	if w.proxy != nil {
		w.proxy.stop()
	}
	if w.server != nil {
		w.server.Close()
	}
	_ = w.fake.Close() // it keeps no state
}

// Access asks Login with Amazon each time: the clock jumps.
func (w *world) Access(ctx context.Context, _ amazon.Account) (secret.Value, error) {
	g, err := w.lwa.Refresh(ctx, w.app, w.refresh)
	return g.Access, err
}

// newSecret takes the client secret that a rotation made, as the queue would.
func (w *world) newSecret(message secret.Value) {
	var m struct {
		Payload struct {
			ApplicationOAuthClientNewSecret struct{ NewClientSecret string }
		}
	}
	if json.Unmarshal([]byte(message.Reveal()), &m) == nil {
		w.app.ClientSecret = secret.New(m.Payload.ApplicationOAuthClientNewSecret.NewClientSecret)
	}
}

// Grantless asks Login with Amazon each time, as the broker does.
func (w *world) Grantless(ctx context.Context, scope amazon.Scope) (secret.Value, error) {
	t, err := w.lwa.Grantless(ctx, w.app, scope)
	return t.Access, err
}

// examine is the whole examination: what must pass, then what must not.
func (w *world) examine(ctx context.Context) error {
	calls, err := w.prepare(ctx)
	if err == nil {
		err = errors.Join(w.oddSKUs(ctx), w.together(ctx), w.succeed(ctx, calls), w.refusals(ctx, calls))
	}
	for _, o := range w.judge.heard() {
		err = errors.Join(err, fmt.Errorf("prism objects: %s", o))
	}
	for _, v := range w.fake.Violations() {
		err = errors.Join(err, fmt.Errorf("the fake objects: %s of %s: %s", v.Kind, v.Op, v.Detail))
	}
	if err != nil {
		return err
	}
	if seen, missing := w.judge.both(); len(missing) > 0 || seen == 0 {
		return fmt.Errorf("not seen with a success and a refusal each: %s", strings.Join(missing, ", "))
	}
	return w.control(ctx, calls)
}
