package incident_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/incident"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

type world struct {
	*incident.Log
	db    *memory.DB
	clock *clock.Manual
}

func setup() world {
	clk := clock.NewManual(start)
	db := memory.New(clk)
	return world{&incident.Log{DB: db, Clock: clk, Rand: rand.Reader}, db, clk}
}

// breach is a record in which everything is known.
func breach() incident.Incident {
	return incident.Incident{
		By: "operator:ann", Aware: start.Add(-time.Hour), From: start.Add(-48 * time.Hour), To: start.Add(-2 * time.Hour),
		Tables: []store.Table{store.Offers, store.Connections}, Purposes: []string{"price maintenance", "consent at Amazon"},
		Nature: "NATURE", Subjects: "SUBJECTS", Records: "RECORDS", SubjectCount: "SUBJECT-COUNT", RecordCount: "RECORD-COUNT",
		Contact: "CONTACT", Consequences: "CONSEQUENCES", Measures: "MEASURES", Delay: "DELAY",
	}
}

func (w world) open(t *testing.T, i incident.Incident) incident.Incident {
	t.Helper()
	i, err := w.Open(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (w world) running(t *testing.T) incident.Running {
	t.Helper()
	r, err := w.Running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTimesRunFromWhenWeBecameAwareUntilEverybodyWasTold(t *testing.T) {
	t.Parallel()
	w := setup()
	i := w.open(t, breach())
	w.clock.Advance(23 * time.Hour)
	if r := w.running(t); r != (incident.Running{Open: 1, Hours: 24, Amazon: 24}) {
		t.Errorf("after a day: %+v", r)
	}
	told := func(p incident.Party) {
		t.Helper()
		for range 2 {
			if _, err := w.Tell(t.Context(), i.ID, p, "operator:ann", "by mail"); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Minute)
		}
	}
	told(incident.Amazon)
	w.clock.Advance(47 * time.Hour)
	if r := w.running(t); r != (incident.Running{Open: 1, Hours: 71}) {
		t.Errorf("Amazon was told, on the third day: %+v", r)
	}
	told(incident.Authority)
	if r := w.running(t); r.Open != 1 {
		t.Errorf("tenants were not told: %+v", r)
	}
	told(incident.Tenants)
	if r := w.running(t); r != (incident.Running{}) {
		t.Errorf("everybody was told: %+v", r)
	}
	got, err := w.Get(t.Context(), i.ID)
	if err != nil || got.Closed.IsZero() || !got.Told[incident.Amazon].At.Equal(start.Add(23*time.Hour)) {
		t.Errorf("%+v, %v; want the first note to stand", got, err)
	}
}

func TestARecordThatIsChangedKeepsItsTimesAndLosesNobodysChange(t *testing.T) {
	t.Parallel()
	w := setup()
	i := w.open(t, breach())
	got, err := w.Change(t.Context(), i.ID, func(x *incident.Incident) { x.Nature, x.Aware, x.Told = "MORE", start, nil })
	if err != nil || got.Nature != "MORE" || !got.Aware.Equal(i.Aware) {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.Change(t.Context(), i.ID, func(x *incident.Incident) {
		if _, err := w.Tell(t.Context(), i.ID, incident.Amazon, "operator:bob", "by mail"); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a change of two at once: %v", err)
	}
	if _, err := w.Get(t.Context(), "inc_missing"); !errors.Is(err, incident.ErrNotFound) {
		t.Error(err)
	}
}

func TestARecordSaysWhoWhatWhenAndWhere(t *testing.T) {
	t.Parallel()
	w := setup()
	for name, spoil := range map[string]func(*incident.Incident){
		"nobody": func(i *incident.Incident) { i.By = "" }, "nothing": func(i *incident.Incident) { i.Nature = "" },
		"later": func(i *incident.Incident) { i.Aware = start.Add(time.Second) }, "never": func(i *incident.Incident) { i.From = time.Time{} },
		"after": func(i *incident.Incident) { i.From = start }, "backwards": func(i *incident.Incident) { i.To = i.From.Add(-time.Second) },
		"nowhere": func(i *incident.Incident) { i.Tables = nil }, "elsewhere": func(i *incident.Incident) { i.Tables = []store.Table{"windows"} },
		"a novel": func(i *incident.Incident) { i.Measures = strings.Repeat("x", 4001) },
	} {
		i := breach()
		spoil(&i)
		if _, err := w.Open(t.Context(), i); !errors.Is(err, incident.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Tell(t.Context(), w.open(t, breach()).ID, "press", "operator:ann", "x"); !errors.Is(err, incident.ErrInvalid) {
		t.Error("a party that is none was told")
	}
}

func notice(t *testing.T, p incident.Party, i incident.Incident, a []incident.Affected, now time.Time) string {
	t.Helper()
	var b bytes.Buffer
	if err := incident.Write(&b, p, i, "amzn1.sellerapps.app.x", a, now); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What GDPR Art. 33(3) wants in a notification, letter by letter.
func TestTheAuthoritysNoticeHasEveryFieldOfArticle33(t *testing.T) {
	t.Parallel()
	fields := []struct{ letter, value string }{
		{"(a) Nature", "NATURE"},
		{"(a) Nature", "SUBJECTS"},
		{"(a) Nature", "SUBJECT-COUNT"},
		{"(a) Nature", "RECORDS"},
		{"(a) Nature", "RECORD-COUNT"},
		{"(b) Data protection officer or other contact point", "CONTACT"},
		{"(c) Likely consequences", "CONSEQUENCES"},
		{"(d) Measures taken or proposed", "MEASURES"},
	}
	whole := notice(t, incident.Authority, breach(), []incident.Affected{{Tenant: "t_alpha00001"}}, start)
	for _, f := range fields {
		_, after, found := strings.Cut(whole, "Art. 33(3)"+f.letter)
		section, _, _ := strings.Cut(after, "Art. 33(3)")
		if !found || !strings.Contains(section, f.value) {
			t.Errorf("%s lacks %s:\n%s", f.letter, f.value, whole)
		}
	}
	if strings.Contains(whole, "DELAY") || strings.Contains(whole, incident.Unknown) || strings.Contains(whole, "t_alpha00001") {
		t.Errorf("in time and complete, and yet:\n%s", whole)
	}
	// Art. 33(1): whoever is late says why.
	if late := notice(t, incident.Authority, breach(), nil, start.Add(72*time.Hour)); !strings.Contains(late, "DELAY") {
		t.Errorf("late:\n%s", late)
	}
	// Art. 33(4): what is not known is said to be missing, and not left out.
	empty := notice(t, incident.Authority, incident.Incident{Aware: start, From: start}, nil, start)
	if got, want := strings.Count(empty, incident.Unknown), len(fields)+2; got != want { // and purposes and customers
		t.Errorf("%d fields are marked as not known, want %d:\n%s", got, want, empty)
	}
}

func TestNoticesAreFilledFromTheRecordAndNameNoOtherTenant(t *testing.T) {
	t.Parallel()
	i := breach()
	i.ID = "inc_x"
	two := []incident.Affected{{Tenant: "t_alpha00001", Tables: []store.Table{store.Offers}, Active: true}, {Tenant: "t_beta000001", Tables: []store.Table{store.Connections}}}
	amazon := notice(t, incident.Amazon, i, two, start)
	for _, want := range []string{"security@amazon.com", "inc_x", "amzn1.sellerapps.app.x", "2026-11-22 08:00 UTC", "2026-11-20 09:00 UTC", "NATURE", "MEASURES", "CONTACT", "Selling partners concerned:      2", "offers, connections"} {
		if !strings.Contains(amazon, want) {
			t.Errorf("Amazon's notice lacks %q:\n%s", want, amazon)
		}
	}
	pages := strings.Split(notice(t, incident.Tenants, i, two, start), "\f\n")
	if len(pages) != 2 {
		t.Fatalf("%d notices to two tenants", len(pages))
	}
	for n, other := range []string{"t_beta000001", "t_alpha00001"} {
		if strings.Contains(pages[n], other) || !strings.Contains(pages[n], string(two[n].Tenant)) || !strings.Contains(pages[n], "CONSEQUENCES") {
			t.Errorf("notice to %s:\n%s", two[n].Tenant, pages[n])
		}
	}
	var b bytes.Buffer
	if incident.Write(&b, incident.Tenants, i, "", nil, start) == nil || incident.Write(&b, "press", i, "", two, start) == nil {
		t.Error("a notice was written without knowing to whom")
	}
}

// holders is what a scan of the tables finds.
type holders struct{ db *memory.DB }

func (h holders) Tenants(_ context.Context, table store.Table) (out []tenant.ID, err error) {
	seen := map[tenant.ID]bool{}
	h.db.Each(func(t tenant.ID, in store.Table, _ store.Item) bool {
		if in == table && !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
		return true
	})
	return out, nil
}

func TestAffectedAreThoseWithDataInTheTablesAtThatTime(t *testing.T) {
	t.Parallel()
	w := setup()
	log := ledger.New(w.db, envelope.New(memkms.New(rand.Reader), w.db, w.clock), w.clock, rand.Reader)
	put := func(id tenant.ID, table store.Table, pk, sk string) {
		if err := w.db.Put(t.Context(), id, table, store.Item{Key: store.Key{PK: pk, SK: sk}}); err != nil {
			t.Fatal(err)
		}
	}
	grow := func(id tenant.ID) {
		w.clock.Advance(time.Hour)
		if err := log.AppendDirect(t.Context(), id, w.clock.Now().String(), ledger.Event{Type: ledger.TenantCreated, At: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	put(store.Directory, store.Offers, "stop", "global")
	grow("t_before0001") // 10:00
	put("t_before0001", store.Offers, "offer#1", "x")
	grow("t_during0001") // 11:00
	put("t_during0001", store.Offers, "offer#1", "x")
	put("t_during0001", store.Connections, "connections", "conn_1")
	grow("t_elsewhere1") // 12:00
	put("t_elsewhere1", store.Identity, "apikey", "x")
	grow("t_after00001") // 13:00
	put("t_after00001", store.Offers, "offer#1", "x")
	put("t_noledger01", store.Offers, "offer#1", "x")

	i := incident.Incident{From: start.Add(90 * time.Minute), To: start.Add(150 * time.Minute), Tables: []store.Table{store.Offers, store.Connections}}
	ask := func() string {
		t.Helper()
		got, err := incident.WhoseData(t.Context(), w.db, holders{w.db}, i)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got)
	}
	if got, want := ask(), "[{t_before0001 [offers] false} {t_during0001 [offers connections] true} {t_noledger01 [offers] false}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	i.Connection = "conn_1"
	if got, want := ask(), "[{t_during0001 [offers connections] true}]"; got != want {
		t.Errorf("of one connection: %s, want %s", got, want)
	}
	i.Connection, i.To = "", time.Time{}
	if got := ask(); !strings.Contains(got, "{t_after00001 [offers] true}") {
		t.Errorf("while it lasts: %s", got)
	}
}
