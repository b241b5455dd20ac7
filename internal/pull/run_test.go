package pull

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

func TestANewFileBecomesOnePlanAndAnUnchangedOneNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	p := w.goes(id, Planned)
	if w.made() != 1 || p.Made != 1 || p.SHA256 == "" || p.Size != 17 || !p.Fetched.Equal(w.clock.Now()) || !p.Next.Equal(w.clock.Now().Add(time.Hour)) {
		t.Fatalf("%d plans, %+v", w.made(), p)
	}
	first := p.LastPlan
	made, err := w.run.Plans.Load(t.Context(), owner, first)
	if err != nil || made.File != "prices.csv" || made.Actor != "pull:"+id || made.Maker() != "member:ann" {
		t.Errorf("the plan is of %q by %q, %v", made.File, made.Actor, err)
	}
	names, err := w.blobs.List(t.Context(), owner, store.Files, "uploads/")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if body, _, err := w.blobs.Read(t.Context(), owner, store.Files, names[0]); err != nil || text(body) != "sku;price\nA;1,50" {
		t.Error("the upload is not the file", err)
	}
	w.goes(id, Nothing) // it is not due again

	w.clock.Advance(time.Hour)
	p = w.goes(id, Unchanged) // by its ETag
	if last := w.web.asked[len(w.web.asked)-1]; last.ETag == "" || last.Max != plan.MaxUpload {
		t.Errorf("asked for %+v", last)
	}
	if p.LastPlan != first || !p.Checked.Equal(w.clock.Now()) || !p.Fetched.Equal(w.clock.Now().Add(-time.Hour)) {
		t.Errorf("%+v", p)
	}
	w.clock.Advance(time.Hour)
	w.forget(id, aETag)
	w.goes(id, Unchanged) // by its content
	if w.made() != 1 {
		t.Errorf("%d plans of one file", w.made())
	}

	w.clock.Advance(time.Hour)
	w.web.files[address] = "sku;price\nA;1,60\n"
	if p = w.goes(id, Planned); w.made() != 2 || p.LastPlan == first {
		t.Errorf("%d plans of two files", w.made())
	}
	// Back to the first file is a change too.
	w.clock.Advance(time.Hour)
	w.web.files[address] = "sku;price\nA;1,50\n"
	if p = w.goes(id, Planned); w.made() != 3 || p.LastPlan == first {
		t.Errorf("%d plans of three files", w.made())
	}
	if types, _ := w.events(); !slices.Equal(types, []ledger.Type{ledger.PullCreated, ledger.PullFetched, ledger.PullFetched, ledger.PullFetched}) {
		t.Errorf("the ledger has %v", types)
	}
}

// forget takes an attribute away, as if the server had never sent it.
func (w *world) forget(id, attr string) {
	w.t.Helper()
	if _, err := w.db.Update(w.t.Context(), owner, store.Offers, itemKey(id), store.Update{Remove: []string{attr}}); err != nil {
		w.t.Fatal(err)
	}
}

// A run may die at each of its writes, with the write done or not, and its answer
// lost or not. The runs after it make one plan of one file.
func TestARunThatDiesAnywhereMakesNoSecondPlan(t *testing.T) {
	t.Parallel()
	died := errors.New("the process died")
	deaths := 0
	for fatal := range 6 {
		for _, happens := range []bool{false, true} {
			w := newWorld(t)
			id := w.create(hourly()).ID
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
			_, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(3*time.Minute))
			if err != nil {
				deaths++
			}
			w.db.Hook = nil
			w.clock.Advance(18 * time.Minute) // the message comes back, and the sweep rings
			for range 2 {
				if out, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(3*time.Minute)); err != nil || out == Overtaken {
					t.Fatal(out, err)
				}
			}
			if p := w.get(id); w.made() != 1 || p.Made != 1 || p.LastPlan == "" || p.Failures != 0 {
				t.Errorf("death at write %d, done: %t: %d plans, %+v", fatal+1, happens, w.made(), p)
			}
		}
	}
	if deaths < 5 {
		t.Errorf("only %d runs died: the test tests nothing", deaths)
	}
}

func TestTwoRunsDoNotFetchAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.web.then = func() {
		w.web.then = nil
		w.goes(id, Nothing)
		if _, err := w.store.RunNow(t.Context(), owner, id); faultType(err) != "pull-busy" {
			t.Errorf("run now while it runs: %v", err)
		}
	}
	w.goes(id, Planned)
	if len(w.web.asked) != 1 {
		t.Errorf("asked %d times", len(w.web.asked))
	}
}

func TestARunThatOutlivesItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.web.then = func() {
		w.web.then = nil
		w.clock.Advance(4 * time.Minute)
		w.goes(id, Planned) // another run takes over
		w.web.files[address] = "sku;price\nA;1,60\n"
	}
	late := w.goes(id, Overtaken)
	if late.Made != 1 || late.SHA256 != digestOf("sku;price\nA;1,50\n") {
		t.Errorf("%+v", late)
	}
}

func TestAFailingSourceIsTriedLaterAndLaterAndThenPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.goes(id, Planned)
	w.clock.Advance(time.Hour)
	delete(w.web.files, address)
	var waited []time.Duration
	for range mostFailures - 1 {
		p := w.goes(id, Failed)
		if p.Problem == nil || p.Problem.Type != "fetch-status" || p.State != Active || p.SHA256 == "" {
			t.Fatalf("%+v", p)
		}
		waited = append(waited, p.Next.Sub(w.clock.Now()))
		w.clock.Advance(p.Next.Sub(w.clock.Now()))
	}
	if !slices.IsSorted(waited) || waited[0] != 5*time.Minute || waited[6] != 8*time.Hour {
		t.Errorf("waited %v", waited)
	}
	p := w.goes(id, GaveUp)
	if p.State != Paused || p.Failures != mostFailures || !strings.Contains(p.Problem.Detail, "404") {
		t.Errorf("%+v", p)
	}
	w.clock.Advance(24 * time.Hour)
	w.goes(id, Nothing)
	if _, err := w.store.RunNow(t.Context(), owner, id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a paused source runs: %v", err)
	}
	// Setting it again has it go on, from the beginning.
	w.web.files[address] = "sku;price\nA;1,50\n"
	if p, err := w.store.Change(t.Context(), owner, id, By{Actor: "key:bob"}, hourly(), p.Revision); err != nil || p.State != Active || p.Failures != 0 || p.Problem != nil {
		t.Fatal(p, err)
	}
	w.goes(id, Planned)
	types, all := w.events()
	if want := []ledger.Type{ledger.PullCreated, ledger.PullFetched, ledger.PullPaused, ledger.PullChanged, ledger.PullFetched}; !slices.Equal(types, want) {
		t.Fatalf("the ledger has %v, want %v", types, want)
	}
	if all[2].Actor != "pull:"+id || !strings.Contains(string(all[2].After), "404") || all[3].Actor != "key:bob" {
		t.Errorf("%+v", all)
	}
}

func TestOneSuccessForgetsTheFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.web.err = fault.New(fault.Unavailable, "fetch-slow", "The server took too long.")
	w.clock.Advance(w.goes(id, Failed).Next.Sub(w.clock.Now()))
	w.web.err = nil
	if p := w.goes(id, Planned); p.Failures != 0 || p.Problem != nil {
		t.Errorf("%+v", p)
	}
}

func TestWhatWeDoWrongIsNotTheSourcesFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.web.err = errors.New("disk full")
	if _, err := w.run.Run(t.Context(), owner, id, w.clock.Now().Add(time.Minute)); err == nil {
		t.Error("no error")
	}
	if p := w.get(id); p.Failures != 0 || p.State != Active {
		t.Errorf("%+v", p)
	}
}

func TestAChecksumThatDoesNotFitKeepsAFileOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src := hourly()
	src.ChecksumURL = "https://files.example.com/prices.csv.sha256"
	id := w.create(src).ID
	w.goes(id, Failed) // there is none
	for _, bad := range []string{"", "<html>", strings.Repeat("0", 63), strings.Repeat("g", 64), strings.Repeat("0", 64) + "  prices.csv"} {
		w.web.files[src.ChecksumURL] = bad
		p := w.get(id)
		w.clock.Advance(p.Next.Sub(w.clock.Now()))
		if p = w.goes(id, Failed); p.Problem.Type != "pull-checksum" || w.made() != 0 {
			t.Errorf("%q: %+v", bad, p.Problem)
		}
	}
	w.web.files[src.ChecksumURL] = strings.ToUpper(digestOf(w.web.files[address])) + " *prices.csv\n"
	w.clock.Advance(8 * time.Hour)
	if p := w.goes(id, Planned); w.made() != 1 || p.Problem != nil {
		t.Errorf("%+v", p)
	}
}

