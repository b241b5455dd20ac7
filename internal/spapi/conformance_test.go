package spapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/test/fakeamazon"
)

// The fake checks every request against Amazon's models, so each of these tests
// also says that the client keeps to them.

const (
	seller                       = "A2EXAMPLESELLER"
	germany  price.MarketplaceID = "A1PA6795UKMFR9"
	france   price.MarketplaceID = "A13V1IB3VIYZZH"
	oddSKU   price.SKU           = "a/b#c+d e%2F?&=ü€"
	commaSKU price.SKU           = "x,y"
)

type world struct {
	fake    *fakeamazon.Fake
	clock   *clock.Manual
	client  *spapi.Client
	lwa     *spapi.LWA
	app     amazon.Credentials
	account amazon.Account
	access  secret.Value
	secrets []secret.Value // messages with new client secrets
}

func (w *world) Access(context.Context, amazon.Account) (secret.Value, error) { return w.access, nil }

// Grantless asks Login with Amazon each time, as the broker does.
func (w *world) Grantless(ctx context.Context, scope amazon.Scope) (secret.Value, error) {
	t, err := w.lwa.Grantless(ctx, w.app, scope)
	return t.Access, err
}

func newWorld(t *testing.T, listings ...fakeamazon.Listing) *world {
	t.Helper()
	w := &world{
		clock:   clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)),
		account: amazon.Account{Tenant: "t_alpha1", Connection: "conn_a", Region: price.EU, Seller: seller, Grant: 1},
		app:     amazon.Credentials{ClientID: "amzn1.application-oa2-client.x", ClientSecret: secret.New("amzn1.oa2-cs.v1.x")},
	}
	var err error
	w.fake, err = fakeamazon.New(fakeamazon.Config{Seed: 1, Clock: w.clock, SecretQueue: func(m secret.Value) { w.secrets = append(w.secrets, m) }, Application: fakeamazon.Application{
		ID: "amzn1.sp.solution.x", ClientID: w.app.ClientID, ClientSecret: w.app.ClientSecret, RedirectURIs: []string{"https://us.test/oauth/callback"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = w.fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{germany, france}, Listings: listings})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.fake)
	t.Cleanup(func() {
		server.Close()
		if err := w.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	const agent = `PriceManager/1.0 (Language=Go/1.26; Platform=Test)`
	w.client, err = spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: server.URL + "/eu", price.NA: server.URL + "/na", price.FE: server.URL + "/fe"},
		Tokens:    w, Clock: w.clock, UserAgent: agent, AllowInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.lwa, err = spapi.NewLWA(spapi.LWAOptions{Endpoint: server.URL, Clock: w.clock, UserAgent: agent, AllowInsecure: true}); err != nil {
		t.Fatal(err)
	}
	refresh, err := w.fake.Authorize(price.EU, seller)
	if err != nil {
		t.Fatal(err)
	}
	w.refresh(t, refresh)
	return w
}

func (w *world) refresh(t *testing.T, refresh secret.Value) {
	t.Helper()
	g, err := w.lwa.Refresh(t.Context(), w.app, refresh)
	if err != nil {
		t.Fatal(err)
	}
	w.access = g.Access
}

// obeys fails the test when the fake saw the client break a rule.
func (w *world) obeys(t *testing.T) {
	t.Helper()
	for _, v := range w.fake.Violations() {
		t.Errorf("violation: %+v", v)
	}
}

func (w *world) patch(t *testing.T, sku price.SKU, e price.Edit) {
	t.Helper()
	w.clock.Advance(time.Second)
	s, err := w.client.Patch(t.Context(), w.account, amazon.Patch{Marketplace: germany, SKU: sku, Edit: e})
	if err != nil || s.Status != amazon.Accepted || s.ID == "" || s.Call.RequestID == "" {
		t.Fatalf("patch of %v: %+v, %v", e.Touched(), s, err)
	}
	w.clock.Advance(time.Minute) // until it shows
}

func euro(minor int64) *price.Money {
	m := price.FromMinor(minor, "EUR")
	return &m
}

func TestEveryFieldIsSetReadBackAndCleared(t *testing.T) {
	t.Parallel()
	for _, sku := range []price.SKU{"PLAIN", oddSKU, commaSKU, "..", " "} {
		t.Run(fmt.Sprintf("%q", sku), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: sku, Price: "20.00"})
			start := time.Date(2026, 12, 1, 8, 30, 0, 0, time.UTC)
			want := price.Prices{
				Our: euro(1990), Min: euro(1), Max: euro(99999999),
				Sale:  &price.Sale{Price: *euro(1799), Start: start, End: start.AddDate(0, 0, 7)},
				B2B:   euro(1810),
				Tiers: []price.Tier{{Quantity: 10, Price: *euro(1750)}, {Quantity: 50, Price: *euro(1699)}},
			}
			w.patch(t, sku, price.Edit{Set: want})
			w.shows(t, sku, want)
			for _, f := range []price.Field{price.FieldTiers, price.FieldSale, price.FieldMin, price.FieldMax, price.FieldB2B} {
				e := price.Edit{Clear: []price.Field{f}}
				want = e.Apply(want)
				w.patch(t, sku, e)
				w.shows(t, sku, want)
			}
			w.patch(t, sku, price.Edit{Set: price.Prices{Our: euro(5)}})
			w.shows(t, sku, price.Prices{Our: euro(5)})
			w.obeys(t)
		})
	}
}

