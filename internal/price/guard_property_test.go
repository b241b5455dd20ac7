package price_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// drawMoney draws an amount that is mostly between lo and hi, sometimes
// anything at all, sometimes of another currency, sometimes absent.
func drawMoney(t *rapid.T, label string, lo, hi int64) *price.Money {
	// Rapid prefers small numbers, so the usual is what small kinds mean.
	kind := rapid.IntRange(0, 199).Draw(t, label+" kind")
	if kind > 140 {
		return nil
	}
	amount, currency := rapid.Int64Range(lo, hi), price.Currency("EUR")
	switch kind {
	case 101, 102:
		amount = rapid.Int64Range(-5, 1000)
	case 103:
		amount = rapid.Int64()
	case 104:
		currency = "JPY"
	}
	m := price.FromMinor(amount.Draw(t, label), currency)
	return &m
}

func drawPrices(t *rapid.T, label string) price.Prices {
	p := price.Prices{
		Our: drawMoney(t, label+" our", 85, 120), Min: drawMoney(t, label+" min", 40, 80),
		Max: drawMoney(t, label+" max", 120, 200), B2B: drawMoney(t, label+" b2b", 80, 110),
	}
	if m := drawMoney(t, label+" sale", 75, 90); m != nil {
		start := now.Add(time.Duration(rapid.IntRange(-48, 48).Draw(t, "start")) * time.Hour)
		p.Sale = &price.Sale{Price: *m, Start: start, End: start.Add(time.Duration(rapid.IntRange(0, 72).Draw(t, "run")-2) * time.Hour)}
	}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2, 6}).Draw(t, "steps") {
		if m := drawMoney(t, "step", 70, 85); m != nil {
			p.Tiers = append(p.Tiers, price.Tier{Quantity: rapid.IntRange(0, 20).Draw(t, "quantity"), Price: *m})
		}
	}
	return p
}

func drawCase(t *rapid.T) (price.Guards, price.Offer, price.Edit) {
	o := price.Offer{
		Key:       price.OfferKey{Connection: "conn_a", Marketplace: rapid.SampledFrom([]price.MarketplaceID{"A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1VC38T7YXB528", "?"}).Draw(t, "marketplace"), SKU: "S"},
		Known:     drawPrices(t, "known"),
		Automated: rapid.IntRange(0, 19).Draw(t, "automated") == 13,
	}
	if rapid.IntRange(0, 19).Draw(t, "read") != 13 {
		o.ReadAt = now.Add(-time.Hour)
	}
	g := price.Guards{
		HoldDropPercent: rapid.SampledFrom([]int64{0, 10, 30, 100}).Draw(t, "hold drop"), HoldRisePercent: rapid.SampledFrom([]int64{0, 15, 30, 300}).Draw(t, "hold rise"),
		RefuseDropPercent: rapid.SampledFrom([]int64{1, 20, 80, 100}).Draw(t, "refuse drop"),
	}
	e := price.Edit{Set: drawPrices(t, "new")}
	// Most draws touch a few fields only, or nothing would ever be allowed.
	e = e.Only(rapid.SliceOfNDistinct(rapid.SampledFrom(price.Fields()), 1, 3, rapid.ID).Draw(t, "fields"))
	if rapid.IntRange(0, 9).Draw(t, "clears") == 7 {
		e.Clear = append(e.Clear, rapid.SampledFrom(price.Fields()).Draw(t, "clear"))
	}
	return g, o, e
}

