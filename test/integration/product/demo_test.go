package product_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/infra/local/demo"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// mainJob is the demo as it is, with every function in its own role only: a call
// that a role does not allow would stop it.
func mainJob(t *testing.T, r *rig) {
	var out strings.Builder
	result, err := demo.Run(t.Context(), demo.Options{
		URL: r.URL, APIKey: r.APIKey, ExportDir: t.TempDir(), Out: &out, Transport: answers, Patience: 2 * time.Minute,
		Sellers: map[price.Region]string{price.EU: "A2DEMOSELLEREU", price.NA: "A2DEMOSELLERNA"},
		Files: []demo.File{
			{Path: demoFile(t, "us-price-quantity.txt"), Marketplace: "US"},
			{Path: demoFile(t, "eu-prezzi.csv")},
		},
	})
	if err != nil || !result.OK || !result.LedgerVerified {
		t.Fatalf("%+v, %v\n%s", result, err, out.String())
	}
	planned := int64(result.Planned)
	if planned == 0 || result.Observed != planned || result.Accepted != planned || result.Unconfirmed != 0 {
		t.Errorf("%+v: want all planned prices accepted and observed", result)
	}
	effects := slices.Concat(r.amazon.effects(t, "A2DEMOSELLEREU"), r.amazon.effects(t, "A2DEMOSELLERNA"))
	if int64(len(effects)) != planned {
		t.Errorf("Amazon changed %d offers, %d were planned", len(effects), planned)
	}
	once(t, effects)
}

// once fails the test for every offer that was not changed exactly once.
func once(t *testing.T, effects []fakeamazon.Effect) {
	t.Helper()
	for _, e := range effects {
		if e.Count != 1 || e.Doubles != 0 {
			t.Errorf("Amazon changed %s in %s %d times, want once", e.SKU, e.Marketplace, e.Count)
		}
	}
}

// droppedPrice: Amazon accepts a price and never shows it. The demo must not
// pass that over, and has to say which one.
func droppedPrice(t *testing.T, r *rig) {
	s := r.customer(t, "dropped", 8)
	lost := s.skus[4]
	r.amazon.fault(t, fakeamazon.Fault{Kind: fakeamazon.DropPrice, Seller: s.account, SKU: lost})
	path := filepath.Join(t.TempDir(), "prices.csv")
	if err := os.WriteFile(path, []byte(s.file("20.50")), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	result, err := demo.Run(t.Context(), demo.Options{
		URL: r.URL, APIKey: s.api.key, ExportDir: t.TempDir(), Out: &out, Transport: answers, Patience: time.Minute,
		Sellers: map[price.Region]string{price.EU: s.account}, Files: []demo.File{{Path: path}},
	})
	if !errors.Is(err, demo.ErrBooks) || !strings.Contains(err.Error(), string(lost)) {
		t.Fatalf("error is %v, want the books not to balance for want of %s\n%s", err, lost, out.String())
	}
	if result.OK || result.Unconfirmed != 1 || result.Observed != int64(len(s.skus)-1) || !result.LedgerVerified {
		t.Errorf("%+v: want all observed but one, and that one unconfirmed", result)
	}
	if want := []string{string(lost) + " in DE"}; !slices.Equal(result.Missing, want) {
		t.Errorf("missing are %q, want %q", result.Missing, want)
	}
}

// badRows: each row is wrong in another way. The plan says so row by row, cannot
// be applied, and nothing reaches Amazon.
func badRows(t *testing.T, r *rig) {
	s := r.seller(t, "badrows", 3)
	p := s.plan(t, strings.Join([]string{
		"sku,marketplace,price,currency",
		string(s.skus[0]) + ",DE,-19.00,EUR",
		string(s.skus[1]) + ",DE,19.00,GBP",
		string(s.skus[2]) + ",DE,nineteen,EUR",
		"NO-SUCH-SKU,DE,19.00,EUR",
		string(s.skus[0]) + ",XX,19.00,EUR",
	}, "\n"))
	if p.Summary.Rows != 5 || p.Summary.Refused != 5 {
		t.Errorf("plan %+v, want all 5 rows refused", p.Summary)
	}
	ask[struct{}](t, s.api, http.StatusConflict, http.MethodPost, "/batches", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
	if sent := r.amazon.patches(t, s.account); len(sent) != 0 {
		t.Errorf("Amazon got %d price changes: %+v", len(sent), sent)
	}
	for _, sku := range s.skus {
		if shown := r.amazon.shows(t, s.account, de, sku); shown != firstPrice {
			t.Errorf("Amazon shows %s for %s, want the %s of before", shown, sku, firstPrice)
		}
	}
}
