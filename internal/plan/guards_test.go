package plan_test

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

func ptr[T any](v T) *T { return &v }

// drawSettings draws guard settings of every kind around the prices of drawShop.
func drawSettings(t *rapid.T) guard.Settings {
	percent := func(name string, hi int64) *int64 {
		if rapid.Bool().Draw(t, name+" unset") {
			return nil
		}
		return ptr(rapid.Int64Range(0, hi).Draw(t, name))
	}
	amount := func(name string, lo, hi int64) *price.Money {
		if rapid.IntRange(0, 2).Draw(t, name+" set") > 0 {
			return nil
		}
		return eur(rapid.Int64Range(lo, hi).Draw(t, name))
	}
	s := guard.Default()
	for range rapid.IntRange(0, 4).Draw(t, "rules") {
		r := guard.Rule{
			Marketplace: rapid.SampledFrom([]price.MarketplaceID{"", germany, france}).Draw(t, "rule's marketplace"),
			SKU:         rapid.SampledFrom([]string{"", "S*", "*1", "S1*", "S7", "S12"}).Draw(t, "pattern"),
		}
		r.HoldDropPercent, r.HoldRisePercent = percent("hold drop", 100), percent("hold rise", 200)
		r.RefuseDropPercent = percent("refuse drop", 100)
		r.Minimum, r.Maximum, r.MAP = amount("floor", 400, 1000), amount("ceiling", 1200, 2000), amount("map", 400, 1000)
		if rapid.IntRange(0, 9).Draw(t, "never") == 7 {
			r.NeverTouch = ptr(true)
		}
		if rapid.IntRange(0, 4).Draw(t, "rounds") == 3 {
			r.Rounding = &price.Rounding{Ending: rapid.SampledFrom([]string{"99", "5"}).Draw(t, "ending"), Direction: price.Nearest}
		}
		if rapid.IntRange(0, 4).Draw(t, "limits a field") == 3 {
			r.Moves = []price.MoveLimit{{Field: rapid.SampledFrom([]price.Field{price.FieldB2B, price.FieldMin}).Draw(t, "limited"),
				DropPercent: ptr(rapid.Int64Range(0, 50).Draw(t, "drop")), Rise: eur(rapid.Int64Range(0, 300).Draw(t, "rise"))}}
		}
		s.Rules = append(s.Rules, r)
	}
	s.Breaker = guard.Breaker{DropPercent: rapid.Int64Range(0, 60).Draw(t, "breaker drop"), SharePercent: rapid.Int64Range(0, 100).Draw(t, "share"), AtLeast: rapid.Int64Range(0, 6).Draw(t, "at least")}
	return s
}

// The rules are worked out here a second time, in fractions, from what the plan
// shows and the offers before it.
func TestNoPlanUnderAnyGuardsContainsAnAllowedChangeThatBreaksOne(t *testing.T) {
	t.Parallel()
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		k, in := drawShop(t)
		settings := drawSettings(t)
		if settings.Validate() != nil {
			return // a minimum over the maximum, say
		}
		set := guard.NewSet(settings, nil)
		in.Guards, in.Breaker = set, settings.Breaker
		p, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		type tally struct{ changing, dropping, planned int64 }
		markets := map[price.MarketplaceID]*tally{}
		for r := range p.Rows() {
			o, known := k.offers[r.Key]
			if !known || len(r.Edit.Touched()) == 0 {
				continue
			}
			m := markets[r.Key.Marketplace]
			if m == nil {
				m = &tally{}
				markets[r.Key.Marketplace] = m
			}
			m.changing++
			if price.Moves(o, r.Edit, settings.Breaker.DropPercent, true) {
				m.dropping++
			}
			if r.Verdict != price.Allowed {
				continue
			}
			m.planned++
			allowed++
			g := set.For(r.Key)
			if g.NeverTouch {
				t.Fatalf("never touched: %s", brief(r))
			}
			for _, now := range append(buyers(r.Edit.Set), saleOf(r.Edit)) {
				if now != nil && (g.Minimum != nil && now.Minor() < g.Minimum.Minor() || g.Maximum != nil && now.Minor() > g.Maximum.Minor() || g.MAP != nil && now.Minor() < g.MAP.Minor()) {
					t.Fatalf("outside %+v: %s", g.Optional, brief(r))
				}
			}
			if r.Edit.Set.Our != nil {
				move := big.NewRat((r.Edit.Set.Our.Minor()-o.Known.Our.Minor())*100, o.Known.Our.Minor())
				if move.Cmp(big.NewRat(g.HoldRisePercent, 1)) > 0 || move.Cmp(big.NewRat(-g.HoldDropPercent, 1)) < 0 ||
					move.Sign() < 0 && move.Cmp(big.NewRat(-g.RefuseDropPercent, 1)) <= 0 {
					t.Fatalf("moves by %s %%: %s", move.FloatString(2), brief(r))
				}
			}
			for _, step := range r.Edit.Set.Tiers {
				was := cmp.Or(o.Known.B2B, o.Known.Our)
				for i := range o.Known.Tiers {
					if o.Known.Tiers[i].Quantity <= step.Quantity {
						was = &o.Known.Tiers[i].Price
					}
				}
				if fall := (was.Minor() - step.Price.Minor()) * 100; fall > g.HoldDropPercent*was.Minor() || fall > 0 && fall >= g.RefuseDropPercent*was.Minor() {
					t.Fatalf("from %d units against %s: %s", step.Quantity, was, brief(r))
				}
			}
			for _, l := range g.Moves {
				if l.Field == price.FieldMin && l.DropPercent != nil && *l.DropPercent < 100 && o.Known.Min != nil && slices.Contains(r.Edit.Clear, price.FieldMin) {
					t.Fatalf("the minimum is taken away under %+v: %s", l, brief(r))
				}
			}
		}
		for id, m := range markets {
			b := settings.Breaker
			if m.planned > 0 && b.AtLeast > 0 && m.dropping >= b.AtLeast && m.dropping*100 > b.SharePercent*m.changing {
				t.Fatalf("%s has %d planned rows although %d of %d drop under %+v", id, m.planned, m.dropping, m.changing, b)
			}
		}
	})
	t.Logf("%d changes were allowed", allowed)
	if allowed == 0 {
		t.Fatal("nothing was ever allowed: the property was not tried")
	}
}

