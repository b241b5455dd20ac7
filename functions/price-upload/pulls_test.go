package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/identity"
	"pricemanager/internal/plan"
	"pricemanager/internal/pull"
	"pricemanager/internal/store"
)

// recordedPull is the source that the recorded events name.
const recordedPull = "pull_meqhezldn5zgizleebyhk3dmee"

func (w *world) recordPulls() {
	w.t.Helper()
	s := pull.Store{DB: w.db, Sealer: w.sealer, Clock: w.clock, Check: (&fetch.Client{}).Check}
	p, err := s.Create(w.t.Context(), seller, pull.By{Actor: "key:good"}, pull.Source{URL: "https://files.example.com/old.csv", Schedule: pull.Schedule{EveryMinutes: 30}},
		strings.NewReader("a recorded pull!"))
	if err != nil || p.ID != recordedPull {
		w.t.Fatalf("%s, %v; want %s", p.ID, err, recordedPull)
	}
}

const onASchedule = `{"url":"https://Files.example.com:443/prices.csv","schedule":{"dailyAt":"06:30","zone":"Europe/Rome"},"marketplace":"DE"}`

func TestASourceIsKeptAsItIsUsedAndFetchedAtItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // 9:00 in UTC is 10:00 in Rome
	status, body := w.ask(mine, http.MethodPost, "/pulls", "", "", onASchedule)
	var p pullDoc
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusCreated {
		t.Fatal(status, body)
	}
	if p.URL != "https://files.example.com/prices.csv" || p.Marketplace != de || p.Policy != "skip-bad-rows" || p.State != pull.Active ||
		p.NextAt == nil || !p.NextAt.Equal(time.Date(2026, 11, 23, 5, 30, 0, 0, time.UTC)) || p.CheckedAt != nil || p.ChangedBy != "key:good" {
		t.Errorf("it is kept as %s", body)
	}
	if status, body := w.ask(mine, http.MethodPost, "/pulls/"+p.ID+"/runs", "", "", ""); status != http.StatusAccepted || !strings.Contains(body, `"nextAt":"2026-11-22T09:00:00Z"`) {
		t.Errorf("run now: %d %s", status, body)
	}
}

func TestAForeignSourceIsLikeAMissingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recordPulls()
	const missing = "pull_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "", ""}, {http.MethodPost, "/runs", ""},
	} {
		status, foreign := w.ask(theirs, c.method, "/pulls/"+recordedPull+c.path, "", "", c.body)
		want, none := w.ask(theirs, c.method, "/pulls/"+missing+c.path, "", "", c.body)
		if status != http.StatusNotFound || status != want || foreign != none {
			t.Errorf("%s %s: %d %s, a missing one %d %s", c.method, c.path, status, foreign, want, none)
		}
	}
	if status, body := w.ask(theirs, http.MethodGet, "/pulls", "", "", ""); status != http.StatusOK || body != `{"items":[]}` {
		t.Errorf("a stranger sees %d %s", status, body)
	}
}

const ratesOnASchedule = `{"kind":"rates","url":"https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml","schedule":{"everyMinutes":60}}`

// Rates make prices: no key sets them, or ends them, by way of a source when it may
// not set them itself.
func TestASourceOfRatesIsForWhoMaySetTheRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, body := w.ask(mine, http.MethodPost, "/pulls", "", "", ratesOnASchedule)
	var p pullDoc
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusCreated || p.Kind != pull.Rates {
		t.Fatal(status, body)
	}
	all := w.serve
	w.limit(identity.PlansWrite)
	try := func(name string, status int, body string, want int) {
		t.Helper()
		if status != want || want == http.StatusForbidden && !strings.Contains(body, "guards:write") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, body = w.ask(mine, http.MethodPost, "/pulls", "", "", ratesOnASchedule)
	try("create", status, body, http.StatusForbidden)
	status, body, _ = w.put(mine, "/pulls/"+p.ID, "application/json", `"1"`, ratesOnASchedule, nil)
	try("replace", status, body, http.StatusForbidden)
	status, body, _ = w.put(mine, "/pulls/"+p.ID, "application/json", `"1"`, onASchedule, nil)
	try("make it one of prices", status, body, http.StatusForbidden)
	status, body = w.ask(mine, http.MethodPost, "/pulls", "", "", onASchedule)
	try("create one of prices", status, body, http.StatusCreated)
	var prices pullDoc
	if err := json.Unmarshal([]byte(body), &prices); err != nil {
		t.Fatal(err)
	}
	status, body, _ = w.put(mine, "/pulls/"+prices.ID, "application/json", `"1"`, ratesOnASchedule, nil)
	try("make it one of rates", status, body, http.StatusForbidden)
	for id, want := range map[string]int{p.ID: http.StatusForbidden, prices.ID: http.StatusOK} {
		status, body, _ = w.match(http.MethodDelete, mine, "/pulls/"+id, "", `"1"`, "", nil)
		try("delete", status, body, want)
	}
	w.serve = all
	status, body, _ = w.match(http.MethodDelete, mine, "/pulls/"+p.ID, "", `"1"`, "", nil)
	try("delete with all scopes", status, body, http.StatusOK)
}

