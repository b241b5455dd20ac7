package plan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

const (
	acme    = tenant.ID("t_acmeacme")
	other   = tenant.ID("t_otherother")
	germany = price.MarketplaceID("A1PA6795UKMFR9")
	france  = price.MarketplaceID("A13V1IB3VIYZZH")
	usa     = price.MarketplaceID("ATVPDKIKX0DER")
	planID  = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// known is a look-up in memory. It also checks what it is asked.
type known struct {
	offers map[price.OfferKey]price.Offer
	err    error
}

var _ plan.Lookup = (*known)(nil)

func (k *known) Offers(_ context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	if t != acme || len(keys) == 0 || len(keys) > 1000 {
		return nil, fmt.Errorf("asked for %d offers of %s", len(keys), t)
	}
	out := map[price.OfferKey]price.Offer{}
	for _, key := range keys {
		if o, ok := k.offers[key]; ok {
			out[key] = o
		}
	}
	return out, k.err
}

// apply does to the offers what the lanes would.
func (k *known) apply(p *plan.Plan) {
	for r := range p.Rows() {
		if r.Verdict == price.Allowed {
			o := k.offers[r.Key]
			o.Known = r.Edit.Apply(o.Known)
			o.Version++
			k.offers[r.Key] = o
		}
	}
}

func eur(minor int64) *price.Money {
	m := price.FromMinor(minor, "EUR")
	return &m
}

func offerIn(m price.MarketplaceID, sku price.SKU, p price.Prices) price.Offer {
	two := int64(2)
	return price.Offer{Key: price.OfferKey{Connection: "conn_eu", Marketplace: m, SKU: sku}, Quantity: &two, Known: p, ReadAt: now, Version: 4}
}

func shop(offers ...price.Offer) *known {
	k := &known{offers: map[price.OfferKey]price.Offer{}}
	for _, o := range offers {
		k.offers[o.Key] = o
	}
	return k
}

func input(content string) plan.Input {
	return plan.Input{
		ID: planID, Tenant: acme, Actor: "key:k1", File: "prices.csv", Content: []byte(content), Marketplace: germany,
		Policy: plan.SkipBadRows, Guards: price.DefaultGuards(), Now: now,
		Connections: map[price.MarketplaceID]price.ConnectionID{germany: "conn_eu", france: "conn_eu"},
	}
}

func build(t *testing.T, in plan.Input, k *known) *plan.Plan {
	t.Helper()
	p, err := plan.Build(t.Context(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// brief is a row on one line, for comparing.
func brief(r plan.Row) string {
	s := fmt.Sprintf("%d %s %s %s", r.Line, r.Key.Marketplace, r.Key.SKU, r.Verdict)
	if len(r.Edit.Touched()) > 0 {
		s += " " + r.Edit.Set.Summary(r.Edit.Touched())
	}
	if r.ChangePercent != "" {
		s += " " + r.ChangePercent + "%"
	}
	if r.AtRisk != nil {
		s += " risk " + r.AtRisk.String()
	}
	for _, f := range r.Findings {
		s += fmt.Sprintf(" [%s %s=%s]", f.Code, f.Column, f.Value)
	}
	return s
}

func TestEveryRowEndsInOneVerdictWithItsReason(t *testing.T) {
	t.Parallel()
	never := offerIn(germany, "never", price.Prices{})
	never.ReadAt = time.Time{}
	k := shop(
		offerIn(germany, "A", price.Prices{Our: eur(1000), Min: eur(500)}),
		offerIn(germany, "B", price.Prices{Our: eur(1000)}),
		offerIn(france, "A", price.Prices{Our: eur(2000)}),
		never,
	)
	p := build(t, input("sku;land;preis;mindestpreis;währung\n"+
		"A;;9,00;5,00;\n"+ // planned; the minimum is as it was
		"B;;10,00;;\n"+ // unchanged
		"A;FR;30,00;;\n"+ // held
		"C;;5,00;;\n"+ // unknown
		"A;US;5,00;;\n"+ // no connection
		"B;FR;-1;;USD\n"+ // two mistakes in the row
		"B;DE;10;;\n"+ // says what line 3 says
		"never;;7,00;;\n"+
		"A;ES;;;\n"), k)
	want := []string{
		"2 A1PA6795UKMFR9 A allowed price 9.00 EUR -10.00% risk 2.00 EUR",
		"3 A1PA6795UKMFR9 B unchanged",
		"4 A13V1IB3VIYZZH A held price 30.00 EUR 50.00% [large-move preis=30.00 EUR]",
		"5 A1PA6795UKMFR9 C refused [unknown-sku sku=C]",
		"6 ATVPDKIKX0DER A refused [no-connection land=ATVPDKIKX0DER]",
		"7 A13V1IB3VIYZZH B refused [currency-mismatch währung=USD] [not-positive preis=-1]",
		"8 A1PA6795UKMFR9 B unchanged [repeated-row sku=B]",
		"9 A1PA6795UKMFR9 never held price 7.00 EUR [never-read =]",
		"10 A1RKKUPIHCS9HS A refused [blank-price preis=]",
	}
	var got []string
	for r := range p.Rows() {
		got = append(got, brief(r))
		if r.N != int64(len(got)) {
			t.Errorf("row %d is numbered %d", len(got), r.N)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	summary := plan.Summary{
		Counts: plan.Counts{Rows: 9, Planned: 1, Held: 2, Refused: 4, Unchanged: 2},
		AtRisk: []price.Money{*eur(200)},
		Marketplaces: []plan.MarketplaceCounts{
			{Marketplace: france, Counts: plan.Counts{Rows: 2, Held: 1, Refused: 1}},
			{Marketplace: germany, Counts: plan.Counts{Rows: 5, Planned: 1, Held: 1, Refused: 1, Unchanged: 2}},
			{Marketplace: "A1RKKUPIHCS9HS", Counts: plan.Counts{Rows: 1, Refused: 1}},
			{Marketplace: usa, Counts: plan.Counts{Rows: 1, Refused: 1}},
		},
		ETASeconds: 1 + 600,
	}
	if diff := cmp.Diff(summary, p.Summary, cmp.Comparer(func(a, b price.Money) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestAPlanShowsOnlyTheFieldsThatChange(t *testing.T) {
	t.Parallel()
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000), Min: eur(500), Max: eur(2000)}))
	p := build(t, input("sku;preis;mindestpreis;höchstpreis;b2b-preis\nA;10,00;6,00;20,00;9,50\n"), k)
	for r := range p.Rows() {
		want := []plan.FieldChange{{Field: price.FieldMin, Old: *eur(500), New: *eur(600)}, {Field: price.FieldB2B, Old: nil, New: *eur(950)}}
		if diff := cmp.Diff(want, r.Changes(), cmp.Comparer(func(a, b price.Money) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		if r.Version != 4 || r.ChangePercent != "" {
			t.Errorf("version %d, change %q", r.Version, r.ChangePercent)
		}
	}
}

func TestAPlanThatCannotBeAppliedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(germany, "B", price.Prices{Our: eur(1000)}))
	for _, tc := range []struct {
		rows    string
		policy  plan.Policy
		blocked string
	}{
		{"A;9,00\nB;10,00\n", plan.AllOrNothing, ""},
		{"A;9,00\nB;5,00\n", plan.AllOrNothing, "All or nothing was asked for, and 0 rows are refused and 1 held. Have the plan released, or correct them and plan again, or plan with skip-bad-rows."},
		{"A;5,00\nC;10,00\n", plan.AllOrNothing, "All or nothing was asked for, and 1 rows are refused and 1 held. Correct them and plan again, or plan with skip-bad-rows."},
		{"A;9,00\nC;10,00\n", plan.SkipBadRows, ""},
		{"A;5,00\nB;6,00\nC;9,00\n", plan.SkipBadRows, "No row of this plan may be sent: 1 are refused and 2 held. Have those that are held released, or correct them and plan again."},
		{"A;10,00\nC;9,00\n", plan.SkipBadRows, "No row of this plan may be sent: 1 are refused and 0 held. Correct them and plan again."},
		{"A;10,00\n", plan.SkipBadRows, "No row of this plan changes a price, so there is nothing to apply."},
	} {
		in := input("sku;preis\n" + tc.rows)
		in.Policy = tc.policy
		if p := build(t, in, k); p.Blocked != tc.blocked {
			t.Errorf("%q under %s: blocked %q, want %q", tc.rows, tc.policy, p.Blocked, tc.blocked)
		}
	}
}

func TestTheTimeToExpectIsThatOfTheSlowestConnection(t *testing.T) {
	t.Parallel()
	k := shop()
	var file strings.Builder
	file.WriteString("sku;land;preis\n")
	for i := range 13 {
		sku := price.SKU(fmt.Sprint("S", i))
		o := offerIn(germany, sku, price.Prices{Our: eur(1000)})
		k.offers[o.Key] = o
		fmt.Fprintf(&file, "%s;DE;9,00\n", sku)
		if i < 6 {
			o := offerIn(usa, sku, price.Prices{Our: eur(1000)})
			o.Key.Connection = "conn_na"
			usd := price.FromMinor(1000, "USD")
			o.Known.Our = &usd
			k.offers[o.Key] = o
			fmt.Fprintf(&file, "%s;US;9,00\n", sku)
		}
	}
	in := input(file.String())
	in.Connections[usa], in.Visibility = "conn_na", 90*time.Second
	p := build(t, in, k)
	if p.Summary.ETASeconds != 3+90 { // 13 rows at 5 a second; the 6 beside them take no extra time
		t.Errorf("got %d s", p.Summary.ETASeconds)
	}
	if len(p.Lanes) != 2 || p.Lanes[0].Planned != 13 || p.Lanes[1].Planned != 6 {
		t.Errorf("lanes %+v", p.Lanes)
	}
}

func TestThePlanTokenStandsForEverythingShown(t *testing.T) {
	t.Parallel()
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}))
	base := input("sku;preis\nA;9,00\n")
	token := build(t, base, k).Token
	if again := build(t, base, k).Token; again != token {
		t.Errorf("the same plan has tokens %s and %s", token, again)
	}
	for name, change := range map[string]func(*plan.Input){
		"a price":  func(in *plan.Input) { in.Content = []byte("sku;preis\nA;9,01\n") },
		"a guard":  func(in *plan.Input) { g := price.DefaultGuards(); g.HoldRisePercent++; in.Guards = g },
		"a policy": func(in *plan.Input) { in.Policy = plan.AllOrNothing },
		"the time": func(in *plan.Input) { in.Now = now.Add(time.Second) },
		"the id":   func(in *plan.Input) { in.ID = "plan_" + strings.Repeat("b", 26) },
	} {
		in := base
		change(&in)
		if build(t, in, k).Token == token {
			t.Errorf("changing %s leaves the token", name)
		}
	}
	o := k.offers[price.OfferKey{Connection: "conn_eu", Marketplace: germany, SKU: "A"}]
	o.Version++
	if build(t, base, shop(o)).Token == token {
		t.Error("planning on another version of the offer leaves the token")
	}
}

func TestBadInputIsRefusedBeforeAnythingIsLookedUp(t *testing.T) {
	t.Parallel()
	fails := &known{err: errors.New("look-up broke")}
	for name, tc := range map[string]struct {
		change func(*plan.Input)
		kind   fault.Kind
	}{
		"file":    {func(in *plan.Input) { in.Content = []byte("%PDF-1.7\n\x00") }, fault.Unsupported},
		"policy":  {func(in *plan.Input) { in.Policy = "some" }, fault.Invalid},
		"id":      {func(in *plan.Input) { in.ID = "plan_../../x" }, fault.Internal},
		"tenant":  {func(in *plan.Input) { in.Tenant = "" }, fault.Internal},
		"guards":  {func(in *plan.Input) { in.Guards = nil }, fault.Internal},
		"look-up": {func(*plan.Input) {}, fault.Internal},
	} {
		in := input("sku;preis\nA;9,00\n")
		tc.change(&in)
		_, err := plan.Build(t.Context(), in, fails)
		if err == nil || fault.KindOf(err) != tc.kind || (name == "look-up") != errors.Is(err, fails.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewIDsAreWellFormedAndFollowTheirRandomness(t *testing.T) {
	t.Parallel()
	id, err := plan.NewID(strings.NewReader(strings.Repeat("\x00", 16)))
	if err != nil || id != planID {
		t.Errorf("got %q, %v", id, err)
	}
	if _, err := plan.NewID(strings.NewReader("short")); err == nil {
		t.Error("too little randomness passes")
	}
}
