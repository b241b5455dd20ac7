package fakeamazon_test

import (
	"compress/gzip"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func (w *world) createReport() string {
	w.t.Helper()
	got := w.call("POST", "/eu/reports/2021-06-30/reports", fmt.Sprintf(`{"reportType":"GET_MERCHANT_LISTINGS_ALL_DATA","marketplaceIds":[%q]}`, de))
	if got.Code != 202 {
		w.t.Fatalf("createReport: %d %s", got.Code, got.Body)
	}
	return got.json(w.t)["reportId"].(string)
}

func (w *world) report(id string) map[string]any {
	w.t.Helper()
	return w.call("GET", "/eu/reports/2021-06-30/reports/"+id, "").json(w.t)
}

// document returns the link and the content of a done report.
func (w *world) document(id string) (link, content string) {
	w.t.Helper()
	doc := w.call("GET", "/eu/reports/2021-06-30/documents/"+w.report(id)["reportDocumentId"].(string), "").json(w.t)
	got := w.do(httptest.NewRequest("GET", doc["url"].(string), nil))
	if got.Code != 200 {
		w.t.Fatalf("document: %d %s", got.Code, got.Body)
	}
	if doc["compressionAlgorithm"] != "GZIP" {
		return doc["url"].(string), got.Body.String()
	}
	zip, err := gzip.NewReader(got.Body)
	w.must(err)
	return doc["url"].(string), readAll(w.t, zip)
}

func TestReportGoesThroughItsStatesToADocument(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		w := newWorld(t, func(c *fakeamazon.Config) {
			c.Reports = fakeamazon.ReportConfig{Delay: fakeamazon.Delay{Min: 30 * time.Second, Max: 30 * time.Second}, Plain: plain}
		})
		w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{
			{Marketplace: de, SKU: "A/+,#ü", Price: "0.10", Title: "Tab\there", ProductID: "4006381333931", Channel: "AMAZON_EU", Condition: "used_good"},
			{Marketplace: de, SKU: "unpriced"},
		}))
		id := w.createReport()
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{0, "IN_QUEUE"}, {10 * time.Second, "IN_PROGRESS"}, {19 * time.Second, "IN_PROGRESS"}, {time.Second, "DONE"}} {
			w.clock.Advance(step.after)
			if got := w.report(id)["processingStatus"]; got != step.want {
				t.Fatalf("after %v more: %v, want %s", step.after, got, step.want)
			}
		}
		link, content := w.document(id)
		lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
		header := strings.Split(lines[0], "\t")
		if len(lines) != 4 || len(header) != 29 || header[3] != "seller-sku" || header[28] != "status" {
			t.Fatalf("%q", lines)
		}
		row := map[string]string{}
		for i, v := range strings.Split(lines[1], "\t") {
			row[header[i]] = v
		}
		for column, want := range map[string]string{"seller-sku": "A/+,#ü", "price": "0.10", "item-name": "Tab here", "product-id": "4006381333931",
			"product-id-type": "4", "item-condition": "3", "fulfillment-channel": "AMAZON_EU", "quantity": "", "status": "Active"} {
			if row[column] != want {
				t.Errorf("%s is %q, want %q", column, row[column], want)
			}
		}
		if !strings.Contains(lines[2], "\tS1\t19.99\t5\t") || !strings.HasSuffix(lines[3], "\tInactive") {
			t.Errorf("%q", lines[2:])
		}
		w.clock.Advance(5 * time.Minute)
		if got := w.do(httptest.NewRequest("GET", link, nil)); got.Code != 200 {
			t.Errorf("within five minutes: %d", got.Code)
		}
		w.clock.Advance(time.Second)
		if got := w.do(httptest.NewRequest("GET", link, nil)); got.Code != 403 || !strings.Contains(got.Body.String(), "expired") {
			t.Errorf("after five minutes: %d %s", got.Code, got.Body)
		}
		if got := w.do(httptest.NewRequest("GET", strings.Replace(link, "X-Amz-Date=2026", "X-Amz-Date=2027", 1), nil)); got.Code != 403 {
			t.Errorf("a forged link: %d", got.Code)
		}
		w.clean()
	}
}

