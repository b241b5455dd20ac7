package erasure_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

const (
	de = price.MarketplaceID("A1PA6795UKMFR9")
	us = price.MarketplaceID("ATVPDKIKX0DER")
)

// own are texts that only one tenant has; other SKUs are the same. They differ in the
// middle: in base64 the search cannot see the last letter.
type own struct{ company, account, sku, title, file, link string }

func ownOf(id tenant.ID) own {
	n := len(id)
	return own{
		company: fmt.Sprintf("Canary Company %d GmbH", n), account: fmt.Sprintf("A2ERASURE%dSELLER", n),
		sku: fmt.Sprintf("CANARY-%d-SKU", n), title: fmt.Sprintf("Canary %d title", n), file: fmt.Sprintf("canary-%d-list.csv", n),
		link: fmt.Sprintf("https://prices.invalid/list.csv?key=canarykey%dcanarykey", n),
	}
}

// trade has a tenant do what leaves something behind: it connects its seller account
// in two regions, changes prices, has an archive and a table made and a file fetched.
func (r *rig) trade(t *testing.T, id tenant.ID) {
	t.Helper()
	mine := ownOf(id)
	r.open(t, id, mine)
	for region, at := range map[price.Region]price.MarketplaceID{price.EU: de, price.NA: us} {
		r.connect(t, id, mine, region, at)
	}
	key, batch := r.keys[id], r.change(t, id, "20.40")
	eventually(t, 90*time.Second, "the prices are sent", func() bool {
		var b struct{ State string }
		r.ask(t, key, http.StatusOK, http.MethodGet, "/batches/"+batch, "", &b)
		return b.State == "done"
	})
	for _, job := range []struct{ path, body string }{{"/exports", "{}"}, {"/downloads", `{"what":"offers","format":"csv"}`}} {
		var j struct{ ID, State string }
		r.ask(t, key, http.StatusAccepted, http.MethodPost, job.path, job.body, &j)
		eventually(t, time.Minute, "it is made: "+job.path, func() bool {
			r.ask(t, key, http.StatusOK, http.MethodGet, job.path+"/"+j.ID, "", &j)
			return j.State == "done"
		})
	}
	// Hours from now, so that nothing happens by itself.
	at := time.Now().UTC().Add(6 * time.Hour).Format("15:04")
	r.ask(t, key, http.StatusCreated, http.MethodPost, "/pulls", fmt.Sprintf(`{"url":%q,"schedule":{"dailyAt":%q,"zone":"UTC"},"marketplace":"DE"}`, mine.link, at), nil)
}

// change uploads prices and applies the plan; it returns the batch.
func (r *rig) change(t *testing.T, id tenant.ID, to string) string {
	t.Helper()
	mine := ownOf(id)
	var p struct{ ID, Token string }
	r.ask(t, r.keys[id], http.StatusCreated, http.MethodPost, "/plans?file="+mine.file, fmt.Sprintf(
		"sku,marketplace,price,currency\nSHARED-01,DE,%[1]s,EUR\n%[2]s,DE,%[1]s,EUR\nSHARED-01,US,%[1]s,USD\n", to, mine.sku), &p)
	var b struct{ ID string }
	r.ask(t, r.keys[id], http.StatusAccepted, http.MethodPost, "/batches", fmt.Sprintf(`{"plan":%q,"token":%q}`, p.ID, p.Token), &b)
	return b.ID
}

// open makes the tenant and a key for it, as an operator does.
func (r *rig) open(t *testing.T, id tenant.ID, mine own) {
	t.Helper()
	secrets, err := r.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	peppers := func(context.Context, bool) ([]secret.Value, error) {
		return []secret.Value{secrets["pm-local/pepper"]}, nil
	}
	if err := identity.NewTenants(r.db(), r.Sealer(), clock.Real{}).Create(t.Context(), id, "test", mine.company); err != nil {
		t.Fatal(err)
	}
	_, key, err := identity.NewKeys(r.db(), peppers, clock.Real{}, rand.Reader).Sealing(r.Sealer()).Create(t.Context(), id, "test", "key of "+mine.company, identity.Scopes())
	if err != nil {
		t.Fatal(err)
	}
	r.keys[id] = key
}

// connect makes a seller account with offers at Amazon and connects it.
func (r *rig) connect(t *testing.T, id tenant.ID, mine own, region price.Region, at price.MarketplaceID) {
	t.Helper()
	account := string(region) + mine.account
	seed, err := json.Marshal(fakeamazon.Seed{Sellers: []fakeamazon.Seller{{ID: account, Region: region, Marketplaces: []price.MarketplaceID{at},
		Listings: []fakeamazon.Listing{
			{Marketplace: at, SKU: "SHARED-01", Price: "20.00", Title: mine.title},
			{Marketplace: at, SKU: price.SKU(mine.sku), Price: "20.00", Title: mine.title},
		}}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(r.AdminURL+"/sellers", "application/json", bytes.NewReader(seed))
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	var c struct {
		ID, AuthorizeURL string
		Import           struct{ State string }
	}
	r.ask(t, r.keys[id], http.StatusCreated, http.MethodPost, "/connections", fmt.Sprintf(`{"region":%q}`, region), &c)
	if err := r.Consent(t.Context(), c.AuthorizeURL, account); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the offers are known", func() bool {
		r.ask(t, r.keys[id], http.StatusOK, http.MethodGet, "/connections/"+c.ID, "", &c)
		return c.Import.State == "done"
	})
}
