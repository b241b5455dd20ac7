package plan_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

const sweden = price.MarketplaceID("A2NODRKZP88ZB9")

func sek(minor int64) *price.Money {
	m := price.FromMinor(minor, "SEK")
	return &m
}

// followed are links from Germany, at 11 crowns a euro two days ago.
func followed(links ...fx.Link) *fx.Set {
	l := fx.Links{MaxAgeDays: 3, Links: links}
	if err := l.Validate(); err != nil {
		panic(err)
	}
	return fx.NewSet(l, &fx.Table{Base: "EUR", On: "2026-11-20", Source: "our bank", Rates: map[price.Currency]string{"SEK": "11"}})
}

var (
	toFrance = fx.Link{From: germany, To: france, Currency: "EUR"}
	toSweden = fx.Link{From: germany, To: sweden, Currency: "SEK"}
)

// linkedShop has the SKUs in Germany and France at 10 euros, and in Sweden at 110
// crowns.
func linkedShop(skus ...price.SKU) *known {
	k := shop()
	for _, s := range skus {
		for _, o := range []price.Offer{offerIn(germany, s, price.Prices{Our: eur(1000)}), offerIn(france, s, price.Prices{Our: eur(1000)}), offerIn(sweden, s, price.Prices{Our: sek(11000)})} {
			k.offers[o.Key] = o
		}
	}
	return k
}

func linkedInput(set *fx.Set, content string) plan.Input {
	in := input(content)
	in.Connections[sweden] = "conn_eu"
	in.Links = set
	return in
}

// rowsOf are a plan's rows, with a mark on those that follow another.
func rowsOf(p *plan.Plan) []string {
	short := strings.NewReplacer(string(germany), "DE", string(france), "FR", string(sweden), "SE")
	out := []string{}
	for r := range p.Rows() {
		s := short.Replace(brief(r))
		if r.Linked != nil {
			s = "> " + s
		}
		if _, risk, ok := strings.Cut(s, " risk "); ok {
			_, rest, _ := strings.Cut(risk, " [")
			s, _, _ = strings.Cut(s, " risk ")
			if rest != "" {
				s += " [" + rest
			}
		}
		out = append(out, s)
	}
	return out
}

func wantRows(t *testing.T, p *plan.Plan, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, rowsOf(p)); diff != "" {
		t.Error(diff)
	}
}

