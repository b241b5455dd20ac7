package product_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
	"pricemanager/test/canary"
	"pricemanager/test/fakeamazon"
)

// de is where the tests' sellers sell, in EUR.
const de = price.MarketplaceID("A1PA6795UKMFR9")

// firstPrice is what every offer costs at first; what tests change stays within
// a few per cent of it, so that no guard holds it.
const firstPrice = "20.00"

// seller is a tenant of its own with one seller account, so that tests on one
// stack do not meet.
type seller struct {
	r       *rig
	api     api
	tenant  tenant.ID
	account string // at Amazon
	skus    []price.SKU
	conn    price.ConnectionID
}

// db is the product's store as an operator reaches it.
func (r *rig) db() *dynamo.DB {
	return dynamo.New(dynamodb.NewFromConfig(r.Config()), map[store.Table]string{
		store.Identity: r.Outputs["IdentityTableName"], store.Offers: r.Outputs["OffersTableName"],
	})
}

// customer makes a tenant with an API key, and a seller account at Amazon with n
// offers that is not connected yet.
func (r *rig) customer(t *testing.T, name string, n int) *seller {
	t.Helper()
	upper := strings.ToUpper(name)
	s := &seller{r: r, tenant: tenant.ID("t_" + name + "0001"), account: "A2" + upper}
	listings := make([]fakeamazon.Listing, n)
	for i := range n {
		s.skus = append(s.skus, price.SKU(fmt.Sprintf("%s-%02d", upper, i+1)))
		listings[i] = fakeamazon.Listing{Marketplace: de, SKU: s.skus[i], Price: firstPrice}
	}
	r.amazon.do(t, http.MethodPost, "sellers", fakeamazon.Seed{Sellers: []fakeamazon.Seller{
		{ID: s.account, Region: price.EU, Marketplaces: []price.MarketplaceID{de}, Listings: listings},
	}})
	vault := secretsmanager.NewFromConfig(r.Config())
	peppers := func(ctx context.Context, _ bool) ([]secret.Value, error) {
		out, err := vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(r.Outputs["PepperSecretArn"])})
		if err != nil {
			return nil, err
		}
		return []secret.Value{secret.New(aws.ToString(out.SecretString))}, nil
	}
	if err := identity.NewTenants(r.db(), r.Sealer(), clock.Real{}).Create(t.Context(), s.tenant, "test", canary.CompanyName+" "+name); err != nil {
		t.Fatal(err)
	}
	_, key, err := identity.NewKeys(r.db(), peppers, clock.Real{}, rand.Reader).Sealing(r.Sealer()).Create(t.Context(), s.tenant, "test", canary.CompanyName+" "+name, identity.Scopes())
	if err != nil {
		t.Fatal(err)
	}
	r.keys = append(r.keys, key.Reveal())
	s.api = api{r.URL, key}
	return s
}

// seller makes a customer whose account is connected and whose offers are known.
func (r *rig) seller(t *testing.T, name string, n int) *seller {
	t.Helper()
	s := r.customer(t, name, n)
	c := ask[connectionDoc](t, s.api, http.StatusCreated, http.MethodPost, "/connections", `{"region":"EU"}`)
	if err := r.Consent(t.Context(), c.AuthorizeURL, s.account); err != nil {
		t.Fatal(err)
	}
	s.conn = price.ConnectionID(c.ID)
	eventually(t, time.Minute, "the offers of "+name+" are known", func() bool {
		c := ask[connectionDoc](t, s.api, http.StatusOK, http.MethodGet, "/connections/"+c.ID, "")
		return c.Import.State == "done" && c.Import.Known == n
	})
	return s
}

// file is a price file that gives all of the seller's offers a price.
func (s *seller) file(to string) string {
	var b strings.Builder
	b.WriteString("sku,marketplace,price,currency\n")
	for _, sku := range s.skus {
		fmt.Fprintf(&b, "%s,DE,%s,EUR\n", sku, to)
	}
	return b.String()
}

// plan uploads a price file.
func (s *seller) plan(t *testing.T, file string) planDoc {
	t.Helper()
	return ask[planDoc](t, s.api, http.StatusCreated, http.MethodPost, "/plans?file=prices.csv", file)
}

// change uploads a price for all of the seller's offers, applies the plan, and
// returns the batch. Every row has to be planned.
func (s *seller) change(t *testing.T, to string) string {
	t.Helper()
	p := s.plan(t, s.file(to))
	if p.Summary.Planned != len(s.skus) {
		t.Fatalf("plan for %s: %+v, want all %d planned", to, p.Summary, len(s.skus))
	}
	return s.apply(t, p).ID
}

func (s *seller) apply(t *testing.T, p planDoc) batchDoc {
	t.Helper()
	return ask[batchDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/batches", fmt.Sprintf(`{"plan":%q,"token":%q}`, p.ID, p.Token))
}

func (s *seller) batch(t *testing.T, id string) batchDoc {
	t.Helper()
	return ask[batchDoc](t, s.api, http.StatusOK, http.MethodGet, "/batches/"+id, "")
}

// isObserved waits until the batch is done, and wants every price observed and
// shown by Amazon.
func (s *seller) isObserved(t *testing.T, batch, at string) {
	t.Helper()
	var b batchDoc
	eventually(t, 90*time.Second, "batch "+batch+" is done", func() bool {
		b = s.batch(t, batch)
		return b.State == "done"
	})
	if b.Counts["observed"] != len(s.skus) {
		t.Errorf("%v, want all %d observed", b, len(s.skus))
	}
	for _, sku := range s.skus {
		if shown := s.r.amazon.shows(t, s.account, de, sku); shown != at {
			t.Errorf("Amazon shows %s for %s, want %s", shown, sku, at)
		}
	}
}
