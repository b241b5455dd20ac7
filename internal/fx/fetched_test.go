package fx_test

import (
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// fetched is a CSV that changed on a day of November 2026.
func fetched(day, body string) fx.Fetched {
	return fx.Fetched{Body: []byte(body), Host: "rates.example.com", Base: "EUR", Modified: day + " Nov 2026 23:59:59 GMT"}
}

func (w *takes) take(from fx.Source, with ...store.Write) (bool, error) {
	w.t.Helper()
	old, err := w.s.Rates(w.t.Context(), acme)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.s.Take(w.t.Context(), acme, "pull:p", from, old, with...)
}

type takes struct {
	t *testing.T
	s *fx.Store
}

// stands are the rates as they are.
func (w *takes) stands() fx.StoredRates {
	w.t.Helper()
	r, err := w.s.Rates(w.t.Context(), acme)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestATableThatNobodyLookedAtReplacesOnlyAnOlderOneThatItHardlyMoves(t *testing.T) {
	t.Parallel()
	const was = "currency,rate\nSEK,10\nGBP,0.8\n"
	day20 := `<Cube time="2026-11-20"><Cube currency="SEK" rate="10.0"/><Cube currency="GBP" rate="0.80"/></Cube>`
	dollars := fetched("Sat, 21", was)
	dollars.Base = "USD"
	for name, c := range map[string]struct {
		from  fx.Source
		taken bool
		wrong string
	}{
		"ten percent up and down":  {fetched("Sat, 21", "currency,rate\nSEK,11\nGBP,0.72\n"), true, ""},
		"more than that up":        {fetched("Sat, 21", "currency,rate\nSEK,11.000000000000000001\nGBP,0.8\n"), false, "by more than 10 percent: SEK from 10 to 11.000000000000000001."},
		"more than that down":      {fetched("Sat, 21", "currency,rate\nSEK,10\nGBP,0.71999\n"), false, "GBP from 0.8 to 0.71999."},
		"another and one less":     {fetched("Sat, 21", "currency,rate\nSEK,10\nUSD,1.1\n"), true, ""},
		"the same of another day":  {fetched("Sat, 21", was), true, ""},
		"the same of the same day": {ecb(day20), false, ""},
		"others of the same day":   {fetched("Fri, 20", "currency,rate\nSEK,10.1\nGBP,0.8\n"), false, "The table is of 2026-11-20, and the rates that are there are of 2026-11-20."},
		"older":                    {fetched("Thu, 19", was), false, "is of 2026-11-19"},
		"for another currency":     {dollars, false, "for one USD"},
		"of a day to come":         {fetched("Tue, 24", was), false, "is to come"},
		"wrong":                    {fetched("Sat, 21", "currency,rate\nSEK,\"10,1\"\n"), false, "is not a plain decimal"},
	} {
		w := &takes{t, newStore()}
		if _, err := w.s.PutRates(t.Context(), acme, "key:k1", upload(was), ""); err != nil {
			t.Fatal(err)
		}
		before := w.stands()
		taken, err := w.take(c.from)
		if taken != c.taken || (err == nil) != (c.wrong == "") {
			t.Errorf("%s: taken %t, %v", name, taken, err)
			continue
		}
		if err != nil {
			if typ, text, _ := problemOf(t, err); typ != "rates" || fault.KindOf(err) != fault.Invalid || !strings.Contains(text, c.wrong) {
				t.Errorf("%s: %s, %s", name, typ, text)
			}
		}
		switch now := w.stands(); {
		case !taken && (now.Hash() != before.Hash() || now.Version != before.Version):
			t.Errorf("%s: nothing was taken, and the rates are %+v", name, now)
		case taken && (now.Actor != "pull:p" || now.Source != "rates.example.com" || now.On != "2026-11-21" || now.Version.Version != 2):
			t.Errorf("%s: %+v of %+v", name, now.Table, now.Version)
		}
	}
}

func TestTheFirstTableIsTakenAndIsOfTheDayThatItSays(t *testing.T) {
	t.Parallel()
	const bom = "\xef\xbb\xbf"
	bank := ecb(`<Cube time="2026-11-20"><Cube currency="SEK" rate="11.2"/></Cube>`).Body
	for name, c := range map[string]struct {
		from      fx.Fetched
		on, wrong string
	}{
		"of the bank":             {fx.Fetched{Body: append([]byte(bom+"\n "), bank[strings.Index(string(bank), "<gesmes:Env"):]...), Host: "h.example.com", Modified: "Sat, 21 Nov 2026 10:00:00 GMT"}, "2026-11-20", ""},
		"a CSV":                   {fetched("Sat, 21", bom+"currency,rate\nSEK,11\n"), "2026-11-21", ""},
		"a CSV without a date":    {fx.Fetched{Body: []byte("currency,rate\nSEK,11\n"), Host: "h.example.com", Base: "EUR"}, "", "sends no Last-Modified"},
		"a CSV without a base":    {fx.Fetched{Body: []byte("currency,rate\nSEK,11\n"), Host: "h.example.com", Modified: "Sat, 21 Nov 2026 10:00:00 GMT"}, "", "Set base in the source"},
		"a page that says sorry":  {fx.Fetched{Body: []byte("<html><body>Sorry</body></html>"), Host: "h.example.com"}, "", "rates of 0 days"},
		"a CSV that says nothing": {fetched("Sat, 21", "currency,rate\n"), "", "has 0 rates"},
	} {
		w := &takes{t, newStore()}
		taken, err := w.take(c.from)
		if taken != (c.on != "") || (err == nil) != taken {
			t.Errorf("%s: taken %t, %v", name, taken, err)
		} else if err != nil {
			if _, text, _ := problemOf(t, err); !strings.Contains(text, c.wrong) {
				t.Errorf("%s: %s", name, text)
			}
		} else if now := w.stands(); now.On != c.on || now.Source != c.from.Host {
			t.Errorf("%s: %+v", name, now.Table)
		}
	}
}

func TestRatesAndWhatGoesWithThemAreTakenTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := &takes{t, newStore()}
	from, mark := fetched("Fri, 20", "currency,rate\nSEK,11\n"), store.Key{PK: "p", SK: "s"}
	with := store.Write{Tenant: acme, Table: store.Offers, Put: &store.Item{Key: mark}, If: []store.Cond{store.Exists()}}
	if taken, err := w.take(from, with); taken || fault.KindOf(err) != fault.Conflict || w.stands().Version.Version != 0 {
		t.Errorf("with a condition that does not hold: %t, %v", taken, err)
	}
	with.If = nil
	if taken, err := w.take(from, with); !taken || err != nil {
		t.Fatal(taken, err)
	}
	if _, err := w.s.DB.Get(t.Context(), acme, store.Offers, mark); err != nil {
		t.Error(err)
	}
	old := w.stands()
	if _, err := w.s.PutRates(t.Context(), acme, "key:k1", upload("currency,rate\nSEK,11.1\n"), old.Hash()); err != nil {
		t.Fatal(err)
	}
	if taken, err := w.s.Take(t.Context(), acme, "pull:p", fetched("Sat, 21", "currency,rate\nSEK,11\n"), old); taken || fault.KindOf(err) != fault.Conflict {
		t.Errorf("over rates that were changed meanwhile: %t, %v", taken, err)
	}
}

func TestMembersSeeWhoChangedLinksAndRates(t *testing.T) {
	t.Parallel()
	w := &takes{t, newStore()}
	l, err := w.s.PutLinks(t.Context(), acme, "key:k1", links(link(sweden)), fx.Default().Hash())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.PutLinks(t.Context(), acme, "key:k2", links(), fx.Default().Hash()); err == nil {
		t.Fatal("links that nobody saw were replaced")
	}
	if taken, err := w.take(fetched("Fri, 20", "currency,rate\nSEK,11\n")); !taken || err != nil {
		t.Fatal(taken, err)
	}
	list, _, err := (&guard.Store{DB: w.s.DB, Clock: w.s.Clock}).Notices(t.Context(), acme, "", 10)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	r := w.stands()
	if n := list[0]; n.What != "rates" || n.Actor != "pull:p" || n.Before != "" || n.After != r.Hash() || !n.At.Equal(now) {
		t.Errorf("%+v", n)
	}
	if n := list[1]; n.What != "links" || n.Actor != "key:k1" || n.Before != fx.Default().Hash() || n.After != l.Hash() {
		t.Errorf("%+v", n)
	}
}

// Rates are read by the same parsers as an upload's, and what comes from strangers
// makes a table or a fault, and nothing else.
func FuzzFetched(f *testing.F) {
	f.Add([]byte("currency,rate\nSEK,11\n"))
	f.Add([]byte("\xef\xbb\xbf<Cube><Cube><Cube time=\"2026-11-20\"><Cube currency=\"SEK\" rate=\"11\"/></Cube></Cube></Cube>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := &takes{t, newStore()}
		from := fetched("Fri, 20", "")
		from.Body = body
		taken, err := w.take(from)
		if err != nil {
			problemOf(t, err)
			return
		}
		now := w.stands()
		if !taken || len(now.Rates) == 0 {
			t.Fatalf("%t, %+v", taken, now)
		}
		if again, err := w.take(from); again || err != nil {
			t.Fatalf("the same again: %t, %v", again, err)
		}
		for c, r := range now.Rates {
			if r == "" || strings.ContainsAny(r, "-eE/ ") || c == price.Currency("") {
				t.Fatalf("%s: %q", c, r)
			}
		}
	})
}