func TestAChecksumIsReadInTheFormsThatToolsWriteIt(t *testing.T) {
	t.Parallel()
	const url = "https://files.example.com/out/prices.csv?key=1"
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for text, want := range map[string]string{
		a:                                   a,
		strings.ToUpper(a) + "\r\n":         a,
		"\ufeff" + a + "  prices.csv\n":     a,
		a + " *prices.csv":                  a,
		a + "\tprices.csv":                  a,
		a + "  another-name.csv\n":          a,
		"\\" + a + "  odd\\nname.csv\n":     a,
		"SHA256 (prices.csv) = " + a:        a,
		"SHA256(prices.csv)= " + a + "\n":   a,
		"SHA2-256(prices.csv)= " + a + "\n": a,
		b + "  stock.csv\n" + a + "  prices.csv\n" + b + "  prices.csv.old\n": a,
		b + "  ./out/stock.csv\n\n" + a + "  ./out/prices.csv\n":              a,
		a + "\n" + b + "\n":               "",
		a + "  x.csv\n" + b + "  y.csv\n": "",
		"prices.csv " + a:                 "",
		a + a:                             "",
		a + " prices.csv\n<br>":           "",
		"\n\n":                            "",
	} {
		got, err := checksum(text, url)
		if got != want || (err == nil) != (want != "") || err != nil && faultType(err) != "pull-checksum" {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

// Servers say 200 to their error pages, too: such a page is no new file.
func TestAWebPageIsNoFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	was := w.goes(id, Planned)
	file := w.web.files[address]
	for _, page := range []string{"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>", "\ufeff\r\n <HTML lang=en>"} {
		w.clock.Advance(time.Hour)
		w.web.files[address] = page
		if p := w.goes(id, Failed); p.Problem.Type != "pull-page" || p.SHA256 != was.SHA256 || p.LastPlan != was.LastPlan {
			t.Errorf("%q: %+v", page, p)
		}
	}
	w.clock.Advance(time.Hour)
	w.web.files[address] = file
	if p := w.goes(id, Unchanged); p.Problem != nil || w.made() != 1 {
		t.Errorf("the file before is back: %+v", p)
	}
}

// Nobody is there to plan a fetched file again when the guards change under its plan.
func TestAFileIsPlannedAgainWhenTheGuardsChangedUnderItsPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	first := w.goes(id, Planned).LastPlan
	maker := &plan.Maker{Store: w.run.Plans, Guards: func(_ context.Context, in *plan.Input) error {
		stricter := price.DefaultGuards()
		stricter.NeverTouch = true
		in.Guards = stricter
		return nil
	}}
	if done, err := maker.Run(t.Context(), owner, first, w.clock.Now().Add(time.Hour)); !done || err != nil {
		t.Fatal(done, err)
	}
	if p, err := w.run.Plans.Load(t.Context(), owner, first); err != nil || p.State != plan.Failed || p.Problem.Type != guardsChanged {
		t.Fatal(p.State, p.Problem, err)
	}
	w.clock.Advance(time.Hour)
	p := w.goes(id, Planned)
	if last := w.web.asked[len(w.web.asked)-1]; p.LastPlan == first || last.ETag != "" {
		t.Errorf("%+v, asked for %+v", p, last)
	}
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged) // that plan is being made
}

func TestASourceThatChangedWhileItRanIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world, Pull) error{
		"changed": func(w *world, p Pull) error {
			_, err := w.store.Change(t.Context(), owner, p.ID, By{Actor: "key:bob"}, Source{URL: "https://files.example.com/other.csv", Schedule: p.Schedule}, p.Revision)
			return err
		},
		"deleted": func(w *world, p Pull) error { return w.store.Delete(t.Context(), owner, p.ID, "key:bob", p.Revision) },
	} {
		w := newWorld(t)
		p := w.create(hourly())
		w.web.then = func() {
			w.web.then = nil
			if err := change(w, p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if out, err := w.run.Run(t.Context(), owner, p.ID, w.clock.Now().Add(3*time.Minute)); out != Overtaken || err != nil {
			t.Errorf("%s: %s, %v", name, out, err)
		}
		now, err := w.store.Get(t.Context(), owner, p.ID)
		if name == "deleted" && fault.KindOf(err) != fault.NotFound || name == "changed" && (err != nil || now.Made != 0 || now.SHA256 != "" || now.URL == address) {
			t.Errorf("%s: %+v, %v", name, now, err)
		}
	}
}

func TestRunNowPlansAFileThatDidNotChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(hourly()).ID
	w.goes(id, Planned)
	w.clock.Advance(time.Minute)
	if p, err := w.store.RunNow(t.Context(), owner, id); err != nil || !p.Next.Equal(w.clock.Now()) {
		t.Fatal(p, err)
	}
	// It is not forgotten over a failure.
	w.web.err = fault.New(fault.Unavailable, "fetch-slow", "The server took too long.")
	w.clock.Advance(w.goes(id, Failed).Next.Sub(w.clock.Now()))
	w.web.err = nil
	w.goes(id, Planned)
	if w.made() != 2 {
		t.Errorf("%d plans", w.made())
	}
	w.clock.Advance(time.Hour)
	w.goes(id, Unchanged) // once only
}