// buyers are our price, the B2B price and the tiers.
func buyers(p price.Prices) []*price.Money {
	out := []*price.Money{p.Our, p.B2B}
	for i := range p.Tiers {
		out = append(out, &p.Tiers[i].Price)
	}
	return out
}

func saleOf(e price.Edit) *price.Money {
	if e.Set.Sale == nil {
		return nil
	}
	return &e.Set.Sale.Price
}

func TestTighteningAGuardNeverPlansMore(t *testing.T) {
	t.Parallel()
	fewer := 0
	rapid.Check(t, func(t *rapid.T) {
		k, in := drawShop(t)
		s := guard.Default()
		s.Breaker.AtLeast = 3
		loose := rowsPlanned(t, k, in, s)
		switch rapid.IntRange(0, 4).Draw(t, "tighten") {
		case 0:
			s.Rules = []guard.Rule{{SKU: "S1*", Limits: guard.Limits{NeverTouch: ptr(true)}}}
		case 1:
			s.Rules = []guard.Rule{{Limits: guard.Limits{Minimum: eur(rapid.Int64Range(500, 1500).Draw(t, "floor"))}}}
		case 2:
			s.Rules = []guard.Rule{{Marketplace: germany, Limits: guard.Limits{HoldDropPercent: ptr(rapid.Int64Range(0, 29).Draw(t, "drop")), HoldRisePercent: ptr(rapid.Int64Range(0, 29).Draw(t, "rise"))}}}
		case 3:
			s.Breaker.SharePercent = rapid.Int64Range(0, 24).Draw(t, "share")
		case 4:
			s.Breaker.AtRisk = []price.Money{*eur(rapid.Int64Range(0, 1000).Draw(t, "risk"))}
		}
		tight := rowsPlanned(t, k, in, s)
		for n := range tight {
			if !loose[n] {
				t.Fatalf("row %d is planned under tighter guards only", n)
			}
		}
		fewer += len(loose) - len(tight)
	})
	if fewer == 0 {
		t.Fatal("tightening never held anything")
	}
}

