package pull

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

const bank = "https://www.bank.example/stats/eurofxref-daily.xml?key=secret"

// eurofx is the bank's file of a day.
func eurofx(day, sek string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Envelope><Cube><Cube time=%q><Cube currency="SEK" rate=%q/></Cube></Cube></Envelope>`, day, sek)
}

func ofRates() Source { return Source{Kind: Rates, URL: bank, Schedule: Schedule{EveryMinutes: 60}} }

// newRates is a world in which the bank has rates of Friday.
func newRates(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t)
	w.web.files[bank] = eurofx("2026-11-20", "11.0")
	return w, w.create(ofRates()).ID
}

func (w *world) stands() fx.StoredRates {
	w.t.Helper()
	r, err := w.rates.Rates(w.t.Context(), owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// byHand uploads the bank's file.
func (w *world) byHand() {
	w.t.Helper()
	if _, err := w.rates.PutRates(w.t.Context(), owner, "key:ann", fx.Upload{Body: []byte(w.web.files[bank]), XML: true}, w.stands().Hash()); err != nil {
		w.t.Fatal(err)
	}
}

// told is who changed rates, by the ledger and by the notices.
func (w *world) told() (by []string) {
	w.t.Helper()
	for _, r := range w.db.Records(store.Offers, "") {
		for _, e := range fx.Events(r) {
			if e.Type != ledger.RatesChanged {
				w.t.Errorf("%+v", e)
			}
			by = append(by, e.Actor)
		}
	}
	list, _, err := (&guard.Store{DB: w.db, Clock: w.clock}).Notices(w.t.Context(), owner, "", 50)
	list = slices.DeleteFunc(list, func(n guard.Notice) bool { return n.What == guard.ChangedSource }) // who set the source
	if err != nil || len(list) != len(by) {
		w.t.Errorf("%d notices of %d changes, %v", len(list), len(by), err)
	}
	for i, n := range list {
		if n.What != guard.ChangedRates || n.Actor != by[len(by)-1-i] {
			w.t.Errorf("%+v", n)
		}
	}
	return by
}

func TestNewerRatesAreTakenAndTheSameOnesPassedOver(t *testing.T) {
	t.Parallel()
	w, id := newRates(t)
	p := w.goes(id, Taken)
	r := w.stands()
	if r.On != "2026-11-20" || r.Rates["SEK"] != "11" || r.Source != "www.bank.example" || r.Actor != "pull:"+id {
		t.Errorf("%+v of %+v", r.Table, r.Version)
	}
	if p.Made != 1 || p.SHA256 != digestOf(w.web.files[bank]) || !p.Fetched.Equal(w.clock.Now()) || p.LastPlan != "" || w.made() != 0 {
		t.Errorf("%+v", p)
	}
	if asked := w.web.asked[0]; asked.Max != fx.MaxTable {
		t.Errorf("asked for %+v", asked)
	}
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged)
	w.web.files[bank] += "\n" // another file with the same rates
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged)
	w.clock.Advance(24 * time.Hour)
	w.web.files[bank] = eurofx("2026-11-23", "11.1")
	if p = w.goes(id, Taken); p.Made != 2 || w.stands().On != "2026-11-23" {
		t.Errorf("%+v", p)
	}
	if types, all := w.events(); !slices.Equal(types, []ledger.Type{ledger.PullCreated, ledger.PullFetched, ledger.PullFetched}) ||
		all[1].Actor != "pull:"+id || strings.Contains(string(all[1].After), "plan") || !strings.Contains(string(all[2].After), digestOf(w.web.files[bank])) {
		t.Errorf("the ledger has %+v", all)
	}
	if by := w.told(); !slices.Equal(by, []string{"pull:" + id, "pull:" + id}) {
		t.Errorf("rates were changed by %q", by)
	}
}

func TestTheSameCSVOfAnotherDayIsNewerRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const csv = "https://files.example.com/rates.csv"
	w.web.files[csv], w.web.modified = "currency,rate\nSEK,11\n", "Fri, 20 Nov 2026 15:00:00 GMT"
	id := w.create(Source{Kind: Rates, URL: csv, Base: "EUR", Schedule: Schedule{EveryMinutes: 60}}).ID
	w.goes(id, Taken)
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged)
	w.web.modified = "Sun, 22 Nov 2026 06:00:00 GMT"
	w.clock.Advance(time.Hour)
	if w.goes(id, Taken); w.stands().On != "2026-11-22" || w.stands().Version.Version != 2 {
		t.Errorf("%+v", w.stands().Table)
	}
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged)
}

func TestATableThatShouldNotBeTakenUnseenIsShownUntilSomebodyUploadsIt(t *testing.T) {
	t.Parallel()
	for wrong, body := range map[string]string{
		"SEK from 11 to 12.2":                    eurofx("2026-11-21", "12.2"),
		"is of 2026-11-19":                       eurofx("2026-11-19", "11.0"),
		"rates that are there are of 2026-11-20": eurofx("2026-11-20", "11.1"),
	} {
		w, id := newRates(t)
		w.goes(id, Taken)
		w.web.files[bank] = body
		w.clock.Advance(time.Hour)
		was := w.stands()
		p := w.goes(id, Failed)
		if p.Problem == nil || p.Problem.Type != "rates" || !strings.Contains(p.Problem.Detail, wrong) || p.Failures != 1 || p.Made != 1 || !p.Next.Equal(w.clock.Now().Add(5*time.Minute)) {
			t.Errorf("%s: %+v, %+v", wrong, p, p.Problem)
		}
		if now := w.stands(); now.Version != was.Version || now.Hash() != was.Hash() {
			t.Errorf("%s: the rates are %+v", wrong, now)
		}
		w.byHand()
		w.clock.Advance(5 * time.Minute)
		if p = w.goes(id, Unchanged); p.Problem != nil || p.Failures != 0 {
			t.Errorf("%s: it was uploaded, and %+v", wrong, p)
		}
		if by := w.told(); !slices.Equal(by, []string{"pull:" + id, "key:ann"}) {
			t.Errorf("%s: rates were changed by %q", wrong, by)
		}
	}
}

func TestASourceOfWrongRatesPausesInTheEnd(t *testing.T) {
	t.Parallel()
	w, id := newRates(t)
	w.web.files[bank] = "<html>Sorry</html>"
	for range mostFailures - 1 {
		w.clock.Advance(w.goes(id, Failed).Next.Sub(w.clock.Now()))
	}
	if p := w.goes(id, GaveUp); p.State != Paused || w.stands().Table != nil {
		t.Errorf("%+v", p)
	}
}

// A run may die at each of its writes, with the write done or not.
func TestARunThatDiesAnywhereTakesRatesOnce(t *testing.T) {
	t.Parallel()
	died := errors.New("the process died")
	deaths := 0
	for fatal := range 3 {
		for _, happens := range []bool{false, true} {
			w, id := newRates(t)
			writes := 0
			w.db.Hook = func(memory.Op) (bool, error) {
				writes++
				if writes <= fatal {
					return true, nil
				}
				if writes == fatal+1 {
					return happens, died
				}
				return false, died // it stays dead
			}
			if _, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(3*time.Minute)); err != nil {
				deaths++
			}
			w.db.Hook = nil
			w.clock.Advance(18 * time.Minute)
			for range 2 {
				if out, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(3*time.Minute)); err != nil || out == Overtaken {
					t.Fatal(out, err)
				}
			}
			types, _ := w.events()
			if p := w.get(id); p.Made != 1 || p.Failures != 0 || w.stands().Version.Version != 1 || len(w.told()) != 1 || len(types) != 2 {
				t.Errorf("death at write %d, done: %t: %+v, %+v, %v", fatal+1, happens, p, w.stands().Version, types)
			}
		}
	}
	if deaths < 4 {
		t.Errorf("only %d runs died: the test tests nothing", deaths)
	}
}

func TestRatesOfASourceThatIsGoneAreNotTaken(t *testing.T) {
	t.Parallel()
	w, id := newRates(t)
	w.web.then = func() {
		if err := w.store.Delete(t.Context(), owner, id, "key:bob", 1); err != nil {
			t.Error(err)
		}
	}
	if out, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(3*time.Minute)); out != Overtaken || err != nil {
		t.Error(out, err)
	}
	if w.stands().Table != nil || len(w.told()) != 0 {
		t.Errorf("the rates are %+v", w.stands().Table)
	}
}

// Whoever uploads rates while some are fetched is not overwritten unseen.
func TestRatesThatAreUploadedMeanwhileAreLookedAt(t *testing.T) {
	t.Parallel()
	w, id := newRates(t)
	uploads := 0
	w.db.Hook = func(op memory.Op) (bool, error) {
		// The first write is the lease, and the second takes the rates.
		if uploads++; uploads == 2 {
			w.web.files[bank] = eurofx("2026-11-21", "13")
			w.byHand()
		}
		return true, nil
	}
	p := w.goes(id, Failed)
	if r := w.stands(); r.Actor != "key:ann" || r.On != "2026-11-21" || !strings.Contains(p.Problem.Detail, "is of 2026-11-20") {
		t.Errorf("%+v, %+v", r, p.Problem)
	}
}

func TestWhatIsOfPricesIsNotOfRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for typ, change := range map[string]func(*Source){
		"kind":     func(s *Source) { s.Kind = "stock" },
		"kind ":    func(s *Source) { s.Policy = "skip-bad-rows" },
		"kind  ":   func(s *Source) { s.Marketplace = "DE" },
		"kind   ":  func(s *Source) { s.Kind, s.Base = Prices, "EUR" },
		"base":     func(s *Source) { s.Base = "euro" },
		"schedule": func(s *Source) { s.Schedule.EveryMinutes = 1 },
	} {
		src := ofRates()
		change(&src)
		if _, err := w.store.Create(t.Context(), owner, By{Actor: "key:ann"}, src, strings.NewReader(strings.Repeat("x", 16))); faultType(err) != strings.TrimSpace(typ) {
			t.Errorf("%+v: %v", src, err)
		}
	}
	if p := w.create(hourly()); p.Kind != Prices || p.Policy == "" {
		t.Errorf("%+v", p)
	}
	// A source from before there were kinds.
	id := w.create(hourly()).ID
	_, err := w.db.Update(t.Context(), owner, store.Offers, itemKey(id), store.Update{Set: map[string]any{aSource: []byte(`{"url":"https://files.example.com/[hidden]","schedule":{"everyMinutes":60},"policy":"skip-bad-rows"}`)}})
	if err != nil || w.get(id).Kind != Prices {
		t.Errorf("%+v, %v", w.get(id), err)
	}
	if w.goes(id, Planned); w.made() != 1 {
		t.Errorf("%d plans", w.made())
	}
}