// source is the id of the tenant's one source of a kind.
func (w *world) source(k pull.Kind) (id string) {
	w.t.Helper()
	all, err := (&pull.Store{DB: w.db, Sealer: w.sealer, Clock: w.clock}).List(w.t.Context(), seller)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range all {
		if p.Kind == k {
			id = p.ID
		}
	}
	return id
}

func TestASourceOfRatesTakesAFreshCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Advance(identity.RecentMFA)
	if status, body := w.ask(founder, http.MethodPost, "/pulls", "", "", ratesOnASchedule); status != http.StatusForbidden || !strings.Contains(body, "code-needed") {
		t.Errorf("of rates: %d %s", status, body)
	}
	if status, body := w.ask(founder, http.MethodPost, "/pulls", "", "", onASchedule); status != http.StatusCreated {
		t.Errorf("of prices: %d %s", status, body)
	}
}

// What computes prices is watched like what protects them.
func TestAChangeOfLinksRatesOrTheirSourceIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := w.listen()
	for range 2 { // the second is refused but for the source
		w.put(mine, "/links", "application/json", etag(fx.Default().Hash()), `{"max_age_days":5}`, nil)
		w.put(mine, "/rates", "text/csv", `""`, "currency,rate\nSEK,11\n", ratesOf("2026-11-20"))
	}
	w.ask(mine, http.MethodPost, "/pulls", "", "", ratesOnASchedule)
	w.ask(mine, http.MethodPost, "/pulls", "", "", onASchedule)
	w.clock.Advance(time.Second)
	w.put(mine, "/pulls/"+w.source(pull.Rates), "application/json", `"1"`, onASchedule, nil) // made one of prices
	if n := strings.Count(told.String(), `"GuardsChanged":1`); n != 4 {
		t.Errorf("told %d times: %s", n, told.String())
	}
	status, body := w.ask(mine, http.MethodGet, "/guards/notices", "", "", "")
	if status != http.StatusOK || strings.Count(body, `"what":`) != 4 || strings.Count(body, `"what":"source","changedBy":"key:good"`) != 2 || !strings.Contains(body, `"what":"links","changedBy":"key:good"`) || !strings.Contains(body, `"what":"rates","changedBy":"key:good"`) {
		t.Errorf("%d %s", status, body)
	}
}

// A fetched file's plan is nobody's: the source is where its fate is to be seen.
func TestASourceSaysHowItsLastPlanStands(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	set := func(plan string) {
		t.Helper()
		if _, err := w.db.Update(t.Context(), seller, store.Offers, store.Key{PK: "pulls", SK: recordedPull}, store.Update{Set: map[string]any{"plan": plan}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ plan, want string }{
		{readyPlan, `"lastPlanState":"ready"`}, {appliedPlan, `"lastPlanState":"applied"`}, {"plan_zzzzzzzzzzzzzzzzzzzzzzzzzz", `"lastPlan":"plan_zzzzzzzzzzzzzzzzzzzzzzzzzz","failures"`},
	} {
		set(c.plan)
		for _, path := range []string{"/pulls", "/pulls/" + recordedPull} {
			if status, body := w.ask(mine, http.MethodGet, path, "", "", ""); status != http.StatusOK || !strings.Contains(body, c.want) {
				t.Errorf("%s: %d %s, want %s", path, status, body, c.want)
			}
		}
	}
	set(readyPlan)
	w.clock.Advance(plan.Lifetime)
	if status, body := w.ask(mine, http.MethodGet, "/pulls/"+recordedPull, "", "", ""); status != http.StatusOK || !strings.Contains(body, `"lastPlanState":"expired"`) {
		t.Errorf("after a day: %d %s", status, body)
	}
}
