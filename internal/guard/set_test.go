package guard_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

const (
	de = price.MarketplaceID("A1PA6795UKMFR9")
	fr = price.MarketplaceID("A13V1IB3VIYZZH")
	gb = price.MarketplaceID("A1F83G8C2ARO7P")
)

func key(m price.MarketplaceID, sku string) price.OfferKey {
	return price.OfferKey{Connection: "conn_a", Marketplace: m, SKU: price.SKU(sku)}
}

func money(minor int64, c price.Currency) *price.Money { m := price.FromMinor(minor, c); return &m }

func ptr[T any](v T) *T { return &v }

func drops(percent int64) guard.Limits { return guard.Limits{HoldDropPercent: &percent} }

func TestTheMostSpecificRuleThatStatesALimitGivesIt(t *testing.T) {
	t.Parallel()
	s := guard.Default()
	s.Rules = []guard.Rule{
		{SKU: "SHOE-9", Limits: drops(1)},
		{SKU: "SHOE-*", Marketplace: de, Limits: drops(2)},
		{SKU: "SHOE-*", Limits: drops(3)},
		{SKU: "S*", Marketplace: de, Limits: drops(4)},
		{Marketplace: de, Limits: guard.Limits{HoldDropPercent: ptr[int64](5), HoldRisePercent: ptr[int64](50)}},
		{Limits: drops(6)},
		{SKU: "*-XL", Limits: drops(7)},
		{SKU: "*-XL", Limits: drops(8)},
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	set := guard.NewSet(s, nil)
	for _, c := range []struct {
		key        price.OfferKey
		drop, rise int64
	}{
		{key(de, "SHOE-9"), 1, 50}, {key(fr, "SHOE-9"), 1, 30}, {key(de, "SHOE-7"), 2, 50}, {key(fr, "SHOE-7"), 3, 30},
		{key(de, "SOCK"), 4, 50}, {key(de, "HAT"), 5, 50}, {key(fr, "HAT"), 6, 30}, {key(fr, "HAT-XL"), 8, 30},
	} {
		g := set.For(c.key)
		if g.HoldDropPercent != c.drop || g.HoldRisePercent != c.rise || g.RefuseDropPercent != 80 {
			t.Errorf("%s: drop %d, rise %d, refuse %d; want %d, %d and 80", c.key, g.HoldDropPercent, g.HoldRisePercent, g.RefuseDropPercent, c.drop, c.rise)
		}
	}
	if g := set.For(key("ELSEWHERE", "HAT")); g.Hash() != (price.Guards{}).Hash() {
		t.Errorf("an unknown marketplace has %+v, want the strictest guards", g)
	}
}

func TestAnAmountBindsOffersOfItsCurrencyOnly(t *testing.T) {
	t.Parallel()
	s := guard.Default()
	s.Rules = []guard.Rule{
		{Limits: guard.Limits{Minimum: money(1000, "EUR"), Moves: []price.MoveLimit{{Field: price.FieldOur, Drop: money(200, "EUR")}}}},
		{Marketplace: gb, Limits: guard.Limits{Minimum: money(800, "GBP")}},
		{SKU: "A", Limits: guard.Limits{Minimum: money(500, "EUR"), Moves: []price.MoveLimit{{Field: price.FieldOur, Rise: money(900, "GBP")}}}},
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	set := guard.NewSet(s, nil)
	if g := set.For(key(de, "B")); *g.Minimum != *money(1000, "EUR") || len(g.Moves) != 1 || *g.Moves[0].Drop != *money(200, "EUR") {
		t.Errorf("DE has %+v", g.Optional)
	}
	if g := set.For(key(gb, "A")); *g.Minimum != *money(800, "GBP") || len(g.Moves) != 1 || g.Moves[0].Drop != nil || *g.Moves[0].Rise != *money(900, "GBP") {
		t.Errorf("A in GB has %+v, want the minimum in pounds: the SKU's is in euro", g.Optional)
	}
	if g := set.For(key(de, "A")); *g.Minimum != *money(500, "EUR") || g.Moves[0].Rise != nil || *g.Moves[0].Drop != *money(200, "EUR") {
		t.Errorf("A in DE has %+v", g.Optional)
	}
}

func TestCostsArePerSKUAndCurrency(t *testing.T) {
	t.Parallel()
	c, err := guard.ParseCosts([]byte("\xef\xbb\xbfsku,cost,currency\nA,12.50,EUR\nA,11,GBP\n\"B,1\",900,JPY\nA,12.50,EUR\n"))
	if err != nil || c.Len() != 3 {
		t.Fatalf("%d costs, %v", c.Len(), err)
	}
	s := guard.Default()
	s.Rules = []guard.Rule{{Limits: guard.Limits{MarginPercent: ptr[int64](10)}}}
	set := guard.NewSet(s, c)
	if g := set.For(key(de, "A")); g.Cost == nil || *g.Cost != *money(1250, "EUR") {
		t.Errorf("A costs %v in DE", g.Cost)
	}
	if g := set.For(key(gb, "A")); g.Cost == nil || *g.Cost != *money(1100, "GBP") {
		t.Errorf("A costs %v in GB", g.Cost)
	}
	if g := set.For(key(de, "B")); g.Cost != nil {
		t.Errorf("B costs %v", g.Cost)
	}
	if set.Hash() == guard.NewSet(s, nil).Hash() {
		t.Error("other costs have the same hash")
	}
	for name, body := range map[string]string{
		"no heading": "A,12.50,EUR\n", "ambiguous": "sku,cost,currency\nA,\"1.234,5\",EUR\n", "below zero": "sku,cost,currency\nA,-1,EUR\n",
		"two costs": "sku,cost,currency\nA,1,EUR\nA,2,EUR\n", "no SKU": "sku,cost,currency\n,1,EUR\n", "too exact": "sku,cost,currency\nA,1.001,EUR\n",
		"unknown currency": "sku,cost,currency\nA,1,XXX\n", "columns": "sku,cost,currency\nA,1\n", "not UTF-8": "sku,cost,currency\n\xff,1,EUR\n", "empty": "",
	} {
		if _, err := guard.ParseCosts([]byte(body)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want it refused with words", name, err)
		}
	}
}

func TestSettingsThatCannotBeMeantAreRefusedByName(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*guard.Settings){
		"marketplace \"X\"": func(s *guard.Settings) { s.Rules = []guard.Rule{{Marketplace: "X"}} },
		"rules[1]":          func(s *guard.Settings) { s.Rules = []guard.Rule{{}, {Limits: drops(101)}} },
		"cannot bind in GB": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Marketplace: gb, Limits: guard.Limits{MAP: money(1, "EUR")}}}
		},
		"minimum": func(s *guard.Settings) { s.Rules = []guard.Rule{{Limits: guard.Limits{Minimum: money(0, "EUR")}}} },
		"above the maximum": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{Minimum: money(2, "EUR"), Maximum: money(1, "EUR")}}}
		},
		"margin_percent": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{MarginPercent: ptr[int64](100)}}}
		},
		"unknown field": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{Moves: []price.MoveLimit{{Field: "x"}}}}}
		},
		"has no limit": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{Moves: []price.MoveLimit{{Field: price.FieldOur}}}}}
		},
		"ending": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{Rounding: &price.Rounding{Ending: "x", Direction: price.Up}}}}
		},
		"direction": func(s *guard.Settings) {
			s.Rules = []guard.Rule{{Limits: guard.Limits{Rounding: &price.Rounding{Ending: "99"}}}}
		},
		"sku is":                func(s *guard.Settings) { s.Rules = []guard.Rule{{SKU: strings.Repeat("A", 101)}} },
		"breaker.share_percent": func(s *guard.Settings) { s.Breaker.SharePercent = 101 },
		"breaker.at_risk":       func(s *guard.Settings) { s.Breaker.AtRisk = []price.Money{*money(1, "EUR"), *money(2, "EUR")} },
		"approval.rows":         func(s *guard.Settings) { s.Approval.Rows = ptr[int64](-1) },
		"release.delay_seconds": func(s *guard.Settings) { s.Release.DelaySeconds = -1 },
		"Put SKUs that begin alike": func(s *guard.Settings) {
			for range 600 {
				s.Rules = append(s.Rules, guard.Rule{SKU: "SOME-LONG-SKU-OR-OTHER", Limits: drops(1)})
			}
		},
	} {
		s := guard.Default()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if err := guard.Default().Validate(); err != nil {
		t.Error(err)
	}
}