func rowsPlanned(t *rapid.T, k *known, in plan.Input, s guard.Settings) map[int64]bool {
	in.Guards, in.Breaker = guard.NewSet(s, nil), s.Breaker
	p, err := plan.Build(context.Background(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]bool{}
	for r := range p.Rows() {
		if r.Verdict == price.Allowed {
			out[r.N] = true
		}
	}
	return out
}

// catastrophe is a file of n rows, the first of which are in Germany at a tenth of
// the price and the others in France a little cheaper.
func catastrophe(n, german int) (*known, plan.Input) {
	k := shop()
	var file strings.Builder
	file.WriteString("sku;land;preis\n")
	for i := range n {
		m, land, now := germany, "DE", "10,00"
		if i >= german {
			m, land, now = france, "FR", "95,00"
		}
		if i < german && i%4 == 0 {
			now = "99,00" // what is right beside it waits too
		}
		o := offerIn(m, price.SKU(fmt.Sprintf("S%05d", i)), price.Prices{Our: eur(10000)})
		k.offers[o.Key] = o
		fmt.Fprintf(&file, "%s;%s;%s\n", o.Key.SKU, land, now)
	}
	in := input(file.String())
	in.Guards, in.Breaker = guard.NewSet(guard.Default(), nil), guard.Default().Breaker
	return k, in
}

func TestANinetyPercentDropInOneMarketplaceTripsTheBreakerAndSendsNothingThere(t *testing.T) {
	t.Parallel()
	const n, german = 20_000, 12_000
	k, in := catastrophe(n, german)
	p := build(t, in, k)
	for r := range p.Rows() {
		if r.Key.Marketplace == germany && r.Verdict != price.Held && r.Verdict != price.Refused {
			t.Fatalf("%s", brief(r))
		}
		if r.Verdict == price.Held && r.Findings[len(r.Findings)-1].Code != plan.CodeBreaker {
			t.Fatalf("a held row does not say that the breaker holds it: %s", brief(r))
		}
	}
	if p.Summary.Planned != n-german || p.Summary.Held != german/4 || p.Summary.Refused != german*3/4 || p.Lanes[0].Planned != n-german {
		t.Errorf("summary %+v, lanes %+v", p.Summary, p.Lanes)
	}
	if len(p.Tripped) != 1 || !strings.Contains(p.Tripped[0].Reason, "DE (A1PA6795UKMFR9): 9000 of 12000 SKUs that change drop by more than 30 %") || !strings.Contains(p.Tripped[0].Fix, "release") {
		t.Errorf("says %+v", p.Tripped)
	}
	if p.Blocked != "" {
		t.Errorf("the rest is blocked: %s", p.Blocked)
	}
	in.Policy = plan.AllOrNothing
	if p := build(t, in, k); p.Blocked == "" {
		t.Error("all or nothing sends the rest")
	}
	in.Policy, in.Breaker = plan.SkipBadRows, guard.Breaker{AtRisk: []price.Money{*eur(10_000_000)}}
	if p := build(t, in, k); len(p.Tripped) != 1 || !strings.Contains(p.Tripped[0].Reason, "are at risk; your guards allow 100000.00 EUR") {
		t.Errorf("money at risk: %+v", p.Tripped)
	}
}

func (w *world) held(t *testing.T) (plan.Stored, *known) {
	t.Helper()
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(germany, "B", price.Prices{Our: eur(1000)}), offerIn(germany, "C", price.Prices{Our: eur(1000)}))
	p, err := w.Create(t.Context(), input("sku;preis\nA;6,00\nB;9,00\nC;6,50\n"), k)
	if err != nil || p.Summary.Held != 2 || p.Summary.Planned != 1 {
		t.Fatalf("%+v, %v", p.Summary, err)
	}
	return p, k
}

