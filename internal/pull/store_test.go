package pull

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestASourceIsSetChangedAndDeletedByWhoSawIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.create(hourly())
	other := hourly()
	other.URL = "https://elsewhere.example.com/other.csv"
	if _, err := w.store.Change(t.Context(), owner, p.ID, By{Actor: "key:bob"}, other, 2); faultType(err) != "pull-changed" {
		t.Errorf("a change unseen: %v", err)
	}
	q, err := w.store.Change(t.Context(), owner, p.ID, By{Actor: "key:bob"}, other, 1)
	if err != nil || q.Revision != 2 || q.ChangedBy != "key:bob" || q.URL != other.URL {
		t.Fatal(q, err)
	}
	if err := w.store.Delete(t.Context(), owner, p.ID, "key:ann", 1); faultType(err) != "pull-changed" {
		t.Errorf("a deletion unseen: %v", err)
	}
	if err := w.store.Delete(t.Context(), owner, p.ID, "key:ann", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Change(t.Context(), owner, p.ID, By{Actor: "key:bob"}, other, 3); fault.KindOf(err) != fault.NotFound {
		t.Errorf("changed after it was deleted: %v", err)
	}
	if err := w.store.Delete(t.Context(), owner, p.ID, "key:bob", 3); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if all, err := w.store.List(t.Context(), owner); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	types, all := w.events()
	if !slices.Equal(types, []ledger.Type{ledger.PullCreated, ledger.PullChanged, ledger.PullDeleted}) {
		t.Fatal(types)
	}
	for i, actor := range []string{"key:ann", "key:bob", "key:ann"} {
		if all[i].Actor != actor || all[i].Target != "pull:"+p.ID || all[i].At.IsZero() {
			t.Errorf("%+v", all[i])
		}
	}
	if all[0].Before != nil || !strings.Contains(string(all[1].Before), "https://files.example.com/[hidden]") || !strings.Contains(string(all[1].After), "https://elsewhere.example.com/[hidden]") || all[2].After != nil {
		t.Errorf("%+v", all)
	}
}

func TestAnotherTenantsSourceIsAMissingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.create(hourly())
	_, err := w.store.Get(t.Context(), stranger, p.ID)
	_, cerr := w.store.Change(t.Context(), stranger, p.ID, By{Actor: "key:eve"}, hourly(), 1)
	derr := w.store.Delete(t.Context(), stranger, p.ID, "key:eve", 1)
	_, rerr := w.store.RunNow(t.Context(), stranger, p.ID)
	for _, err := range []error{err, cerr, derr, rerr} {
		if fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	}
	if out, err := w.run.Run(t.Context(), stranger, p.ID, w.clock.Now().Add(time.Minute)); out != Nothing || err != nil || len(w.web.asked) != 0 {
		t.Error(out, err)
	}
	if all, err := w.store.List(t.Context(), stranger); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	for _, id := range []string{"", "pull_1", "../x", "plan_" + strings.Repeat("a", 26)} {
		if _, err := w.store.Get(t.Context(), owner, id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestATenantHasTenSourcesAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range Most {
		w.create(hourly())
	}
	if _, err := w.store.Create(t.Context(), owner, By{Actor: "key:ann"}, hourly(), rand.Reader); faultType(err) != "pulls-full" {
		t.Error(err)
	}
	if _, err := w.store.Create(t.Context(), stranger, By{Actor: "key:eve"}, hourly(), rand.Reader); err != nil {
		t.Error(err)
	}
	all, err := w.store.List(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Delete(t.Context(), owner, all[0].ID, "key:ann", 1); err != nil {
		t.Fatal(err)
	}
	w.create(hourly()) // there is room again
}

func TestMistakesInASourceAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, change := range map[string]func(*Source){
		"fetch-url":   func(s *Source) { s.URL = "https://10.0.0.1/p.csv" },
		"schedule":    func(s *Source) { s.Schedule.EveryMinutes = 1 },
		"policy":      func(s *Source) { s.Policy = "whatever" },
		"marketplace": func(s *Source) { s.Marketplace = "Mars" },
	} {
		src := hourly()
		change(&src)
		if _, err := w.store.Create(t.Context(), owner, By{Actor: "key:ann"}, src, rand.Reader); faultType(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	src := hourly()
	src.ChecksumURL = "http://files.example.com/sum"
	if _, err := w.store.Create(t.Context(), owner, By{Actor: "key:ann"}, src, rand.Reader); faultType(err) != "fetch-url" {
		t.Error(err)
	}
}

func TestWhatAFileIsCalledComesFromItsPathAlone(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://h.example/a/b/prices%20de.csv?key=TOKEN": "prices de.csv", "https://h.example": "prices", "https://h.example/": "prices",
		"https://h.example/%00": "prices", "https://h.example/%ff": "prices", "https://h.example/" + strings.Repeat("a", 201): "prices", "https://h.example/feed/?k=TOKEN": "prices",
		"https://h.example/export/s3cr3tT0ken": "prices", "https://h.example/Preise.CSV.gz": "Preise.CSV.gz", "https://h.example/%2fx.csv": "x.csv",
	} {
		if got := (Source{URL: url}).file(); got != want {
			t.Errorf("%s is called %q", url, got)
		}
	}
}

// rung sweeps and returns the sources that were rung for.
func (w *world) rung() []string {
	w.t.Helper()
	n, err := w.bell.Due(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, m := range w.pulls.Receive(10, time.Hour) {
		j, err := ParseJob(m.Body)
		if err != nil || j.Tenant != owner {
			w.t.Fatal(j, err)
		}
		ids = append(ids, j.Pull)
		w.pulls.Delete(m.ID)
	}
	if len(ids) != n {
		w.t.Errorf("%d sources rung for, said to be %d", len(ids), n)
	}
	return ids
}

func (w *world) reminders() int {
	w.t.Helper()
	page, err := w.db.Query(w.t.Context(), store.Directory, store.Offers, store.Query{PK: duePK})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(page.Items)
}

func TestASourceIsRungForWhenItIsDueUntilItWasFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	daily := w.create(Source{URL: address, Schedule: Schedule{DailyAt: "12:00", Zone: "UTC"}}).ID
	id := w.create(hourly()).ID
	if got := w.rung(); !slices.Equal(got, []string{id}) {
		t.Fatalf("rung for %v", got)
	}
	w.clock.Advance(time.Minute)
	if got := w.rung(); len(got) != 0 {
		t.Errorf("rung for %v once more at once", got)
	}
	// Its message, or its run, is lost: it is rung for again.
	w.clock.Advance(rungAgain)
	if got := w.rung(); !slices.Equal(got, []string{id}) {
		t.Fatalf("rung for %v", got)
	}
	next := w.goes(id, Planned).Next
	w.clock.Advance(rungAgain)
	if got := w.rung(); len(got) != 0 {
		t.Errorf("rung for %v before it was due", got)
	}
	w.clock.Advance(next.Sub(w.clock.Now()))
	if got := w.rung(); !slices.Equal(got, []string{id}) {
		t.Fatalf("rung for %v at its next time", got)
	}
	w.goes(id, Unchanged)
	w.clock.Advance(3 * time.Hour)
	if got := w.rung(); !slices.Contains(got, daily) {
		t.Errorf("rung for %v at noon", got)
	}
}

func TestWhatIsPausedDeletedOrDelayedIsNotRungForAndTheListDoesNotGrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, moved := w.create(hourly()), w.create(hourly())
	if err := w.store.Delete(t.Context(), owner, gone.ID, "key:ann", 1); err != nil {
		t.Fatal(err)
	}
	src := moved.Source
	src.Schedule = Schedule{DailyAt: "08:00", Zone: "UTC"}
	for i := range 5 {
		if _, err := w.store.Change(t.Context(), owner, moved.ID, By{Actor: "key:ann"}, src, int64(i)+1); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.rung(); len(got) != 0 || w.reminders() != 1 {
		t.Errorf("rung for %v, %d reminders", got, w.reminders())
	}
}

func TestASweepLeavesTheRestToTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range mostRung + 7 {
		if _, err := w.store.Create(t.Context(), tenant.ID(fmt.Sprintf("t_owner%05d", i)), By{Actor: "key:ann"}, hourly(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{mostRung, 7, 0} {
		if n, err := w.bell.Due(t.Context()); err != nil || n != want {
			t.Errorf("rung for %d, %v; want %d", n, err, want)
		}
	}
	if w.pulls.Sent() != mostRung+7 {
		t.Errorf("%d messages", w.pulls.Sent())
	}
}

func TestOneThatCannotBeRungForDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.create(hourly())
	}
	stuck := false
	w.db.Hook = func(op memory.Op) (bool, error) { // one write of the sweep is dropped
		if !stuck {
			stuck = true
			return false, nil
		}
		return true, nil
	}
	n, err := w.bell.Due(t.Context())
	if err == nil || n != 2 || w.pulls.Len() != 3 {
		t.Errorf("%d rung for, %d messages, %v", n, w.pulls.Len(), err)
	}
	w.db.Hook = nil
	if n, err := w.bell.Due(t.Context()); err != nil || n != 1 {
		t.Errorf("the next sweep rang for %d, %v", n, err)
	}
}

// What may be the key to a file is in no ledger event, before or after a change.
func TestTheKeyInAnAddressIsInNoEvent(t *testing.T) {
	t.Parallel()
	const key = "k3yInTheQuery"
	item := func(revision int64) *store.Item {
		s := Source{Kind: Prices, URL: "https://h.example/p.csv?key=" + key, ChecksumURL: "https://h.example/p.sha256?sig=" + key + "&a=1", Schedule: Schedule{EveryMinutes: 60}}
		return &store.Item{Key: itemKey("pull_a"), Attrs: map[string]any{aSource: s.encode(), aRevision: revision, aActor: "key:k", aAt: int64(1), aState: string(Active)}}
	}
	for name, old := range map[string]*store.Item{"created": nil, "changed": item(1)} {
		events := Events(store.Record{Table: store.Offers, Key: itemKey("pull_a"), Old: old, New: item(2)})
		if len(events) != 1 {
			t.Fatalf("%s: %d events, want one", name, len(events))
		}
		all := string(events[0].Before) + string(events[0].After)
		if strings.Contains(all, key) || strings.Contains(all, "p.csv") || strings.Count(all, "https://h.example/[hidden]") < 2 {
			t.Errorf("%s: the ledger is told %s", name, all)
		}
	}
}
