package price_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// drawOptional switches rules on near where drawPrices draws its prices, so that
// each of them is on either side of its limit often.
func drawOptional(t *rapid.T) price.Optional {
	on := func(label string, lo, hi int64) *price.Money {
		if rapid.IntRange(0, 2).Draw(t, label+" on") > 0 {
			return nil
		}
		m := price.FromMinor(rapid.Int64Range(lo, hi).Draw(t, label), "EUR")
		return &m
	}
	percent := func(label string) *int64 {
		if rapid.IntRange(0, 2).Draw(t, label+" on") > 0 {
			return nil
		}
		n := rapid.Int64Range(0, 60).Draw(t, label)
		return &n
	}
	o := price.Optional{
		NeverTouch: rapid.IntRange(0, 19).Draw(t, "never") == 7, Minimum: on("floor", 60, 95), Maximum: on("ceiling", 96, 130), MAP: on("map", 60, 95),
		MarginPercent: percent("margin"), Cost: on("cost", 30, 80), Omnibus: rapid.IntRange(0, 2).Draw(t, "omnibus") == 1,
	}
	if low := on("lowest", 80, 130); low != nil {
		o.Lowest = &price.Lowest{Price: *low, Whole: rapid.IntRange(0, 4).Draw(t, "whole") != 3}
	}
	for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(price.Fields()), 0, 2, rapid.ID).Draw(t, "limited") {
		l := price.MoveLimit{Field: f, DropPercent: percent("drop %"), RisePercent: percent("rise %"), Drop: on("drop", 0, 30), Rise: on("rise", 0, 30)}
		o.Moves = append(o.Moves, l)
	}
	return o
}

func TestNoAllowedEditBreaksAGuardThatIsOn(t *testing.T) {
	t.Parallel()
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		g.Optional = drawOptional(t)
		verdict, _ := g.Check(o, e, now)
		if verdict != price.Allowed {
			return
		}
		allowed++
		if g.NeverTouch {
			t.Fatal("an offer that is never touched was")
		}
		business := o.Known.B2B
		if business == nil {
			business = o.Known.Our
		}
		type set struct {
			field    price.Field
			old, now *price.Money
		}
		sets := []set{{price.FieldOur, o.Known.Our, e.Set.Our}, {price.FieldB2B, business, e.Set.B2B}}
		if e.Set.Sale != nil {
			sets = append(sets, set{price.FieldSale, o.Known.Our, &e.Set.Sale.Price})
		}
		for i := range e.Set.Tiers {
			paid := business // by an order of so many
			for j := range o.Known.Tiers {
				if o.Known.Tiers[j].Quantity <= e.Set.Tiers[i].Quantity {
					paid = &o.Known.Tiers[j].Price
				}
			}
			sets = append(sets, set{price.FieldTiers, paid, &e.Set.Tiers[i].Price})
		}
		for _, s := range sets {
			if s.now == nil {
				continue
			}
			p := s.now.Minor()
			switch {
			case g.Minimum != nil && p < g.Minimum.Minor(), g.Maximum != nil && p > g.Maximum.Minor(), g.MAP != nil && p < g.MAP.Minor():
				t.Fatalf("%s %s allowed under %+v", s.field, s.now, g.Optional)
			case g.MarginPercent != nil && (g.Cost == nil || p*(100-*g.MarginPercent) < g.Cost.Minor()*100):
				t.Fatalf("%s %s allowed at a cost of %v and a margin of %d", s.field, s.now, g.Cost, *g.MarginPercent)
			}
		}
		sets = append(sets, set{price.FieldMin, o.Known.Min, e.Set.Min}, set{price.FieldMax, o.Known.Max, e.Set.Max})
		for _, l := range g.Moves {
			taken := slices.Contains(e.Clear, l.Field)
			if was := o.Known.Min; l.Field == price.FieldMin && taken && was != nil &&
				(l.DropPercent != nil && *l.DropPercent < 100 || l.Drop != nil && l.Drop.Minor() < was.Minor()) {
				t.Fatalf("the minimum %s is taken away under %+v", was, l)
			}
			if l.Field == price.FieldMax && taken && o.Known.Max != nil && (l.RisePercent != nil || l.Rise != nil) {
				t.Fatalf("the maximum %s is taken away under %+v", o.Known.Max, l)
			}
			for _, s := range sets {
				if s.field != l.Field || s.now == nil || s.old == nil || s.old.Currency() != s.now.Currency() || e.Set.EqualField(l.Field, o.Known) {
					continue
				}
				by, percent, most := s.now.Minor()-s.old.Minor(), l.RisePercent, l.Rise
				if by < 0 {
					by, percent, most = -by, l.DropPercent, l.Drop
				}
				if percent != nil && by*100 > *percent*s.old.Minor() || most != nil && by > most.Minor() {
					t.Fatalf("%s from %s to %s allowed under %+v", s.field, s.old, s.now, l)
				}
			}
		}
		if p := e.Apply(o.Known); g.Omnibus && e.Set.Sale != nil && !e.Set.EqualField(price.FieldSale, o.Known) && p.Sale.End.After(now) &&
			(g.Lowest == nil || !g.Lowest.Whole || p.Our.Minor() > g.Lowest.Price.Minor()) {
			t.Fatalf("a sale beside %s allowed by %+v", p.Our, g.Lowest)
		}
	})
	if allowed < 2 {
		t.Fatal("hardly an edit was allowed: the property was not tried")
	}
}