func (w *world) shows(t *testing.T, sku price.SKU, want price.Prices) {
	t.Helper()
	got, call, err := w.client.Get(t.Context(), w.account, germany, sku)
	if err != nil {
		t.Fatal(err)
	}
	if got.SKU != sku || got.ASIN == "" || call.RequestID == "" || got.Effective == nil {
		t.Errorf("listing %+v, call %+v", got, call)
	}
	for _, f := range price.Fields() {
		if !got.Prices.EqualField(f, want) {
			t.Errorf("%s: read %s, want %s", f, got.Prices.Summary([]price.Field{f}), want.Summary([]price.Field{f}))
		}
	}
	w.clock.Advance(time.Second)
}

func TestASearchFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	var listings []fakeamazon.Listing
	var skus []price.SKU
	for i := range 19 {
		sku := price.SKU(fmt.Sprintf("S %d/é", i))
		skus = append(skus, sku)
		listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: sku, Price: fmt.Sprintf("%d.05", i+1)})
	}
	w := newWorld(t, listings...)
	got, _, err := w.client.Search(t.Context(), w.account, germany, append(skus, "UNKNOWN"))
	if err != nil || len(got) != 19 {
		t.Fatalf("%d found, %v", len(got), err)
	}
	for _, l := range got {
		var n int64
		if _, err := fmt.Sscanf(string(l.SKU), "S %d/é", &n); err != nil || *l.Prices.Our != *euro((n+1)*100 + 5) {
			t.Errorf("%s costs %s", l.SKU, l.Prices.Our)
		}
	}
	w.obeys(t)
}

func TestAmazonsRefusalsAreUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	get := func() error {
		_, _, err := w.client.Get(t.Context(), w.account, germany, "S")
		return err
	}
	if _, _, err := w.client.Get(t.Context(), w.account, germany, "NONE"); amazon.Classify(err) != amazon.Permanent {
		t.Errorf("unknown SKU: %v", err)
	}
	for _, status := range []int{400, 403, 404, 429, 500, 503} {
		id, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "getListingsItem", Status: status})
		if err != nil {
			t.Fatal(err)
		}
		var e *amazon.Error
		if err := get(); !errors.As(err, &e) || e.Status != status || e.Reached != (status == 500) || e.Code == "" {
			t.Errorf("%d: %+v", status, e)
		}
		w.fake.RemoveFault(id)
		w.clock.Advance(time.Second)
	}
	var limited error
	for range 20 {
		if limited = get(); limited != nil {
			break
		}
	}
	if amazon.Classify(limited) != amazon.RetryAfter {
		t.Errorf("over the limit: %v", limited)
	}
	w.clock.Advance(time.Minute)
	w.fake.ExpireTokens(price.EU, seller)
	if err := get(); amazon.Classify(err) != amazon.Reauthorise {
		t.Errorf("expired token: %v", err)
	}
}