// matchSlowly is what a pattern means, written down plainly.
func matchSlowly(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		return matchSlowly(pattern[1:], s) || s != "" && matchSlowly(pattern, s[1:])
	}
	return s != "" && s[0] == pattern[0] && matchSlowly(pattern[1:], s[1:])
}

func TestAPatternMatchesWhatItSays(t *testing.T) {
	t.Parallel()
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab]{0,2}\*[ab*]{0,4}`).Draw(t, "pattern")
		sku := rapid.StringMatching(`[ab]{0,6}`).Draw(t, "sku")
		s := guard.Default()
		s.Rules = []guard.Rule{{SKU: pattern, Limits: drops(7)}}
		got := guard.NewSet(s, nil).For(key(de, sku)).HoldDropPercent == 7
		if got {
			hits++
		}
		if want := matchSlowly(pattern, sku); got != want {
			t.Fatalf("%q and %q: got %v, want %v", pattern, sku, got, want)
		}
	})
	if hits == 0 {
		t.Fatal("nothing ever matched")
	}
}

// past is a guard.History that knows one price.
type past struct {
	low      price.Lowest
	err      error
	from, to time.Time
}

func (p *past) Lowest(_ context.Context, _ tenant.ID, _ price.OfferKey, from, to time.Time) (price.Lowest, error) {
	p.from, p.to = from, to
	return p.low, p.err
}

func TestASaleIsJudgedByTheThirtyDaysBeforeIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	offer := func(m price.MarketplaceID) price.Offer {
		c := price.Currency("EUR")
		if m == gb {
			c = "GBP"
		}
		return price.Offer{Key: key(m, "A"), ReadAt: now, Known: price.Prices{Our: money(10000, c)}}
	}
	sale := func(c price.Currency, start time.Time) price.Edit {
		return price.Edit{Set: price.Prices{Sale: &price.Sale{Price: *money(9000, c), Start: start, End: start.AddDate(0, 0, 5)}}}
	}
	on := guard.Default()
	on.Rules = []guard.Rule{{Limits: guard.Limits{Omnibus: ptr(true)}}}
	soon := now.AddDate(0, 0, 3)
	for _, c := range []struct {
		name     string
		settings guard.Settings
		market   price.MarketplaceID
		history  guard.History
		edit     price.Edit
		code     price.Code
	}{
		{"switched off", guard.Default(), de, nil, sale("EUR", soon), ""},
		{"the lowest of 30 days", on, de, &past{low: price.Lowest{Price: *money(10000, "EUR"), Whole: true}}, sale("EUR", soon), ""},
		{"it was lower", on, de, &past{low: price.Lowest{Price: *money(9999, "EUR"), Whole: true}}, sale("EUR", soon), price.CodeOmnibus},
		{"not all 30 days are known", on, de, &past{low: price.Lowest{Price: *money(10000, "EUR")}}, sale("EUR", soon), price.CodeOmnibusShort},
		{"nothing is known", on, de, nil, sale("EUR", soon), price.CodeOmnibusShort},
		{"outside the EU", on, gb, nil, sale("GBP", soon), ""},
		{"no sale", on, de, nil, price.Edit{Set: price.Prices{Our: money(9500, "EUR")}}, ""},
	} {
		o := offer(c.market)
		g, err := guard.Informed(t.Context(), guard.NewSet(c.settings, nil).For(o.Key), c.history, "t_seller0001", o, c.edit, now)
		if err != nil {
			t.Fatal(err)
		}
		verdict, findings := g.Check(o, c.edit, now)
		if c.code == "" && verdict != price.Allowed || c.code != "" && (verdict != price.Held || len(findings) != 1 || findings[0].Code != c.code) {
			t.Errorf("%s: %s %+v, want %q", c.name, verdict, findings, c.code)
		}
		if p, ok := c.history.(*past); ok && (!p.from.Equal(soon.AddDate(0, 0, -30)) || !p.to.Equal(now)) {
			t.Errorf("%s: asked from %s to %s", c.name, p.from, p.to)
		}
	}
	// A start in the past makes no reduction that buyers have seen: what counts is now,
	// except for a sale that runs.
	running := &price.Sale{Price: *money(9500, "EUR"), Start: now.AddDate(0, 0, -40), End: soon}
	over := &price.Sale{Price: *money(9500, "EUR"), Start: now.AddDate(0, 0, -40), End: now.AddDate(0, 0, -30)}
	for name, c := range map[string]struct {
		known *price.Sale
		to    time.Time
	}{"a new sale": {nil, now}, "one that is over": {over, now}, "one that runs": {running, running.Start}} {
		o := offer(de)
		o.Known.Sale = c.known
		backdated := sale("EUR", running.Start)
		backdated.Set.Sale.End = soon.AddDate(0, 0, 1)
		from, to, ok := guard.NewSet(on, nil).For(o.Key).NeedsLowest(o, backdated, now)
		if !ok || !to.Equal(c.to) || !from.Equal(c.to.AddDate(0, 0, -30)) {
			t.Errorf("%s that says it began forty days ago is judged from %s to %s", name, from, to)
		}
	}
	// A higher reference price for the sale that runs is the same trick.
	o := offer(de)
	o.Known.Sale = &price.Sale{Price: *money(9000, "EUR"), Start: now.AddDate(0, 0, -1), End: soon}
	raise := price.Edit{Set: price.Prices{Our: money(11000, "EUR")}}
	h := &past{low: price.Lowest{Price: *money(10000, "EUR"), Whole: true}}
	g, err := guard.Informed(t.Context(), guard.NewSet(on, nil).For(o.Key), h, "t_seller0001", o, raise, now)
	if err != nil {
		t.Fatal(err)
	}
	if verdict, _ := g.Check(o, raise, now); verdict != price.Held || !h.to.Equal(o.Known.Sale.Start) {
		t.Errorf("raising the reference of a running sale is %s, by a history up to %s", verdict, h.to)
	}
	broken := errors.New("broken")
	if _, err := guard.Informed(t.Context(), g, &past{err: broken}, "t_seller0001", o, raise, now); !errors.Is(err, broken) {
		t.Errorf("a history that cannot be read gave %v", err)
	}
}