func TestARowMakesRowsInTheMarketplacesThatFollowItsOwn(t *testing.T) {
	t.Parallel()
	k := linkedShop("A", "B")
	gone := offerIn(france, "B", price.Prices{})
	delete(k.offers, gone.Key)
	link := toSweden
	link.Percent, link.Rounding, link.Floor = "2.5", &price.Rounding{Ending: "00", Direction: price.Down}, sek(10100)
	p := build(t, linkedInput(followed(toFrance, link), "sku;land;preis\nA;DE;9,00\nB;DE;9,50\nA;DE;9,00\n"), k)
	wantRows(t, p,
		"2 DE A allowed price 9.00 EUR -10.00%", "> 2 FR A allowed price 9.00 EUR -10.00%", "> 2 SE A allowed price 101.00 SEK -8.18%",
		"3 DE B allowed price 9.50 EUR -5.00%", "> 3 FR B unchanged [unknown-sku sku=B]", "> 3 SE B allowed price 107.00 SEK -2.73%",
		"4 DE A unchanged [repeated-row sku=A]")
	for r := range p.Rows() {
		if r.N != 3 {
			continue
		}
		want := &price.Linked{From: germany, Given: price.Prices{Our: eur(900)}, Percent: "2.5", Rounding: link.Rounding, Floor: link.Floor, Floored: nil,
			Rate: &price.CrossRate{Base: "EUR", From: "1", To: "11", On: "2026-11-20", Source: "our bank"}}
		if diff := cmp.Diff(want, r.Linked, cmp.Comparer(func(a, b price.Money) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	}
	if p.Links == "" || p.Rates == "" || p.Summary.Planned != 5 {
		t.Errorf("header %+v", p.Header)
	}
	if same := build(t, linkedInput(followed(toFrance), "sku;land;preis\nA;DE;9,00\n"), k); same.Links == "" || same.Rates != "" {
		t.Errorf("links within a currency name rates: %+v", same.Header)
	}
	if off := build(t, linkedInput(followed(), "sku;land;preis\nA;DE;9,00\n"), k); off.Links != "" || off.Summary.Rows != 1 {
		t.Errorf("without links: %+v", off.Header)
	}
}

func TestWhatTheFileSaysItselfWinsWhereverItStands(t *testing.T) {
	t.Parallel()
	k := linkedShop("A", "B", "C")
	p := build(t, linkedInput(followed(toFrance, toSweden), "sku;land;preis\nA;DE;9,00\nB;SE;108,00\nB;DE;9,50\nC;DE;9,20\nA;FR;9,10\nC;FR;??\n"), k)
	wantRows(t, p,
		"2 DE A allowed price 9.00 EUR -10.00%", "> 2 SE A allowed price 99.00 SEK -10.00%",
		"3 SE B allowed price 108.00 SEK -1.82%",
		"4 DE B allowed price 9.50 EUR -5.00%", "> 4 FR B allowed price 9.50 EUR -5.00%",
		"5 DE C allowed price 9.20 EUR -8.00%", "> 5 SE C allowed price 101.20 SEK -8.00%",
		"6 FR A allowed price 9.10 EUR -9.00%",
		"7 FR C refused [not-a-number preis=??]") // wrong, and yet nothing is put in its place
}

func TestARowThatMayBeAboutAnOfferRefusesWhatWouldBeDerivedForIt(t *testing.T) {
	t.Parallel()
	k := linkedShop("A", "B")
	for line, want := range map[string][2]string{
		"A;Atlantis;9,00": {"refused [linked-unclear =A]", "allowed price 9.00 EUR -10.00%"}, // A, somewhere
		";FR;9,00":        {"refused [linked-unclear =A]", "refused [linked-unclear =B]"},    // something, in France
		";Atlantis;9,00":  {"refused [linked-unclear =A]", "refused [linked-unclear =B]"},
		";SE;9,00":        {"allowed price 9.00 EUR -10.00%", "allowed price 9.00 EUR -10.00%"},
		";DE;9,00":        {"allowed price 9.00 EUR -10.00%", "allowed price 9.00 EUR -10.00%"},
	} {
		got := rowsOf(build(t, linkedInput(followed(toFrance), "sku;land;preis\nA;DE;9,00\nB;DE;9,00\n"+line+"\n"), k))
		if got[1] != "> 2 FR A "+want[0] || got[3] != "> 3 FR B "+want[1] {
			t.Errorf("%s:\n%s", line, strings.Join(got, "\n"))
		}
	}
	// Without a column for it, every row is about one marketplace.
	got := rowsOf(build(t, linkedInput(followed(toFrance), "sku;preis\nA;9,00\n;9,00\n"), k))
	if got[1] != "> 2 FR A allowed price 9.00 EUR -10.00%" {
		t.Errorf("one marketplace: %s", strings.Join(got, "\n"))
	}
}

func TestWhatFollowsARowThatIsNotPlannedIsNotPlannedEither(t *testing.T) {
	t.Parallel()
	k := linkedShop("held", "refused", "away", "guarded")
	for _, sku := range []price.SKU{"held", "refused"} {
		o := offerIn(france, sku, price.Prices{Our: eur(600)}) // where the same price is nothing special
		if sku == "refused" {
			o.Known.Our = eur(100)
		}
		k.offers[o.Key] = o
	}
	guarded := offerIn(france, "guarded", price.Prices{Our: eur(2000)})
	k.offers[guarded.Key] = guarded
	away := offerIn(germany, "away", price.Prices{})
	delete(k.offers, away.Key)
	w := newWorld()
	in := linkedInput(followed(toFrance), "sku;land;preis\nheld;DE;6,50\nrefused;DE;1,10\naway;DE;9,00\nguarded;DE;9,00\n")
	p := build(t, in, k)
	wantRows(t, p,
		"2 DE held held price 6.50 EUR -35.00% [large-move preis=6.50 EUR]", "> 2 FR held held price 6.50 EUR 8.33% [linked-row sku=held]",
		"3 DE refused refused price 1.10 EUR -89.00% [large-drop preis=1.10 EUR]", "> 3 FR refused refused price 1.10 EUR 10.00% [linked-row sku=refused]",
		"4 DE away refused [unknown-sku sku=away]", "> 4 FR away allowed price 9.00 EUR -10.00%",
		"5 DE guarded allowed price 9.00 EUR -10.00%", "> 5 FR guarded held price 9.00 EUR -55.00% [large-move preis=9.00 EUR]")

	stored, err := w.Create(t.Context(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	out := w.release(t, stored, k, 2) // both together
	page, err := w.Rows(t.Context(), acme, out.ID, "", 10, price.Allowed)
	if err != nil || len(page.Rows) != 2 || page.Rows[0].Linked != nil || page.Rows[1].Linked == nil || out.Links != "" {
		t.Errorf("released %+v, %v", page.Rows, err)
	}
}

func TestWhatFollowsAHeldRowIsReleasedWithItAndNeverWithoutIt(t *testing.T) {
	t.Parallel()
	k := linkedShop("A", "B", "C")
	for sku, our := range map[price.SKU]int64{"A": 600, "B": 1000, "C": 2000} { // follows, is held too, is held alone
		o := offerIn(france, sku, price.Prices{Our: eur(our)})
		o.Automated = sku == "B"
		k.offers[o.Key] = o
	}
	w := newWorld()
	p, err := w.Create(t.Context(), linkedInput(followed(toFrance), "sku;land;preis\nA;DE;6,50\nB;DE;6,50\nC;DE;9,00\n"), k)
	if err != nil || p.Summary.Held != 5 || p.Summary.Planned != 1 {
		t.Fatalf("%+v, %v", p.Summary, err)
	}
	for _, c := range []struct {
		lines []int
		code  string
		want  string
	}{
		{nil, "", "2DE 2FR 3DE 3FR 4FR"},
		{nil, "large-move", "2DE 2FR 3DE 3FR 4FR"},
		{[]int{2}, "large-move", "2DE 2FR"},
		{[]int{2, 4}, "", "2DE 2FR 4FR"},
		{nil, "linked-row", ""},
		{[]int{3}, "automated", ""},
	} {
		rows, err := w.Releasable(t.Context(), p, c.lines, c.code)
		var got []string
		for _, r := range rows {
			m, _ := price.MarketplaceByID(r.Key.Marketplace)
			got = append(got, fmt.Sprint(r.Line, m.Country))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v %q: %v, want %s", c.lines, c.code, got, c.want)
		}
		if c.want == "" && (asFault(err) != "row-not-held" || !strings.Contains(err.Error(), "follows row")) {
			t.Errorf("%v %q: %v", c.lines, c.code, err)
		}
	}
}

func TestAnOldOrMissingRateRefusesTheRowsThatNeedItAndNoOther(t *testing.T) {
	t.Parallel()
	k := linkedShop("A")
	in := linkedInput(followed(toFrance, toSweden), "sku;land;preis\nA;DE;9,00\n")
	in.Now = now.AddDate(0, 0, 2)
	wantRows(t, build(t, in, k), "2 DE A allowed price 9.00 EUR -10.00%", "> 2 FR A allowed price 9.00 EUR -10.00%", "> 2 SE A refused [rate-stale =2026-11-20]")
	in.Links = fx.NewSet(fx.Links{MaxAgeDays: 3, Links: []fx.Link{toSweden}}, nil)
	wantRows(t, build(t, in, k), "2 DE A allowed price 9.00 EUR -10.00%", "> 2 SE A refused [rate-missing =SEK]")
}

func TestAClearMakesAClear(t *testing.T) {
	t.Parallel()
	k := linkedShop("A")
	for key, o := range k.offers {
		sale := price.FromMinor(o.Known.Our.Minor()/2, o.Known.Our.Currency())
		o.Known.Sale = &price.Sale{Price: sale, Start: now.Add(-time.Hour), End: now.Add(time.Hour)}
		o.Known.Min = nil
		k.offers[key] = o
	}
	p := build(t, linkedInput(followed(toSweden), "sku;land;preis;angebotspreis;mindestpreis\nA;DE;;clear;4,00\n"), k)
	for r := range p.Rows() {
		if r.Linked != nil && (!slices.Equal(r.Edit.Clear, []price.Field{price.FieldSale}) || len(r.Edit.Touched()) != 1) {
			t.Errorf("%s: %+v", brief(r), r.Edit)
		}
	}
	if p.Summary.Planned != 2 {
		t.Error(rowsOf(p))
	}
}

func TestNoRoundingCrossesTheFloorOfALink(t *testing.T) {
	t.Parallel()
	link := toFrance
	link.Floor = eur(950)
	in := linkedInput(followed(link), "sku;land;preis\nA;DE;9,20\n")
	g := price.DefaultGuards()
	g.Rounding = &price.Rounding{Ending: "99", Direction: price.Down}
	in.Guards = g
	wantRows(t, build(t, in, linkedShop("A")), "2 DE A allowed price 8.99 EUR -10.10% [rounded preis=9.20 EUR]", "> 2 FR A allowed price 9.50 EUR -5.00%")
}

func TestATokenIsRefusedWhenLinksOrRatesChanged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	k := linkedShop("A")
	in := linkedInput(followed(toSweden), "sku;land;preis\nA;DE;9,00\n")
	p, err := w.Create(t.Context(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	s := &fx.Store{DB: w.db, Clock: w.clock}
	hash := fx.Default().Hash()
	setLinks := func(l ...fx.Link) {
		got, err := s.PutLinks(t.Context(), acme, "key:k2", fx.Links{MaxAgeDays: 3, Links: l}, hash)
		if err != nil {
			t.Fatal(err)
		}
		hash = got.Hash()
	}
	rates := ""
	setRates := func(on string) {
		got, err := s.PutRates(t.Context(), acme, "key:k2", fx.Upload{Base: "EUR", On: on, Name: "our bank", Body: []byte("currency,rate\nSEK,11\n")}, rates)
		if err != nil {
			t.Fatal(err)
		}
		rates = got.Hash()
	}
	claim := func() error {
		_, err := w.Claim(t.Context(), acme, p.ID, p.Token, "k", "bat_a")
		return err
	}
	wantFault(t, claim(), fault.Conflict, "plan-links-changed")
	setLinks(toSweden)
	setRates("2026-11-21")
	wantFault(t, claim(), fault.Conflict, "plan-rates-changed")
	_, err = w.Approve(t.Context(), acme, p.ID, p.Token, "key:k2")
	wantFault(t, err, fault.Conflict, "plan-rates-changed")
	setLinks(toFrance)
	wantFault(t, claim(), fault.Conflict, "plan-links-changed")
	setLinks(toSweden)
	setRates("2026-11-20")
	if err := claim(); err != nil {
		t.Error(err)
	}
}

// The border between two runs of a job falls between rows of the file and rows that
// follow them.
func TestEveryRunOfAJobDerivesTheSameRows(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	var skus []price.SKU
	file.WriteString("sku;land;preis\n")
	for i := range 1_700 {
		s := price.SKU(fmt.Sprintf("S%04d", i))
		skus = append(skus, s)
		fmt.Fprintf(&file, "%s;DE;%s\n", s, []string{"9,00", "6,50", "10,00", "1,00"}[i%4])
		if i > 400 && i%5 == 0 {
			fmt.Fprintf(&file, "%s;SE;%s\n", skus[(i*7)%len(skus)], "105,00")
		}
	}
	k := linkedShop(skus...)
	for _, s := range skus {
		o := offerIn(france, s, price.Prices{Our: eur(700)})
		k.offers[o.Key] = o
	}
	in := linkedInput(followed(toFrance, toSweden), file.String())
	want := build(t, in, k)
	for r := range want.Rows() { // the first of a run, held by the last of the run before
		if r.N == 1001 && (r.Linked == nil || r.Verdict != price.Held || r.Findings[0].Code != plan.CodeLeader) {
			t.Fatal(brief(r))
		}
	}
	w := newWorld()
	w.begin(t, in)
	set, runs := in.Links, 0
	run := func() (bool, error) {
		// Every write takes so long that a run ends at the next border.
		m := w.maker(k, forever, true, time.Minute)
		guards := m.Guards
		m.Guards = func(ctx context.Context, i *plan.Input) error { i.Links = set; return guards(ctx, i) }
		w.clock.Advance(time.Hour)
		runs++
		return m.Run(t.Context(), acme, planID, w.clock.Now().Add(2*time.Minute))
	}
	for {
		done, err := run()
		if err != nil || runs > 50 {
			t.Fatal(runs, err)
		}
		if done {
			break
		}
	}
	if runs < 3 {
		t.Errorf("only %d runs", runs)
	}
	w.samePlan(t, in, k, want)

	w = newWorld()
	w.begin(t, in)
	set = followed(toFrance)
	if done, err := run(); !done || err != nil {
		t.Fatal(done, err)
	}
	if p, err := w.Load(t.Context(), acme, planID); err != nil || p.State != plan.Failed || p.Problem.Type != "plan-links-changed" {
		t.Errorf("other links: %+v, %v", p.Problem, err)
	}
}

// Whatever the links and the file: an offer that the file names gets no derived
// row, no derived price that may go out is below its floor, the order of the links
// means nothing, and after applying a plan the same file has nothing left to do.
func TestLinkedPlansKeepTheirPromises(t *testing.T) {
	t.Parallel()
	derived, applied := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		k := linkedShop("S0", "S1", "S2", "S3")
		var links []fx.Link
		for _, l := range []fx.Link{toFrance, toSweden} {
			if rapid.IntRange(0, 4).Draw(t, "linked") == 4 {
				continue
			}
			l.Percent = rapid.SampledFrom([]string{"", "1.5", "-3", "12"}).Draw(t, "percent")
			if rapid.Bool().Draw(t, "floor") {
				m := price.FromMinor(rapid.Int64Range(700, 12_000).Draw(t, "floor"), l.Currency)
				l.Floor = &m
			}
			if rapid.Bool().Draw(t, "ends") {
				l.Rounding = &price.Rounding{Ending: "95", Direction: rapid.SampledFrom([]price.Direction{price.Nearest, price.Down, price.Up}).Draw(t, "direction")}
			}
			links = append(links, l)
			if rapid.Bool().Draw(t, "one SKU") {
				l.SKU, l.Off = "S2", rapid.Bool().Draw(t, "off")
				links = append(links, l)
			}
		}
		var file strings.Builder
		file.WriteString("sku;land;preis;b2b-preis\n")
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			fmt.Fprintf(&file, "S%d;%s;%s;%s\n", rapid.IntRange(0, 4).Draw(t, "sku"), rapid.SampledFrom([]string{"DE", "DE", "DE", "FR", "SE"}).Draw(t, "land"),
				rapid.SampledFrom([]string{"9,00", "10,00", "8,37", "11,90", "5,00", "x"}).Draw(t, "price"), rapid.SampledFrom([]string{"", "7,00"}).Draw(t, "b2b"))
		}
		in := linkedInput(followed(links...), file.String())
		g := price.DefaultGuards()
		if rapid.Bool().Draw(t, "guards round") {
			g.Rounding = &price.Rounding{Ending: "9", Direction: price.Down}
		}
		in.Guards = g
		first, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		own := map[price.OfferKey]bool{}
		for r := range first.Rows() {
			if r.Linked == nil {
				own[price.OfferKey{Marketplace: r.Key.Marketplace, SKU: r.Key.SKU}] = true
			}
		}
		for r := range first.Rows() {
			if r.Linked == nil {
				continue
			}
			derived++
			if own[price.OfferKey{Marketplace: r.Key.Marketplace, SKU: r.Key.SKU}] || r.Linked.From != germany {
				t.Fatalf("%s is derived and in the file", brief(r))
			}
			if r.Linked.Below(r.Edit) {
				t.Fatalf("%s is below %s", brief(r), r.Linked.Floor)
			}
		}
		in.Links = followed(rapid.Permutation(links).Draw(t, "order")...)
		shuffled, err := plan.Build(context.Background(), in, k)
		if err != nil || shuffled.Token != first.Token {
			t.Fatalf("in another order it is another plan: %v", err)
		}
		applied += int(first.Summary.Planned)
		k.apply(first)
		second, err := plan.Build(context.Background(), in, k)
		if err != nil || second.Summary.Planned != 0 {
			t.Fatalf("first %v\nsecond %v, %v", rowsOf(first), rowsOf(second), err)
		}
	})
	if derived == 0 || applied == 0 {
		t.Fatalf("%d rows were derived, %d applied", derived, applied)
	}
}
