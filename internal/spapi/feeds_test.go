package spapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

func TestAFeedIsWrittenAsAmazonWantsIt(t *testing.T) {
	t.Parallel()
	got, err := buildFeed("A2SELLER", []price.MarketplaceID{germany}, []amazon.Patch{patchOf("a/b"), {
		Marketplace: germany, SKU: "c", ProductType: "SHOES", Edit: price.Edit{Clear: []price.Field{price.FieldSale}}}})
	if err != nil {
		t.Fatal(err)
	}
	const value = `"op":"merge","path":"/attributes/purchasable_offer","value":[{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"ALL",`
	const want = `{"header":{"sellerId":"A2SELLER","version":"2.0","issueLocale":"en_US"},"messages":[` +
		`{"messageId":1,"sku":"a/b","operationType":"PATCH","productType":"PRODUCT","patches":[{` + value + `"our_price":[{"schedule":[{"value_with_tax":19.90}]}]}]}]},` +
		`{"messageId":2,"sku":"c","operationType":"PATCH","productType":"SHOES","patches":[{` + value + `"discounted_price":null}]}]}]}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestAnyFeedThatIsBuiltKeepsToTheSchema(t *testing.T) {
	t.Parallel()
	spec, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		skus := rapid.SliceOfNDistinct(rapid.StringN(1, 40, -1), 1, 20, rapid.ID).Draw(t, "skus")
		patches := make([]amazon.Patch, len(skus))
		for i, sku := range skus {
			m := price.FromMinor(rapid.Int64Range(1, 1<<50).Draw(t, "minor"), "EUR")
			patches[i] = amazon.Patch{Marketplace: germany, SKU: price.SKU(sku), Edit: price.Edit{Set: price.Prices{Our: &m, B2B: &m}}}
		}
		content, err := buildFeed("A2SELLER", []price.MarketplaceID{germany}, patches)
		if err != nil {
			t.Fatal(err)
		}
		if err := spec.CheckDocument(contract.DocumentFeed, content); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFeedThatCanNeverWorkIsNotSent(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL.Path) })
	de := []price.MarketplaceID{germany}
	for name, tc := range map[string]struct {
		marketplaces []price.MarketplaceID
		patches      []amazon.Patch
	}{
		"nothing":             {de, nil},
		"SKU twice":           {de, []amazon.Patch{patchOf("a"), patchOf("b"), patchOf("a")}},
		"no SKU":              {de, []amazon.Patch{patchOf("")}},
		"SKU that is no text": {de, []amazon.Patch{patchOf("\xff")}},
		"other marketplace":   {[]price.MarketplaceID{japan}, []amazon.Patch{patchOf("a")}},
		"no marketplace":      {nil, []amazon.Patch{patchOf("a")}},
		"patch that is none":  {de, []amazon.Patch{patchOf("a"), {Marketplace: germany, SKU: "b"}}},
	} {
		_, err := NewFeeds(c).Submit(t.Context(), account, tc.marketplaces, tc.patches)
		if e := asError(t, err); e.Reached || amazon.Classify(err) != amazon.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFeedIsUploadedToAmazonOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://evil.test/x?X-Amz-Signature=hidden", "http://169.254.169.254/latest", "https://b.s3.amazonaws.com:22/x"} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/feeds/2021-06-30/documents" {
				t.Errorf("asked %s", r.URL.Path)
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"feedDocumentId":"d","url":%q}`, address)
		})
		_, err := NewFeeds(c).Submit(t.Context(), account, []price.MarketplaceID{germany}, []amazon.Patch{patchOf("a")})
		if e := asError(t, err); e.Reached || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOnlyDocumentsTravelToStorage(t *testing.T) {
	t.Parallel()
	c := client(t, "http://amazon.test", token("x"))
	const at = "https://b.s3.amazonaws.com/x"
	for name, tc := range map[string]struct {
		method, address, header string
		ok                      bool
	}{
		"read":         {http.MethodGet, at, "", true},
		"write":        {http.MethodPut, at, "", true},
		"remove":       {http.MethodDelete, at, "", false},
		"post":         {http.MethodPost, at, "", false},
		"token":        {http.MethodGet, at, "X-Amz-Access-Token", false},
		"credential":   {http.MethodPut, at, "Authorization", false},
		"another host": {http.MethodGet, "https://evil.test/x", "", false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tc.method, tc.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.header != "" {
			r.Header.Set(tc.header, "secret")
		}
		if err := c.permittedDocument(r); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const goodReport = `{"header":{"sellerId":"A2SELLER","version":"2.0","feedId":"f"},` +
	`"issues":[{"messageId":2,"sku":"b","code":"1","severity":"ERROR","message":"bad","attributeName":"purchasable_offer"},{"messageId":1,"severity":"WARNING","message":"hm"},{"messageId":2,"severity":"INFO","message":"so"}],` +
	`"summary":{"errors":1,"warnings":1,"messagesProcessed":3,"messagesAccepted":2,"messagesInvalid":1},"items":[{"sku":"b","attributes":{"a":[[{"x":1}]]}}]}`

// report serves a processing report and returns its outcomes.
func report(t *testing.T, compression string, content []byte, messages int) ([]amazon.FeedOutcome, error) {
	t.Helper()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/storage" {
			_, _ = w.Write(content)
			return
		}
		fmt.Fprintf(w, `{"feedDocumentId":"d","url":"http://%s/storage","compressionAlgorithm":%q}`, r.Host, compression)
	})
	var out []amazon.FeedOutcome
	err := NewFeeds(c).Result(t.Context(), account, amazon.FeedReport{Feed: "f", Document: "d", Messages: messages},
		func(o amazon.FeedOutcome) error { out = append(out, o); return nil })
	return out, err
}