func (w *world) release(t *testing.T, p plan.Stored, k *known, lines ...int) plan.Stored {
	t.Helper()
	rows, err := w.Releasable(t.Context(), p, lines, "")
	if err != nil {
		t.Fatal(err)
	}
	in := input("")
	in.Content, in.ID, in.Actor = nil, strings.Replace(planID, "aa", "bb", 1), "key:k2"
	in.Release = &plan.ReleaseOf{Released: plan.Released{Plan: p.ID, Maker: p.Actor, By: "key:k2"}, Rows: rows}
	out, err := w.Create(t.Context(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAReleasePlansExactlyTheRowsThatWereHeld(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p, k := w.held(t)
	out := w.release(t, p, k, 2)
	if out.Summary.Planned != 1 || out.Summary.Rows != 1 || out.Origin != plan.OfRelease || out.Released.By != "key:k2" || out.Released.Maker != "key:k1" || out.Token == p.Token {
		t.Errorf("released %+v", out.Header)
	}
	rows, err := w.LaneRows(t.Context(), acme, out.ID, "conn_eu", 0, 10)
	if err != nil || len(rows) != 1 || rows[0].SKU != "A" || !slices.Equal(rows[0].Release, []price.Code{price.CodeMove}) {
		t.Errorf("the lane gets %+v, %v", rows, err)
	}
	if _, err := w.Releasable(t.Context(), p, []int{3}, ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a row that is not held was released: %v", err)
	}
	if _, err := w.Releasable(t.Context(), p, nil, "never-read"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("nothing was released: %v", err)
	}
	if rows, err := w.Releasable(t.Context(), p, nil, string(price.CodeMove)); err != nil || len(rows) != 2 {
		t.Errorf("by code: %d rows, %v", len(rows), err)
	}
}

func TestAReleaseIsForThatVersionAndThoseCodesOnly(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*price.Offer){
		"the offer moved":                 func(o *price.Offer) { o.Version++ },
		"it is held for something else":   func(o *price.Offer) { o.Automated = true },
		"it would now be refused":         func(o *price.Offer) { o.Known.Min = eur(900) },
		"it was never held for this drop": func(o *price.Offer) { o.Known.Our = eur(100_000) },
	} {
		w := newWorld()
		p, k := w.held(t)
		key := price.OfferKey{Connection: "conn_eu", Marketplace: germany, SKU: "A"}
		o := k.offers[key]
		change(&o)
		k.offers[key] = o
		if out := w.release(t, p, k, 2); out.Summary.Planned != 0 {
			t.Errorf("%s: it was planned", name)
		}
	}
}

func TestOnlyASecondPersonReleasesOrOneAloneAfterTheDelay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p, _ := w.held(t)
	for _, c := range []struct {
		actor string
		alone bool
		after time.Duration
		typ   string
		maker bool
	}{
		{"key:k2", false, 0, "", false}, {"key:k1", false, time.Hour, "plan-own", false}, {"key:k1", true, 14 * time.Minute, "too-early", false},
		{"key:k1", true, 15 * time.Minute, "", true}, {"key:k2", false, plan.Lifetime, "plan-expired", false},
	} {
		maker, err := plan.Second(p, c.actor, "releases", c.alone, 15*time.Minute, p.Created.Add(c.after))
		if f := asFault(err); f != c.typ || maker != c.maker {
			t.Errorf("%+v: %v, by maker %v", c, err, maker)
		}
	}
	p.Accountable = "member:m3"
	if _, err := plan.Second(p, "member:m3", "releases", false, 0, now); asFault(err) != "plan-own" {
		t.Errorf("who answers for the key that brought the rows releases them: %v", err)
	}
	if _, err := plan.Second(p, "member:m4", "releases", false, 0, now); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func asFault(err error) string {
	if f, ok := err.(*fault.Fault); ok { //nolint:errorlint // the error itself is wanted
		return f.Type
	}
	return ""
}

func TestAnAllOrNothingPlanIsReleasedAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, k := w.held(t)
	in := input("sku;preis\nA;6,00\nB;9,00\nC;6,50\n")
	in.Policy, in.ID = plan.AllOrNothing, strings.Replace(planID, "aa", "cc", 1)
	p, err := w.Create(t.Context(), in, k)
	if err != nil || p.State != plan.Blocked {
		t.Fatal(p.State, err)
	}
	if _, err := w.Releasable(t.Context(), p, []int{2}, ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a part of it was released: %v", err)
	}
	out := w.release(t, p, k)
	if out.Summary.Planned != 3 || out.State != plan.Ready {
		t.Errorf("released %+v", out.Summary)
	}
}

func TestATokenIsRefusedWhenTheGuardsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	other := price.DefaultGuards()
	other.HoldDropPercent = 29
	w.GuardsHash = func(context.Context, tenant.ID) (string, error) { return other.Hash(), nil }
	_, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a")
	wantFault(t, err, fault.Conflict, "plan-guards-changed")
	w.GuardsHash = func(context.Context, tenant.ID) (string, error) { return price.DefaultGuards().Hash(), nil }
	if _, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a"); err != nil {
		t.Fatal(err)
	}
	w.GuardsHash = func(context.Context, tenant.ID) (string, error) { return other.Hash(), nil }
	if again, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_b"); err != nil || again.Batch != "bat_a" {
		t.Errorf("the same key was not answered the same: %+v, %v", again.Batch, err)
	}
}

