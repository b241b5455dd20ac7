package plan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func TestTheFileComesBackWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	if _, err := w.Marked(t.Context(), acme, p.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	body, err := w.blobs.Get(t.Context(), acme, store.Files, "plans/"+p.ID+"/marked.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimPrefix(string(body), "\ufeff"), "\r\n")
	if len(lines) != 5 || lines[0] != "sku;preis;"+pricefile.MarkHeader || lines[1] != "A;9,00;" || lines[3] != "C;10,00;" ||
		!strings.HasPrefix(lines[2], "B;1,00;refused: sku: The seller account has no offer") {
		t.Errorf("got %q", lines)
	}
	// Planned again it leads to the same rows.
	again := w.small(t, func(in *plan.Input) { in.ID, in.Content = planID[:len(planID)-1]+"b", body })
	if again.Summary.Counts != p.Summary.Counts {
		t.Errorf("got %+v, want %+v", again.Summary.Counts, p.Summary.Counts)
	}
	_, err = w.Marked(t.Context(), other, p.ID, time.Minute)
	wantFault(t, err, fault.NotFound, "plan-not-found")
	if err := w.blobs.Delete(t.Context(), acme, store.Files, "plans/"+p.ID+"/file"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Marked(t.Context(), acme, p.ID, time.Minute)
	wantFault(t, err, fault.Gone, "plan-no-file")
}

// The content of a plan that a job made lies with the upload.
func TestTheFileOfAnUploadComesBackWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	k, in := manyRows(17_500) // more row files than are read at a time
	w := newWorld()
	w.begin(t, in)
	_, err := w.Marked(t.Context(), acme, planID, time.Minute)
	wantFault(t, err, fault.Conflict, "plan-no-file") // it is still being made
	w.finish(t, k)
	if _, err := w.Marked(t.Context(), acme, planID, time.Minute); err != nil {
		t.Fatal(err)
	}
	body, err := w.blobs.Get(t.Context(), acme, store.Files, "plans/"+planID+"/marked.csv")
	if err != nil {
		t.Fatal(err)
	}
	given, marked := strings.Split(string(in.Content), "\n"), strings.Split(strings.TrimPrefix(string(body), "\ufeff"), "\r\n")
	if len(marked) != len(given) || marked[0] != given[0]+";"+pricefile.MarkHeader {
		t.Fatalf("%d lines with %q, want %d", len(marked), marked[0], len(given))
	}
	wrong := 0
	for r := range build(t, in, k).Rows() {
		want := given[r.N] + ";"
		if r.Verdict == price.Refused || r.Verdict == price.Held {
			wrong++
			want += string(r.Verdict) + ": " + r.Findings[0].Column + ": " + r.Findings[0].Reason
		}
		if got := strings.ReplaceAll(marked[r.N], `"`, ""); !strings.HasPrefix(got, want) || want == given[r.N]+";" && got != want {
			t.Fatalf("line %d is %q, want %q", r.Line, got, want)
		}
	}
	if wrong < 100 {
		t.Errorf("only %d rows are wrong", wrong)
	}
	_, err = w.Marked(t.Context(), other, planID, time.Minute)
	wantFault(t, err, fault.NotFound, "plan-not-found")
	w.MostMarked = 17_499
	_, err = w.Marked(t.Context(), acme, planID, time.Minute)
	wantFault(t, err, fault.TooLarge, "plan-file-too-large")
	w.MostMarked, w.MostMarkedBytes = 0, len(body)-1
	_, err = w.Marked(t.Context(), acme, planID, time.Minute)
	wantFault(t, err, fault.TooLarge, "plan-file-too-large")
	w.MostMarkedBytes = len(body)
	if _, err := w.Marked(t.Context(), acme, planID, time.Minute); err != nil {
		t.Error(err)
	}
	w.MostMarkedBytes = 0
	if err := w.blobs.Put(t.Context(), acme, store.Files, upload, "text/csv", make([]byte, 32<<20+1)); err != nil {
		t.Fatal(err)
	}
	_, err = w.Marked(t.Context(), acme, planID, time.Minute)
	wantFault(t, err, fault.TooLarge, "plan-file-too-large")
	if err := w.blobs.Delete(t.Context(), acme, store.Files, upload); err != nil {
		t.Fatal(err)
	}
	_, err = w.Marked(t.Context(), acme, planID, time.Minute)
	wantFault(t, err, fault.Gone, "plan-no-file")
}

// What is wrong with a row that follows another is said in the line of that one.
func TestALineSaysWhatIsWrongInTheMarketplacesThatFollow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	links := fx.Default()
	links.Links = []fx.Link{{From: germany, To: france, Currency: "EUR"}}
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(france, "A", price.Prices{Our: eur(10000)}),
		offerIn(germany, "C", price.Prices{Our: eur(1000)}), offerIn(france, "C", price.Prices{Our: eur(1000)}))
	in := input("sku;preis\nA;9,00\nB;1,00\nC;9,00\n")
	in.Links = fx.NewSet(links, nil)
	if p, err := w.Create(t.Context(), in, k); err != nil || p.Summary.Rows != 6 {
		t.Fatalf("%+v, %v", p.Summary, err)
	}
	if _, err := w.Marked(t.Context(), acme, planID, time.Minute); err != nil {
		t.Fatal(err)
	}
	body, err := w.blobs.Get(t.Context(), acme, store.Files, "plans/"+planID+"/marked.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(body), "\r\n")
	for i, want := range []string{"A;9,00;" + string(france) + " refused: preis: price 9.00 EUR is -91.00 %", "B;1,00;refused: sku: The seller", "C;9,00;"} {
		if got := strings.ReplaceAll(lines[i+1], `"`, ""); !strings.HasPrefix(got, want) || i == 2 && got != want {
			t.Errorf("line %d is %q, want %q", i+2, got, want)
		}
	}
}