func TestTokenSentToADocumentLinkIsAViolation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest("GET", "/documents/x", nil)
	r.Header.Set("x-amz-access-token", w.token)
	w.do(r)
	w.clean("protocol")
}

func TestReportOfAnotherSellerIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.createReport()
	w.clock.Advance(time.Minute)
	document := w.report(id)["reportDocumentId"].(string)
	w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2BOB", Region: price.EU, Marketplaces: []price.MarketplaceID{de}}))
	w.token = w.authorize(price.EU, "A2BOB")
	for _, path := range []string{"/reports/" + id, "/documents/" + document} {
		if got := w.call("GET", "/eu/reports/2021-06-30"+path, ""); got.Code != 404 {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	// And an empty catalogue has no report.
	bobs := w.createReport()
	w.clock.Advance(time.Minute)
	if got := w.report(bobs)["processingStatus"]; got != "CANCELLED" {
		t.Errorf("report without data: %v", got)
	}
}

func TestReportCanBeCancelledInTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.createReport(), w.createReport()
	if got := w.call("DELETE", "/eu/reports/2021-06-30/reports/"+first, ""); got.Code != 200 || got.Body.Len() != 0 {
		t.Errorf("cancel: %d %s", got.Code, got.Body)
	}
	if got := w.report(first)["processingStatus"]; got != "CANCELLED" {
		t.Errorf("cancelled report: %v", got)
	}
	w.clock.Advance(time.Minute)
	if got := w.call("DELETE", "/eu/reports/2021-06-30/reports/"+second, ""); got.Code != 400 {
		t.Errorf("cancelling a done report: %d", got.Code)
	}
	for _, bad := range []string{`{"reportType":"GET_ORDERS","marketplaceIds":["` + string(de) + `"]}`,
		`{"reportType":"GET_MERCHANT_LISTINGS_ALL_DATA","marketplaceIds":["` + string(us) + `"]}`} {
		if got := w.call("POST", "/eu/reports/2021-06-30/reports", bad); got.Code != 400 {
			t.Errorf("%s: %d", bad, got.Code)
		}
	}
	w.clean()
}

func TestReportSeedsAFake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "x", Price: "0.10", Quantity: new(int64(0))}}))
	id := w.createReport()
	w.clock.Advance(time.Minute)
	_, content := w.document(id)

	other := newWorld(t)
	n, err := other.fake.LoadReport(strings.NewReader("\ufeff"+strings.ReplaceAll(content, "\n", "\r\n")), fakeamazon.ReportSeed{Region: price.EU, Seller: alice, Marketplace: gb, Fill: true})
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if l := other.listing(gb, "S1"); l.Price != "19.99" || l.Min != "15.99" || l.Max != "29.98" || *l.Quantity != 5 || l.ASIN != "B000000001" {
		t.Errorf("%+v", l)
	}
	if l := other.listing(gb, "x"); l.Price != "0.10" || l.Min != "0.08" || *l.Quantity != 0 {
		t.Errorf("%+v", l)
	}
	// A column can name the marketplace, and nothing is filled unasked.
	const byColumn = "seller-sku\tprice\tmarketplace\nq\t7.00\tFR\n"
	if _, err := other.fake.LoadReport(strings.NewReader(byColumn), fakeamazon.ReportSeed{Region: price.EU, Seller: alice}); err != nil {
		t.Fatal(err)
	}
	if l := other.listing(fr, "q"); l.Price != "7.00" || l.Min != "" || l.Max != "" || l.B2B != "" {
		t.Errorf("%+v", l)
	}
	for name, bad := range map[string]string{
		"no header": "", "no price column": "seller-sku\nq\n", "price": "seller-sku\tprice\nq\t7,00\n",
		"decimals": "seller-sku\tprice\nq\t7.001\n", "quantity": "seller-sku\tprice\tquantity\nq\t7\tmany\n", "encoding": "seller-sku\tprice\n\xff\t7\n", "no SKU": "seller-sku\tprice\n\t7\n",
	} {
		if _, err := other.fake.LoadReport(strings.NewReader(bad), fakeamazon.ReportSeed{Region: price.EU, Seller: alice, Marketplace: de}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