func TestAPlanOverAThresholdIsAppliedOnlyWhenApproved(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]guard.Approval{
		"rows": {Rows: ptr[int64](0)}, "money": {AtRisk: []price.Money{*eur(199)}}, "a move": {ChangePercent: ptr[int64](9)},
	} {
		w := newWorld()
		p := w.small(t, func(in *plan.Input) { in.Approval = a })
		if p.Approval == "" {
			t.Errorf("%s: no approval is asked for", name)
			continue
		}
		_, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a")
		wantFault(t, err, fault.Conflict, "plan-needs-approval")
		_, err = w.Approve(t.Context(), acme, p.ID, p.Token+"x", "key:k2")
		wantFault(t, err, fault.Conflict, "plan-token-mismatch")
		_, err = w.Approve(t.Context(), "t_other0001", p.ID, p.Token, "key:k2")
		wantFault(t, err, fault.NotFound, "plan-not-found")
		for range 2 {
			got, err := w.Approve(t.Context(), acme, p.ID, p.Token, "key:k2")
			if err != nil || got.Approved == nil || got.Approved.By != "key:k2" || got.Token != p.Token {
				t.Errorf("%s: %+v, %v", name, got.Approved, err)
			}
		}
		if _, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld()
	limits := guard.Approval{Rows: ptr[int64](1), AtRisk: []price.Money{*eur(200)}, ChangePercent: ptr[int64](10)}
	if p := w.small(t, func(in *plan.Input) { in.Approval = limits }); p.Approval != "" {
		t.Errorf("at the threshold: %s", p.Approval)
	}
	// Rows that are not planned need none.
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(france, "A", price.Prices{Our: eur(1000)}))
	in := input("sku;land;preis\nA;DE;8,00\nA;FR;9,50\n")
	in.Approval, in.Breaker = limits, guard.Breaker{DropPercent: 10, SharePercent: 50, AtLeast: 1}
	if p := build(t, in, k); len(p.Tripped) != 1 || p.Summary.Planned != 1 || p.Approval != "" {
		t.Errorf("beside what the breaker holds: %+v, %q", p.Tripped, p.Approval)
	}
}

func TestNobodyIsSentForAnApprovalThatCouldNotHelp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t, func(in *plan.Input) { in.Approval = guard.Approval{Rows: ptr[int64](0)} })
	w.GuardsHash = func(context.Context, tenant.ID) (string, error) { return "other", nil }
	_, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a")
	wantFault(t, err, fault.Conflict, "plan-guards-changed")
}

func TestAWayBackIsPlannedWithItsReasonAndAFileIsNone(t *testing.T) {
	t.Parallel()
	o := offerIn(germany, "A", price.Prices{Our: eur(700)})
	o.Replaced = &price.Replaced{Price: *eur(1000), Until: now.Add(-time.Hour), Batch: "bat_x"}
	back := price.Edit{Set: price.Prices{Our: eur(1000)}}
	in := input("")
	in.Content, in.Restore = nil, []plan.Restore{{Line: 2, Marketplace: germany, SKU: "A", Edit: back, Version: o.Version}}
	p := build(t, in, shop(o))
	if p.Summary.Planned != 1 {
		t.Fatalf("a rollback: %+v", p.Summary)
	}
	for r := range p.Rows() {
		if len(r.Findings) != 1 || r.Findings[0].Code != string(price.CodeWayBack) || !strings.Contains(r.Findings[0].Reason, "bat_x") {
			t.Errorf("its reason is %+v", r.Findings)
		}
	}
	if p := build(t, input("sku;preis\nA;10,00\n"), shop(o)); p.Summary.Held != 1 {
		t.Errorf("a file: %+v", p.Summary)
	}
	in = input("")
	in.Content, in.Correction = nil, &plan.Correction{Marketplace: germany, SKU: "A", Edit: price.Edit{Set: price.Prices{Our: eur(1001)}}}
	if p := build(t, in, shop(o)); p.Summary.Held != 1 {
		t.Errorf("a correction to another price: %+v", p.Summary)
	}
}

func TestARoundedPriceIsWhatIsJudgedAndShown(t *testing.T) {
	t.Parallel()
	s := guard.Default()
	s.Rules = []guard.Rule{{Limits: guard.Limits{Rounding: &price.Rounding{Ending: "99", Direction: price.Nearest}}}}
	in := input("sku;preis\nA;9,60\nB;7,00\n")
	in.Guards = guard.NewSet(s, nil)
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(germany, "B", price.Prices{Our: eur(1000)}))
	p := build(t, in, k)
	var got []string
	for r := range p.Rows() {
		got = append(got, brief(r))
	}
	want := []string{
		"2 A1PA6795UKMFR9 A allowed price 9.99 EUR -0.10% risk 0.02 EUR [rounded preis=9.60 EUR]",
		"3 A1PA6795UKMFR9 B allowed price 7.00 EUR -30.00% risk 6.00 EUR", // 6.99 would be held
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
