package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/tenant"
)

var update = flag.Bool("update", false, "write the golden plans instead of comparing; read them before they are committed")

// golden is what becomes of a file: a refusal of the whole, or a plan.
type golden struct {
	Refused *goldenFault      `json:"refused,omitempty"`
	Mapping *pricefile.Layout `json:"mapping,omitempty"`
	Counts  *plan.Counts      `json:"counts,omitempty"`
	Rows    []goldenRow       `json:"rows,omitempty"`
}

type goldenFault struct {
	Type    string         `json:"type"`
	Text    string         `json:"text"`
	Members map[string]any `json:"members,omitempty"`
}

type goldenRow struct {
	Row      int            `json:"row"`
	SKU      price.SKU      `json:"sku"`
	Verdict  price.Verdict  `json:"verdict"`
	Changes  string         `json:"changes,omitempty"`
	Findings []plan.Finding `json:"findings,omitempty"`
}

var corpusNow = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// shelf is the catalogue as known offers, with one product under two SKUs.
type shelf map[price.OfferKey]price.Offer

func newShelf() shelf {
	out := shelf{}
	for _, m := range []price.MarketplaceID{germany, france, usa} {
		for i := range perMarketplace {
			s := stockOf(m, i)
			k := price.OfferKey{Connection: "conn_" + price.ConnectionID(s.seller), Marketplace: m, SKU: s.sku}
			o := price.Offer{Key: k, ASIN: s.asin, GTIN: "0" + gtin(i), Automated: s.automated, Version: 1, ReadAt: corpusNow.Add(-time.Hour), Known: pricesOf(s.offer())}
			units := int64(i * 29 % 120)
			o.Quantity = &units
			out[k] = o
			if i == 2 {
				o.Key.SKU += "-USED"
				out[o.Key] = o
			}
		}
	}
	return out
}

func pricesOf(o Offer) price.Prices {
	money := func(s string) *price.Money {
		if s == "" {
			return nil
		}
		m, err := price.ParseMoney(s, o.Currency)
		if err != nil {
			panic(err)
		}
		return &m
	}
	p := price.Prices{Our: money(o.Our), Min: money(o.Min), Max: money(o.Max), B2B: money(o.B2B)}
	if o.Sale != nil {
		start, err1 := time.Parse(time.RFC3339, o.Sale.Start)
		end, err2 := time.Parse(time.RFC3339, o.Sale.End)
		if err1 != nil || err2 != nil {
			panic(o.Sale)
		}
		p.Sale = &price.Sale{Price: *money(o.Sale.Price), Start: start, End: end}
	}
	for _, t := range o.Tiers {
		p.Tiers = append(p.Tiers, price.Tier{Quantity: t.Quantity, Price: *money(t.Price)})
	}
	return p
}

func (s shelf) Offers(_ context.Context, _ tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	out := map[price.OfferKey]price.Offer{}
	for _, k := range keys {
		if o, ok := s[k]; ok {
			out[k] = o
		}
	}
	return out, nil
}

func (s shelf) Resolve(_ context.Context, _ tenant.ID, refs []price.RefKey) (map[price.RefKey][]price.OfferKey, error) {
	out := map[price.RefKey][]price.OfferKey{}
	for _, r := range refs {
		if _, done := out[r]; done {
			continue
		}
		for i := range perMarketplace {
			for _, suffix := range []price.SKU{"", "-USED"} {
				k := price.OfferKey{Connection: r.Connection, Marketplace: r.Marketplace, SKU: stockOf(r.Marketplace, i).sku + suffix}
				o, ok := s[k]
				if ok && (r.Kind == price.ByASIN && o.ASIN == r.Value || r.Kind == price.ByEAN && o.GTIN == r.Value) {
					out[r] = append(out[r], k)
				}
			}
		}
	}
	return out, nil
}

var (
	_ plan.Lookup   = shelf{}
	_ plan.Resolver = shelf{}
)

func planOf(t *testing.T, s specimen, known shelf) golden {
	t.Helper()
	in := plan.Input{
		ID: "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa", Tenant: "t_corpus0001", Actor: "key:k", File: s.name, Content: s.body,
		Marketplace: s.market, Policy: plan.SkipBadRows, Guards: guard.NewSet(guard.Default(), nil), Breaker: guard.Default().Breaker, Now: corpusNow,
		Connections: map[price.MarketplaceID]price.ConnectionID{germany: "conn_" + sellerEU, france: "conn_" + sellerEU, usa: "conn_" + sellerNA},
	}
	if s.remembered != nil {
		in.Mappings = pricefile.Mappings{pricefile.Fingerprint([]string{"Art.Nr", "VK neu", "VK alt"}): s.remembered}
	}
	p, err := plan.Build(t.Context(), in, known)
	var f *fault.Fault
	if errors.As(err, &f) {
		return golden{Refused: &goldenFault{f.Type, f.Public, f.Extra}}
	}
	if err != nil {
		t.Fatal(err)
	}
	out := golden{Mapping: &p.Mapping, Counts: &p.Summary.Counts}
	for r := range p.Rows() {
		g := goldenRow{Row: r.Line, SKU: r.Key.SKU, Verdict: r.Verdict, Findings: r.Findings}
		if touched := r.Edit.Touched(); len(touched) > 0 {
			g.Changes = r.Old.Summary(touched) + " -> " + r.Edit.Set.Summary(touched)
		}
		out.Rows = append(out.Rows, g)
	}
	return out
}

// Every file of the corpus leads to its golden plan, whose every refusal names
// row, column, value, reason and what to do.
func TestTheCorpusLeadsToItsGoldenPlans(t *testing.T) {
	t.Parallel()
	known := newShelf()
	seen := map[string]bool{}
	for _, s := range corpus() {
		if seen[s.name] {
			t.Fatalf("two files are called %s", s.name)
		}
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			got := planOf(t, s, known)
			for _, r := range got.Rows {
				for _, f := range r.Findings {
					if r.Row == 0 || f.Code == "" || f.Reason == "" || f.Fix == "" {
						t.Errorf("row %d: %+v is not explained", r.Row, f)
					}
				}
				if (r.Verdict == price.Refused || r.Verdict == price.Held) && len(r.Findings) == 0 {
					t.Errorf("row %d is %s without a reason", r.Row, r.Verdict)
				}
			}
			compareGolden(t, s.name, got)
		})
	}
	if len(seen) < 40 {
		t.Errorf("the corpus has %d files", len(seen))
	}
	files, err := filepath.Glob("../corpus/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !seen[name] {
			t.Errorf("%s is the plan of no file", f)
		}
	}
}

func compareGolden(t *testing.T, name string, got golden) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("../corpus/golden", name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("not the golden plan (run with -update and read what changed):\n%s", diff)
	}
}