func TestAReportIsReadWhateverTheOrderOfItsParts(t *testing.T) {
	t.Parallel()
	want := []amazon.FeedOutcome{
		{Index: 0, Status: amazon.Accepted, Issues: []amazon.Issue{{Severity: "WARNING", Message: "hm"}}},
		{Index: 1, Status: amazon.Invalid, Issues: []amazon.Issue{{Code: "1", Severity: "ERROR", Message: "bad", Attributes: []string{"purchasable_offer"}}, {Severity: "INFO", Message: "so"}}},
		{Index: 2, Status: amazon.Accepted},
	}
	header, rest, _ := strings.Cut(goodReport[1:], `,"issues"`)
	turned := `{"unheard":"of","issues"` + rest[:len(rest)-1] + "," + header + "}"
	for _, text := range []string{goodReport, turned, strings.Replace(goodReport, `"issues":`, "\n \"issues\" : ", 1)} {
		got, err := report(t, "GZIP", zipped(t, text), 3)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v\n%s", err, cmp.Diff(want, got))
		}
	}
}

func TestAReportThatIsNotWholeTellsNothing(t *testing.T) {
	t.Parallel()
	for cut := range len(goodReport) {
		if _, err := readFeedReport(strings.NewReader(goodReport[:cut])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	if out, err := report(t, "", []byte(goodReport[:len(goodReport)-1]), 3); amazon.Classify(err) != amazon.Retry || len(out) > 0 {
		t.Errorf("without its last byte: %d outcomes, %v", len(out), err)
	}
	whole := zipped(t, goodReport)
	for _, cut := range []int{1, 8, len(whole) / 2} {
		if out, err := report(t, "GZIP", whole[:len(whole)-cut], 3); !errors.Is(err, io.ErrUnexpectedEOF) || len(out) > 0 {
			t.Errorf("gzip without its last %d bytes: %d outcomes, %v", cut, len(out), err)
		}
	}
	for name, text := range map[string]string{
		"another seller":  strings.Replace(goodReport, "A2SELLER", "A2OTHER", 1),
		"another feed":    strings.Replace(goodReport, `"feedId":"f"`, `"feedId":"g"`, 1),
		"no header":       `{"issues":[],"summary":{"messagesProcessed":3,"messagesAccepted":3}}`,
		"two reports":     goodReport + goodReport,
		"an array":        "[" + goodReport + "]",
		"wrong types":     strings.Replace(goodReport, `"messageId":2`, `"messageId":"2"`, 1),
		"too many issues": strings.Replace(goodReport, `"issues":[`, `"issues":[`+strings.Repeat(`{},`, maxFeedIssues), 1),
	} {
		if out, err := report(t, "", []byte(text), 3); amazon.Classify(err) != amazon.Retry || len(out) > 0 {
			t.Errorf("%s: %d outcomes, %v", name, len(out), err)
		}
	}
}

// "Accepted" is a conclusion from silence, so anything odd in the sums undoes it.
func TestSilenceIsAcceptanceOnlyWhenTheSumsAgree(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"fewer processed":          strings.Replace(goodReport, `Processed":3`, `Processed":2`, 1),
		"fewer accepted":           strings.Replace(goodReport, `Accepted":2`, `Accepted":1`, 1),
		"more invalid than listed": strings.Replace(strings.Replace(goodReport, `Accepted":2`, `Accepted":1`, 1), `Invalid":1`, `Invalid":2`, 1),
		"no summary":               strings.Replace(goodReport, `"summary"`, `"summery"`, 1),
		"error of the whole feed":  strings.Replace(goodReport, `"issues":[`, `"issues":[{"severity":"ERROR","message":"all"},`, 1),
		"error of message 4 of 3":  strings.Replace(goodReport, `"messageId":2,"sku"`, `"messageId":4,"sku"`, 1),
	} {
		out, err := report(t, "", []byte(text), 3)
		if err != nil || len(out) != 3 {
			t.Fatalf("%s: %d outcomes, %v", name, len(out), err)
		}
		for _, o := range out {
			if o.Status == amazon.Accepted {
				t.Errorf("%s: patch %d is called accepted", name, o.Index)
			}
		}
	}
}

func FuzzAReportNeverCrashesTheReader(f *testing.F) {
	f.Add(goodReport)
	f.Add(`{"issues":[{}],"items":{"a":[1,"x",null]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readFeedReport(strings.NewReader(text))
		if (r == nil) == (err == nil) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