func TestSwitchingARuleOnOrTighteningItNeverLetsMoreThrough(t *testing.T) {
	t.Parallel()
	rank := map[price.Verdict]int{price.Unchanged: 0, price.Allowed: 1, price.Held: 2, price.Refused: 3}
	stricter := 0
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		g.Optional = drawOptional(t)
		loose, _ := g.Check(o, e, now)
		by := rapid.Int64Range(0, 20).Draw(t, "by")
		up := func(m *price.Money, n int64) *price.Money {
			if m == nil {
				return nil
			}
			out := price.FromMinor(m.Minor()+n, m.Currency())
			return &out
		}
		switch rapid.IntRange(0, 6).Draw(t, "tighten") {
		case 0:
			g.NeverTouch = true
		case 1:
			g.Minimum = up(cmpOr(g.Minimum, 70), by)
		case 2:
			g.Maximum = up(cmpOr(g.Maximum, 110), -by)
		case 3:
			g.MAP = up(cmpOr(g.MAP, 70), by)
		case 4:
			margin := by
			if g.MarginPercent != nil {
				margin += *g.MarginPercent
			}
			g.MarginPercent = &margin
		case 5:
			g.Moves = append(slices.Clone(g.Moves), price.MoveLimit{Field: price.FieldOur, DropPercent: &by, RisePercent: &by})
		case 6:
			if !g.Omnibus {
				g.Omnibus = true
			} else {
				g.Lowest = nil
			}
		}
		tight, _ := g.Check(o, e, now)
		if rank[tight] < rank[loose] {
			t.Fatalf("%s became %s", loose, tight)
		}
		if rank[tight] > rank[loose] {
			stricter++
		}
	})
	if stricter == 0 {
		t.Fatal("tightening never changed a verdict")
	}
}

func cmpOr(m *price.Money, minor int64) *price.Money {
	if m != nil {
		return m
	}
	out := price.FromMinor(minor, "EUR")
	return &out
}