func TestAnEffectBehindACutConnectionIsNotDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	for _, ft := range []fakeamazon.Fault{
		{Kind: fakeamazon.CutAfter, Op: "patchListingsItem", Times: 1},
		{Kind: fakeamazon.CutBefore, Op: "patchListingsItem", Times: 1}, // the client cannot know the difference
		{Kind: fakeamazon.AnswerAfter, Status: 500, Op: "patchListingsItem", Times: 1},
	} {
		if _, err := w.fake.AddFault(ft); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Second)
		_, err := w.client.Patch(t.Context(), w.account, amazon.Patch{Marketplace: germany, SKU: "S", Edit: price.Edit{Set: price.Prices{Our: euro(1)}}})
		if amazon.Classify(err) != amazon.Unknown {
			t.Errorf("%s: %v", ft.Kind, err)
		}
	}
}

func TestAnInvalidPatchIsAnAnswerAndNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00", Min: "15.00"})
	s, err := w.client.Patch(t.Context(), w.account, amazon.Patch{Marketplace: germany, SKU: "S", Edit: price.Edit{Set: price.Prices{Our: euro(1400)}}})
	if err != nil || s.Status != amazon.Invalid || len(s.Issues) == 0 || s.Issues[0].Severity != "ERROR" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestACatalogueComesThroughItsReport(t *testing.T) {
	t.Parallel()
	seven := int64(7)
	w := newWorld(t,
		fakeamazon.Listing{Marketplace: germany, SKU: "A", Title: "Größe", Price: "1.50", Quantity: &seven},
		fakeamazon.Listing{Marketplace: germany, SKU: oddSKU, Price: "1234567.89"},
		fakeamazon.Listing{Marketplace: france, SKU: "ELSEWHERE", Price: "3.00"},
	)
	id, err := w.client.CreateReport(t.Context(), w.account, amazon.ListingsReport, germany)
	if err != nil {
		t.Fatal(err)
	}
	if s, doc, err := w.client.Report(t.Context(), w.account, id); err != nil || s != amazon.ReportInQueue || doc != "" {
		t.Errorf("at first %s, %q, %v", s, doc, err)
	}
	w.clock.Advance(time.Minute)
	s, doc, err := w.client.Report(t.Context(), w.account, id)
	if err != nil || s != amazon.ReportDone {
		t.Fatalf("then %s, %v", s, err)
	}
	body, err := w.client.Document(t.Context(), w.account, doc)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	r, err := spapi.NewListingsReport(body, germany)
	if err != nil {
		t.Fatal(err)
	}
	got := map[price.SKU]string{}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[row.SKU] = row.Price + " " + row.Title
	}
	if diff := cmp.Diff(map[price.SKU]string{"A": "1.50 Größe", oddSKU: "1234567.89 Item " + string(oddSKU)}, got); diff != "" {
		t.Error(diff)
	}
	w.obeys(t)
}

func TestATokenProvesItsSellerAndNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.fake.AddSeller(fakeamazon.Seller{ID: "AVICTIM", Region: price.EU, Marketplaces: []price.MarketplaceID{germany}}); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Prove(t.Context(), w.access, w.account, germany); err != nil {
		t.Errorf("own seller: %v", err)
	}
	got, err := w.client.Marketplaces(t.Context(), w.access, price.EU)
	if err != nil || len(got) != 2 {
		t.Errorf("marketplaces %v, %v", got, err)
	}
	w.obeys(t)
	victim := w.account
	victim.Seller = "AVICTIM"
	var e *amazon.Error
	if err := w.client.Prove(t.Context(), w.access, victim, germany); !errors.As(err, &e) || e.Status != 403 {
		t.Errorf("foreign seller: %v", err)
	}
}

func TestARevokedAuthorisationIsInvalidGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refresh, err := w.fake.Authorize(price.EU, seller)
	if err != nil {
		t.Fatal(err)
	}
	w.fake.Revoke(price.EU, seller)
	if _, err := w.lwa.Refresh(t.Context(), w.app, refresh); amazon.Classify(err) != amazon.Reauthorise {
		t.Errorf("got %v", err)
	}
	wrong := w.app
	wrong.ClientSecret = secret.New("wrong")
	if _, err := w.lwa.Refresh(t.Context(), wrong, refresh); amazon.Classify(err) != amazon.Operator {
		t.Errorf("got %v", err)
	}
	w.obeys(t)
}
