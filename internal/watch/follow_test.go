package watch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	alpha tenant.ID = "t_alpha00001"
	beta  tenant.ID = "t_beta000001"
)

type world struct {
	*Watcher
	db    *memory.DB
	clock *clock.Manual
	log   *ledger.Log
	found *Findings
	n     int
}

func setup(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(start)
	db := memory.New(clk)
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader)
	return &world{db: db, clock: clk, log: log, Watcher: &Watcher{DB: db, Ledger: log, Clock: clk, Doors: privacy.Doors{DB: db}}, found: &Findings{DB: db, Clock: clk}}
}

func (w *world) append(t *testing.T, owner tenant.ID, events ...ledger.Event) {
	t.Helper()
	for _, e := range events {
		w.n++
		if err := w.log.AppendDirect(t.Context(), owner, fmt.Sprint(w.n), e); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) list(t *testing.T, owner tenant.ID) []Finding {
	t.Helper()
	list, _, err := w.found.List(t.Context(), owner, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A write that fails before or after its effect, and two followers at once, change
// neither the sums nor the findings.
func TestEveryEventIsCountedOnceWhateverFails(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.append(t, beta, exported("key:b", start, 10))
	for i := range 4 {
		w.append(t, alpha, exported("key:a", start.Add(time.Duration(i)*time.Second), 20_000))
		fail := errors.New("lost")
		w.db.Hook = func(memory.Op) (bool, error) { return i%2 == 0, fail }
		if err := w.Follow(t.Context(), alpha); !errors.Is(err, fail) {
			t.Fatal(err)
		}
		w.db.Hook = nil
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				if err := w.Follow(context.Background(), alpha); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	list := w.list(t, alpha)
	if len(list) != 1 || list[0].Observed != 60_000 || list[0].First != 0 || list[0].Last != 2 || list[0].State != Open || list[0].ID != "000000000000002.mass-export" {
		t.Fatalf("found %+v", list)
	}
	it, err := w.db.Get(t.Context(), alpha, store.Offers, stateKey)
	if err != nil {
		t.Fatal(err)
	}
	var s state
	if err := json.Unmarshal(it.Bytes(aRules), &s); err != nil || it.Int(aNext) != 4 || s.Rows.Open[0].Sum != 80_000 || s.Rows.Open[0].Events != 4 {
		t.Errorf("next %d, %+v, %v", it.Int(aNext), s.Rows, err)
	}
	if err := w.Follow(t.Context(), beta); err != nil || len(w.list(t, beta)) != 0 {
		t.Errorf("another tenant: %v, %+v", err, w.list(t, beta))
	}
}

func TestAnOldLedgerIsLearntFromAndRaisesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.append(t, alpha, exported("key:a", start, 900_000))
	w.clock.Advance(stale + time.Second)
	if err := w.Follow(t.Context(), alpha); err != nil || len(w.list(t, alpha)) != 0 {
		t.Fatalf("%v, %+v", err, w.list(t, alpha))
	}
	w.append(t, alpha, exported("key:a", w.clock.Now(), 900_000))
	if err := w.Follow(t.Context(), alpha); err != nil || len(w.list(t, alpha)) != 1 {
		t.Errorf("%v, %+v", err, w.list(t, alpha))
	}
}

// many is a ledger of any length, each event by another actor and too much.
type many int64

func (n many) Events(_ context.Context, _ tenant.ID, from int64, limit int) (out []ledger.Leaf, err error) {
	for i := from; i < int64(n) && len(out) < limit; i++ {
		b, err := json.Marshal(exported(fmt.Sprintf("key:%d", i%2*i), start, 60_000*(i%2)))
		if err != nil {
			return nil, err
		}
		out = append(out, ledger.Leaf{Index: i, Event: b})
	}
	return out, nil
}

func TestALongLedgerIsTakenInStepsAndNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Ledger = many(1_100) // 550 findings, of which 20 fit one write
	err := w.Follow(t.Context(), alpha)
	if !errors.Is(err, ErrBehind) {
		t.Fatalf("%v, want to be behind", err)
	}
	if err := w.Follow(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for after := ""; ; {
		list, next, err := w.found.List(t.Context(), alpha, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			ids = append(ids, f.ID)
		}
		if after = next; after == "" {
			break
		}
	}
	if len(ids) != 550 || !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("%d findings, want 550, the newest first", len(ids))
	}
}

func TestAFindingAndItsAnswersAreInTheLedgerOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.answers(fine)
	w.append(t, alpha, exported("key:a", start, 60_000))
	if err := w.Follow(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	id := w.list(t, alpha)[0].ID
	for range 2 {
		if _, err := a.WasMe(t.Context(), alpha, "key:b", id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := a.NotMe(t.Context(), alpha, "key:c", id); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	raised := 0
	for _, r := range w.db.Records(store.Offers, "") {
		if k, ok := Raised(r); ok && k == MassExport {
			raised++
		}
		for _, e := range Events(r) {
			got = append(got, fmt.Sprint(e.Type, " ", e.Actor, " ", e.Target, " ", e.At.Equal(start), " ", string(e.After)))
		}
	}
	want := []string{
		"suspicion.raised system:audit-stream suspicion:" + id + ` true {"evidence":{"at":"2026-11-02T08:00:00Z","unit":"rows","observed":60000,"limit":50000,"usual":0,"events":1,"firstLeaf":0,"lastLeaf":0},"kind":"mass-export","subject":"key:a"}`,
		"suspicion.answered key:b suspicion:" + id + ` true {"answer":"was-me"}`,
		"suspicion.answered key:c suspicion:" + id + ` true {"answer":"not-me"}`,
	}
	if !slices.Equal(got, want) || raised != 1 {
		t.Errorf("raised %d times, events\n%s\nwant\n%s", raised, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// answers are Answers whose deeds are told to do, which says how they end.
func (w *world) answers(do func(what, by, on string) error) *Answers {
	deed := func(what string) func(context.Context, tenant.ID, string, string) error {
		return func(_ context.Context, t tenant.ID, actor, on string) error {
			return do(fmt.Sprint(what, " ", t), actor, on)
		}
	}
	return &Answers{Findings: w.found, Freeze: deed("freeze"), Revoke: deed("revoke")}
}

func fine(string, string, string) error { return nil }

func TestNotMeFreezesAndRevokesBeforeItIsAnsweredAndOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.append(t, alpha, exported("key:a", start, 60_000))
	if err := w.Follow(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	id := w.list(t, alpha)[0].ID
	var done []string
	errs := map[string]error{}
	a := w.answers(func(what, by, on string) error {
		done = append(done, fmt.Sprint(what, " by ", by, " ", on))
		return errs[strings.Fields(what)[0]]
	})
	for _, what := range []string{"freeze", "revoke"} {
		errs[what] = errors.New("down")
		if _, err := a.NotMe(t.Context(), alpha, "key:b", id); err == nil || w.list(t, alpha)[0].State != Open {
			t.Errorf("%s failed: %v, and it is %s", what, err, w.list(t, alpha)[0].State)
		}
		delete(errs, what)
	}
	errs["revoke"] = fault.New(fault.NotFound, "", "gone") // a key that is gone is as good as revoked
	done = nil
	for range 2 {
		f, err := a.NotMe(t.Context(), alpha, "key:b", id)
		if err != nil || f.State != Theft || f.AnsweredBy != "key:b" || !f.AnsweredAt.Equal(start) {
			t.Fatalf("%+v, %v", f, err)
		}
	}
	want := []string{"freeze t_alpha00001 by key:b suspicion " + id + ": this was not me", "revoke t_alpha00001 by key:b a"}
	if !slices.Equal(done, want) {
		t.Errorf("did %q, want %q", done, want)
	}
	if _, err := a.WasMe(t.Context(), alpha, "key:b", id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("theft was taken back: %v", err)
	}
}

func TestWhomASuspicionIsAboutCannotCloseItAndNoOtherTenantCan(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.answers(fine)
	w.append(t, alpha, exported("key:a", start, 60_000))
	if err := w.Follow(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	id := w.list(t, alpha)[0].ID
	if _, err := a.WasMe(t.Context(), alpha, "key:a", id); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("the thief: %v", err)
	}
	for _, answer := range []func(context.Context, tenant.ID, string, string) (Finding, error){a.WasMe, a.NotMe} {
		_, foreign := answer(t.Context(), beta, "key:b", id)
		_, missing := answer(t.Context(), beta, "key:b", "000000000000009.mass-export")
		if fault.KindOf(foreign) != fault.NotFound || foreign.Error() != missing.Error() {
			t.Errorf("foreign %v, missing %v", foreign, missing)
		}
	}
	if w.list(t, alpha)[0].State != Open {
		t.Error("it was answered")
	}
}

func TestEveryKindHasAMetric(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"": true}
	for _, k := range Kinds() {
		if seen[k.Metric()] {
			t.Errorf("%s: metric %q", k, k.Metric())
		}
		seen[k.Metric()] = true
	}
}

// The deletions of an erasure are in the ledger too: nothing that is derived from them
// may come after the sweep that deletes it.
func TestNothingIsWrittenOfATenantWhoseErasureHasBegun(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"before it looks", "while it looks"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			for _, owner := range []tenant.ID{alpha, beta} {
				w.append(t, owner, exported("key:a", start, 900_000))
			}
			begin := func() {
				mark := w.Doors.Open(alpha)
				if err := w.db.Put(t.Context(), alpha, mark.Table, store.Item{Key: mark.Key}); err != nil {
					t.Error(err)
				}
			}
			if at == "before it looks" {
				begin()
			} else {
				w.Ledger = slow{w.log, begin}
			}
			for _, owner := range []tenant.ID{alpha, beta} {
				if err := w.Follow(t.Context(), owner); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.db.Get(t.Context(), alpha, store.Offers, stateKey); !errors.Is(err, store.ErrNotFound) || len(w.list(t, alpha)) != 0 {
				t.Errorf("written all the same: %v, %+v", err, w.list(t, alpha))
			}
			if len(w.list(t, beta)) != 1 {
				t.Error("the other tenant is not watched any more")
			}
		})
	}
}

// slow is a ledger that takes so long that something happens meanwhile.
type slow struct {
	Ledger
	meanwhile func()
}

func (s slow) Events(ctx context.Context, t tenant.ID, from int64, limit int) ([]ledger.Leaf, error) {
	s.meanwhile()
	return s.Ledger.Events(ctx, t, from, limit)
}