func TestEachOptionalRuleSaysWhatItHolds(t *testing.T) {
	t.Parallel()
	n := func(v int64) *int64 { return &v }
	tiers := price.Prices{B2B: eur("95"), Tiers: []price.Tier{{Quantity: 5, Price: *eur("80")}}}
	for _, c := range []struct {
		name  string
		rules price.Optional
		set   price.Prices
		want  price.Verdict
		code  price.Code
	}{
		{"never touch", price.Optional{NeverTouch: true}, price.Prices{Our: eur("99")}, price.Refused, price.CodeNeverTouch},
		{"at the floor", price.Optional{Minimum: eur("90")}, price.Prices{Our: eur("90")}, price.Allowed, ""},
		{"under the floor", price.Optional{Minimum: eur("90.01")}, price.Prices{Our: eur("90")}, price.Refused, price.CodeGuardMinimum},
		{"a tier under the floor", price.Optional{Minimum: eur("81")}, tiers, price.Refused, price.CodeGuardMinimum},
		{"a sale under the floor", price.Optional{Minimum: eur("81")}, price.Prices{Sale: saleOf("80", days(1), days(2))}, price.Refused, price.CodeGuardMinimum},
		{"over the ceiling", price.Optional{Maximum: eur("109.99")}, price.Prices{Our: eur("110")}, price.Refused, price.CodeGuardMaximum},
		{"a floor in another currency", price.Optional{Minimum: func() *price.Money { m := price.FromMinor(99999, "GBP"); return &m }()}, price.Prices{Our: eur("90")}, price.Allowed, ""},
		{"under the advertised minimum", price.Optional{MAP: eur("95")}, price.Prices{Our: eur("94.99")}, price.Held, price.CodeMAP},
		{"cost and margin earned", price.Optional{MarginPercent: n(20), Cost: eur("72")}, price.Prices{Our: eur("90")}, price.Allowed, ""},
		{"a cent of margin missing", price.Optional{MarginPercent: n(20), Cost: eur("72.01")}, price.Prices{Our: eur("90")}, price.Held, price.CodeMargin},
		{"cost unknown", price.Optional{MarginPercent: n(0)}, price.Prices{Our: eur("90")}, price.Held, price.CodeCostUnknown},
		{"a minimum that moves too far", price.Optional{Moves: []price.MoveLimit{{Field: price.FieldMin, DropPercent: n(10)}}}, price.Prices{Min: eur("44.99")}, price.Held, price.CodeFieldMove},
		{"an absolute limit", price.Optional{Moves: []price.MoveLimit{{Field: price.FieldOur, Drop: eur("5")}}}, price.Prices{Our: eur("94.99")}, price.Held, price.CodeFieldMove},
		{"at the absolute limit", price.Optional{Moves: []price.MoveLimit{{Field: price.FieldOur, Drop: eur("5")}}}, price.Prices{Our: eur("95")}, price.Allowed, ""},
	} {
		g := price.DefaultGuards()
		g.Optional = c.rules
		verdict, findings := g.Check(offer(), price.Edit{Set: c.set}, now)
		if verdict != c.want || (len(findings) == 0) != (c.code == "") || c.code != "" && findings[0].Code != c.code {
			t.Errorf("%s: %s %+v, want %s %q", c.name, verdict, findings, c.want, c.code)
		}
	}
}

func TestABoundThatIsTakenAwayMovesAsFarAsItCan(t *testing.T) {
	t.Parallel()
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		name  string
		limit price.MoveLimit
		clear price.Field
		want  price.Verdict
	}{
		{"a minimum that may drop a little", price.MoveLimit{Field: price.FieldMin, DropPercent: n(99)}, price.FieldMin, price.Held},
		{"a minimum that may drop by all of it", price.MoveLimit{Field: price.FieldMin, DropPercent: n(100)}, price.FieldMin, price.Allowed},
		{"a minimum that may drop by an amount", price.MoveLimit{Field: price.FieldMin, Drop: eur("49.99")}, price.FieldMin, price.Held},
		{"a minimum that may drop by its amount", price.MoveLimit{Field: price.FieldMin, Drop: eur("50.00")}, price.FieldMin, price.Allowed},
		{"a minimum that may not rise far", price.MoveLimit{Field: price.FieldMin, RisePercent: n(1)}, price.FieldMin, price.Allowed},
		{"a maximum that may not rise far", price.MoveLimit{Field: price.FieldMax, RisePercent: n(100_000)}, price.FieldMax, price.Held},
		{"a maximum that may not drop far", price.MoveLimit{Field: price.FieldMax, DropPercent: n(1)}, price.FieldMax, price.Allowed},
		{"the other bound", price.MoveLimit{Field: price.FieldMax, RisePercent: n(1)}, price.FieldMin, price.Allowed},
	} {
		g := price.DefaultGuards()
		g.Moves = []price.MoveLimit{c.limit}
		verdict, findings := g.Check(offer(), price.Edit{Clear: []price.Field{c.clear}}, now)
		if verdict != c.want || len(findings) > 0 && (findings[0].Code != price.CodeFieldMove || findings[0].Field != c.clear) {
			t.Errorf("%s: %s %+v, want %s", c.name, verdict, findings, c.want)
		}
	}
	// A minimum of nothing is none: it moves nowhere.
	g := price.DefaultGuards()
	g.Moves = []price.MoveLimit{{Field: price.FieldMin, DropPercent: n(0), RisePercent: n(0)}}
	none := offer(func(o *price.Offer) { o.Known.Min = eur("0") })
	for _, e := range []price.Edit{{Clear: []price.Field{price.FieldMin}}, {Set: price.Prices{Min: eur("60")}}} {
		if verdict, findings := g.Check(none, e, now); verdict != price.Allowed {
			t.Errorf("%+v: %s %+v", e, verdict, findings)
		}
	}
}