// The oracle is written without the package's own comparisons.
func TestAnAllowedEditLeavesEveryPriceInsideItsBounds(t *testing.T) {
	t.Parallel()
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		verdict, findings := g.Check(o, e, now)
		if verdict != price.Allowed {
			return
		}
		allowed++
		if len(findings) != 0 {
			t.Fatalf("allowed with findings %v", findings)
		}
		if o.ReadAt.IsZero() || o.Automated {
			t.Fatal("allowed although never read or automated")
		}
		market, _ := price.MarketplaceByID(o.Key.Marketplace)
		p := e.Apply(o.Known)
		var all []price.Money
		for _, m := range []*price.Money{p.Our, p.B2B} {
			if m != nil {
				all = append(all, *m)
			}
		}
		if p.Sale != nil && p.Sale.End.After(now) {
			all = append(all, p.Sale.Price)
		}
		for _, s := range p.Tiers {
			all = append(all, s.Price)
		}
		for _, m := range all {
			if m.Minor() <= 0 || m.Currency() != market.Currency {
				t.Fatalf("%s allowed in %s", m, market.Currency)
			}
			if p.Min != nil && m.Minor() < p.Min.Minor() || p.Max != nil && m.Minor() > p.Max.Minor() {
				t.Fatalf("%s allowed outside %v to %v", m, p.Min, p.Max)
			}
		}
		if e.Set.Sale != nil && (p.Our == nil || p.Sale.Price.Minor() >= p.Our.Minor() || !p.Sale.Start.Before(p.Sale.End) || !p.Sale.End.After(now)) {
			t.Fatalf("sale %+v allowed beside %v", p.Sale, p.Our)
		}
		if e.Set.Our != nil {
			move := new(big.Rat).Quo(rat(e.Set.Our.Minor()-o.Known.Our.Minor()), rat(o.Known.Our.Minor()))
			move.Mul(move, rat(100))
			if move.Cmp(rat(g.HoldRisePercent)) > 0 || move.Cmp(rat(-g.HoldDropPercent)) < 0 ||
				move.Sign() < 0 && move.Cmp(rat(-g.RefuseDropPercent)) <= 0 {
				t.Fatalf("move of %s %% allowed under %+v", move.FloatString(3), g)
			}
		}
	})
	t.Logf("%d edits were allowed", allowed)
	if allowed == 0 {
		t.Fatal("no drawn edit was allowed: the property was never tried")
	}
}

func TestTheVerdictIsTheWorstFinding(t *testing.T) {
	t.Parallel()
	rank := map[price.Verdict]int{price.Unchanged: 0, price.Allowed: 0, price.Held: 1, price.Refused: 2}
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		verdict, findings := g.Check(o, e, now)
		worst := 0
		for _, f := range findings {
			worst = max(worst, rank[f.Verdict])
		}
		if rank[verdict] != worst {
			t.Fatalf("verdict %s with findings %v", verdict, findings)
		}
	})
}

func TestTighterLimitsNeverLetMoreThrough(t *testing.T) {
	t.Parallel()
	rank := map[price.Verdict]int{price.Unchanged: 0, price.Allowed: 1, price.Held: 2, price.Refused: 3}
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		loose, _ := g.Check(o, e, now)
		g.HoldDropPercent /= 2
		g.HoldRisePercent /= 2
		g.RefuseDropPercent /= 2
		tight, _ := g.Check(o, e, now)
		if rank[tight] < rank[loose] {
			t.Fatalf("%s became %s under tighter limits", loose, tight)
		}
	})
}

func TestOnceAppliedAnEditIsUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		if e.Validate() != nil {
			return
		}
		o.ReadAt = now
		o.Known = e.Apply(o.Known)
		if verdict, findings := g.Check(o, e, now); verdict != price.Unchanged || len(findings) != 0 {
			t.Fatalf("got %s %v", verdict, findings)
		}
	})
}

func TestPercentagesAreExactForEveryAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(rapid.Int64Range(1, 500), rapid.Int64Range(1, 1<<62))
		a, b := amount.Draw(t, "old"), amount.Draw(t, "new")
		want := new(big.Rat).Quo(new(big.Rat).Sub(rat(b), rat(a)), rat(a))
		want.Mul(want, rat(100))
		got := price.ChangePercent(price.FromMinor(a, "EUR"), price.FromMinor(b, "EUR"))
		// FloatString rounds half away from zero, exactly.
		text := want.FloatString(2)
		if text == "-0.00" {
			text = "0.00"
		}
		if got != text {
			t.Fatalf("%d to %d: got %s, want %s", a, b, got, text)
		}
	})
	if got := price.ChangePercent(price.FromMinor(0, "EUR"), price.FromMinor(5, "EUR")); got != "" {
		t.Errorf("from zero: %q", got)
	}
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func TestTheInverseOfAnEditTakesItBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		_, o, e := drawCase(t)
		back := e.Inverse(o.Known).Apply(e.Apply(o.Known))
		for _, f := range price.Fields() {
			if !back.EqualField(f, o.Known) {
				t.Fatalf("%s is %s, was %s", f, back.Text(f), o.Known.Text(f))
			}
		}
	})
}
