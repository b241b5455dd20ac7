package plan_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// past is a history in which an offer's lowest price follows from its SKU. It
// counts what it is asked.
type past struct {
	all   bool // tells of offers that it was not asked for
	asked []int
	keys  []price.OfferKey
	err   error
}

func (p *past) Recall(_ context.Context, t tenant.ID, keys []price.OfferKey) (guard.History, error) {
	if t != acme {
		return nil, errors.New("another tenant's")
	}
	p.asked, p.keys = append(p.asked, len(keys)), append(p.keys, keys...)
	return recalled{p.all, keys}, p.err
}

type recalled struct {
	all  bool
	keys []price.OfferKey
}

func (r recalled) Lowest(_ context.Context, _ tenant.ID, k price.OfferKey, _, _ time.Time) (price.Lowest, error) {
	if !r.all && !slices.Contains(r.keys, k) {
		return price.Lowest{}, nil
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.SKU))
	return price.Lowest{Price: *eur(1000 - 50*int64(h.Sum32()%3)), Whole: h.Sum32()%4 > 0}, nil
}

// omnibus are guards under which sales are judged by the past.
func omnibus(rounding *price.Rounding) *guard.Set {
	s := guard.Default()
	s.Rules = []guard.Rule{{Limits: guard.Limits{Omnibus: ptr(true), Rounding: rounding}}, {SKU: "free-*", Limits: guard.Limits{Omnibus: ptr(false)}}}
	return guard.NewSet(s, nil)
}

func briefs(t fataler, in plan.Input, k *known) []string {
	t.Helper()
	p, err := plan.Build(context.Background(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r := range p.Rows() {
		out = append(out, brief(r))
	}
	return out
}

func TestThePastOfManySalesIsAskedOnceForEachThousandRows(t *testing.T) {
	t.Parallel()
	const rows = 3_500
	k := shop()
	var file strings.Builder
	file.WriteString("sku;land;preis;angebotspreis;angebot von;angebot bis\n")
	sales := 0
	for i := range rows {
		o := offerIn([]price.MarketplaceID{germany, usa}[i%7/6], price.SKU(fmt.Sprintf("%s%04d", []string{"S-", "free-"}[i%5/4], i)), price.Prices{Our: eur(1000)})
		if o.Key.Marketplace == usa {
			usd := price.FromMinor(1000, "USD")
			o.Known.Our = &usd
		}
		k.offers[o.Key] = o
		sale := "9,00;2026-12-01;2026-12-08"
		switch {
		case i%3 == 2:
			sale = ";;" // its price alone asks nothing
		case o.Key.Marketplace == germany && strings.HasPrefix(string(o.Key.SKU), "S-"):
			sales++
		}
		fmt.Fprintf(&file, "%s;%s;9,50;%s\n", o.Key.SKU, map[bool]string{true: "US", false: "DE"}[o.Key.Marketplace == usa], sale)
	}
	in := input(file.String())
	in.Connections[usa] = "conn_eu"
	in.Guards = omnibus(nil)
	bulk, single := &past{}, &past{all: true}
	in.History = bulk
	got := briefs(t, in, k)
	if len(bulk.asked) != 4 || len(bulk.keys) != sales || sales < 1_000 {
		t.Errorf("asked %v times about %d offers, want 4 times about %d", bulk.asked, len(bulk.keys), sales)
	}
	// One by one, each row a file of its own, it is the same.
	lines := strings.SplitAfter(file.String(), "\n")
	for i := 0; i < rows; i += 97 {
		in.Content, in.History = []byte(lines[0]+lines[i+1]), single
		_, alone, _ := strings.Cut(briefs(t, in, k)[0], " ")
		if _, among, _ := strings.Cut(got[i], " "); among != alone {
			t.Errorf("among all: %s\nalone: %s", among, alone)
		}
	}
	for _, want := range []string{"omnibus ", "omnibus-history ", " allowed "} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no row is %s", want)
		}
	}
}

// Who knows the past of every offer judges no row otherwise: whatever a row needs
// to know was asked for, rounded prices included.
func TestNothingIsLeftOutOfWhatIsAskedOfThePast(t *testing.T) {
	t.Parallel()
	differs := 0
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		file.WriteString("sku;preis;b2b-preis;angebotspreis;angebot von;angebot bis\nalways;;;9,01;2026-12-01;2026-12-08\n")
		k := shop(offerIn(germany, "always", price.Prices{Our: eur(1000)}))
		amount := func(name string) string {
			return rapid.SampledFrom([]string{"", "", "9,50", "9,99", "10,00", "10,00", "10,40"}).Draw(t, name)
		}
		for i := range 24 {
			o := offerIn(germany, price.SKU(fmt.Sprint("S", i)), price.Prices{Our: eur(1000)})
			if rapid.Bool().Draw(t, "on sale") {
				o.Known.Sale = &price.Sale{Price: *eur(rapid.SampledFrom([]int64{900, 950, 1000}).Draw(t, "known sale")),
					Start: now.AddDate(0, 0, -rapid.IntRange(1, 3).Draw(t, "begun")).Truncate(24 * time.Hour), End: now.AddDate(0, 0, 9-rapid.SampledFrom([]int{0, 0, 10}).Draw(t, "ended")).Truncate(24 * time.Hour)}
			}
			k.offers[o.Key] = o
			sale := amount("sale") + ";2026-11-21;2026-11-30"
			if strings.HasPrefix(sale, ";") {
				sale = ";;"
			}
			fmt.Fprintf(&file, "%s;%s;%s;%s\n", o.Key.SKU, amount("price"), rapid.SampledFrom([]string{"", "8,99"}).Draw(t, "b2b"), sale)
		}
		in := input(file.String())
		in.Guards = omnibus(rapid.SampledFrom([]*price.Rounding{nil, {Ending: "99", Direction: price.Nearest}, {Ending: "50", Direction: price.Up}}).Draw(t, "rounding"))
		var answers [3][]string
		for i, h := range []guard.Past{&past{}, &past{all: true}, nil} {
			in.History = h
			answers[i] = briefs(t, in, k)
		}
		if !slices.Equal(answers[0], answers[1]) {
			t.Fatalf("by what was asked\n%s\nby all there is\n%s", strings.Join(answers[0], "\n"), strings.Join(answers[1], "\n"))
		}
		if !slices.Equal(answers[1], answers[2]) {
			differs++
		}
	})
	if differs == 0 {
		t.Error("the past never mattered")
	}
}

func TestAPastThatCannotBeReadMakesNoPlan(t *testing.T) {
	t.Parallel()
	in := input("sku;angebotspreis;angebot von;angebot bis\nA;9,00;2026-12-01;2026-12-08\n")
	broken := errors.New("broken")
	in.Guards, in.History = omnibus(nil), &past{err: broken}
	if _, err := plan.Build(t.Context(), in, shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