func TestAWayBackPassesTheRiseGuardOnlyToExactlyWhatWasThere(t *testing.T) {
	t.Parallel()
	fell := func(change ...func(*price.Offer)) price.Offer {
		o := offer(change...)
		o.Known.Our = eur("70")
		if o.Replaced == nil {
			o.Replaced = &price.Replaced{Price: *eur("100"), Until: now.Add(-time.Hour), Batch: "bat_x"}
		}
		return o
	}
	for _, c := range []struct {
		name  string
		offer price.Offer
		to    string
		want  price.Verdict
	}{
		{"exactly back", fell(), "100.00", price.Allowed},
		{"a cent more", fell(), "100.01", price.Held},
		{"a cent less", fell(), "99.99", price.Held},
		{"a day later", fell(func(o *price.Offer) {
			o.Replaced = &price.Replaced{Price: *eur("100"), Until: now.Add(-24*time.Hour - time.Second)}
		}), "100.00", price.Held},
		{"not known to be ours", fell(func(o *price.Offer) { o.Replaced = &price.Replaced{} }), "100.00", price.Held},
		{"from the future", fell(func(o *price.Offer) { o.Replaced = &price.Replaced{Price: *eur("100"), Until: now.Add(time.Hour)} }), "100.00", price.Held},
		{"against another guard", fell(func(o *price.Offer) { o.Automated = true }), "100.00", price.Held},
		{"over the maximum", fell(func(o *price.Offer) { o.Known.Max = eur("90") }), "100.00", price.Refused},
	} {
		verdict, findings := price.DefaultGuards().Check(c.offer, price.Edit{Set: price.Prices{Our: eur(c.to)}}, now)
		if verdict != c.want {
			t.Errorf("%s: %s %+v, want %s", c.name, verdict, findings, c.want)
		}
		if c.want == price.Allowed && (len(findings) != 1 || findings[0].Code != price.CodeWayBack || findings[0].Verdict != price.Allowed) {
			t.Errorf("%s: the plan would not say why: %+v", c.name, findings)
		}
	}
}

func TestRoundingNeverCrossesAGuard(t *testing.T) {
	t.Parallel()
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		g, o, e := drawCase(t)
		g.Optional = drawOptional(t)
		g.Rounding = &price.Rounding{Ending: rapid.SampledFrom([]string{"9", "5", "99", "0"}).Draw(t, "ending"),
			Direction: rapid.SampledFrom([]price.Direction{price.Nearest, price.Up, price.Down}).Draw(t, "direction")}
		judge := func(e price.Edit) price.Verdict { v, _ := g.Check(o, e, now); return v }
		out, fields := g.Round(e, judge)
		given, got := judge(e), judge(out)
		if got != given && got != price.Unchanged {
			t.Fatalf("%s became %s by rounding %+v to %+v", given, got, e, out)
		}
		if len(fields) == 0 {
			return
		}
		moved++
		for _, m := range []*price.Money{out.Set.Our, out.Set.B2B} {
			if m != nil && m.Positive() && !endsWith(m.Minor(), g.Rounding.Ending) {
				t.Fatalf("%s does not end with %s", m, g.Rounding.Ending)
			}
		}
	})
	if moved == 0 {
		t.Fatal("nothing was ever rounded")
	}
}

func endsWith(minor int64, ending string) bool {
	for i := len(ending) - 1; i >= 0; i-- {
		if minor%10 != int64(ending[i]-'0') {
			return false
		}
		minor /= 10
	}
	return true
}

func TestRoundingGoesToTheNeighbourItNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ending    string
		direction price.Direction
		from, to  string
	}{
		{"99", price.Nearest, "90.40", "89.99"}, {"99", price.Nearest, "90.60", "90.99"}, {"99", price.Nearest, "90.99", "90.99"},
		{"99", price.Down, "90.98", "89.99"}, {"99", price.Up, "90.00", "90.99"}, {"95", price.Nearest, "90.45", "90.95"}, {"0", price.Down, "90.09", "90.00"},
	} {
		g := price.DefaultGuards()
		g.Rounding = &price.Rounding{Ending: c.ending, Direction: c.direction}
		out, _ := g.Round(price.Edit{Set: price.Prices{Our: eur(c.from)}}, func(price.Edit) price.Verdict { return price.Allowed })
		if out.Set.Our.Decimal() != c.to {
			t.Errorf("%s to %s %s: %s, want %s", c.from, c.ending, c.direction, out.Set.Our.Decimal(), c.to)
		}
	}
}