func TestAMappingIsRememberedForItsHeaderAndTenant(t *testing.T) {
	t.Parallel()
	w := newWorld()
	headers := []string{"Art.Nr", "VK", "EK"}
	fingerprint := pricefile.Fingerprint(headers)
	columns := pricefile.Mapping{pricefile.MeansSKU, pricefile.MeansPrice, ""}
	for name, tc := range map[string]struct {
		headers []string
		columns pricefile.Mapping
		typ     string
	}{
		"another header": {[]string{"Art.Nr", "VK", "Netto"}, columns, "mapping-header"}, "a column too few": {headers, columns[:2], "mapping-header"},
		"no price": {headers, pricefile.Mapping{pricefile.MeansSKU, "", ""}, "mapping"}, "no offer": {headers, pricefile.Mapping{"", pricefile.MeansPrice, ""}, "mapping"},
		"twice": {headers, pricefile.Mapping{pricefile.MeansSKU, pricefile.MeansPrice, pricefile.MeansPrice}, "mapping"}, "nonsense": {headers, pricefile.Mapping{"sku", "price", "vat"}, "mapping"},
	} {
		_, err := w.SetMapping(t.Context(), acme, "key:k1", fingerprint, tc.headers, tc.columns)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Type != tc.typ {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for range 2 { // the same again changes nothing
		if r, err := w.SetMapping(t.Context(), acme, "key:k1", fingerprint, headers, columns); err != nil || r.Revision != 1 {
			t.Fatalf("%+v %v", r, err)
		}
	}
	columns[1], columns[2] = columns[2], columns[1]
	if r, err := w.SetMapping(t.Context(), acme, "key:k1", fingerprint, headers, columns); err != nil || r.Revision != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	all, err := w.Mappings(t.Context(), acme)
	if err != nil || len(all) != 1 || !slices.Equal(all[fingerprint], columns) {
		t.Errorf("%v %v", all, err)
	}
	if theirs, err := w.Mappings(t.Context(), other); err != nil || len(theirs) != 0 {
		t.Errorf("%v %v", theirs, err)
	}
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}))
	in := input("Art.Nr;VK;EK\nA;1,00;9,00\n")
	in.Mappings = all
	p := build(t, in, k)
	if p.Summary.Planned != 1 || !p.Mapping.Remembered {
		t.Errorf("%+v", p.Summary)
	}
	if _, err := plan.Build(t.Context(), input("Art.Nr;VK;EK\nA;1,00;9,00\n"), k); err == nil {
		t.Error("the header is understood without a mapping")
	}
}

// products answers for two EANs.
type products struct {
	*known
	answers map[price.Ref][]price.SKU
}

func (p products) Resolve(_ context.Context, t tenant.ID, refs []price.RefKey) (map[price.RefKey][]price.OfferKey, error) {
	out := map[price.RefKey][]price.OfferKey{}
	for _, r := range refs {
		if t != acme || r.Connection != "conn_eu" {
			return nil, errors.New("asked for what is not there")
		}
		for _, sku := range p.answers[r.Ref] {
			if !slices.Contains(out[r], price.OfferKey{Connection: r.Connection, Marketplace: r.Marketplace, SKU: sku}) {
				out[r] = append(out[r], price.OfferKey{Connection: r.Connection, Marketplace: r.Marketplace, SKU: sku})
			}
		}
	}
	return out, nil
}

func TestRowsThatNameAProductAreAboutItsOnlyOffer(t *testing.T) {
	t.Parallel()
	a := offerIn(germany, "A", price.Prices{Our: eur(1000)})
	a.GTIN, a.ASIN = "04006381333931", "B0AAAAAAAA"
	k := products{shop(a), map[price.Ref][]price.SKU{
		{Kind: price.ByEAN, Value: "04006381333931"}: {"A"}, {Kind: price.ByEAN, Value: "00036000291452"}: {"B", "C"},
	}}
	rows := func(content string) (out []string) {
		t.Helper()
		p, err := plan.Build(t.Context(), input(content), k)
		if err != nil {
			t.Fatal(err)
		}
		for r := range p.Rows() {
			out = append(out, brief(r))
		}
		return out
	}
	want := []string{
		"2 A1PA6795UKMFR9 A allowed price 9.00 EUR -10.00% risk 2.00 EUR",
		"3 A1PA6795UKMFR9  refused [ambiguous-product ean=036000291452]",
		"4 A1PA6795UKMFR9  refused [unknown-product ean=9780306406157]",
	}
	if got := rows("ean;preis\n4006381333931;9,00\n036000291452;9,00\n9780306406157;9,00\n"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	want = []string{
		"2 A1PA6795UKMFR9 A refused [product-mismatch asin=B0BBBBBBBB]",
	}
	if got := rows("sku;asin;preis\nA;B0BBBBBBBB;9,00\n"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if _, err := plan.Build(t.Context(), input("ean;preis\n4006381333931;9,00\n"), k.known); err == nil {
		t.Error("a look-up that cannot find products made a plan of them")
	}
}
