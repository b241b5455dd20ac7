package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
	"pricemanager/test/replay"
)

// founder is who made the key mine, colleague another owner; both are signed in. second
// is another key.
const (
	founder   = "pmk_foundsfoundsfoun_foundsfoundsfoun"
	colleague = "pmk_colleaguecolleag_colleaguecolleag"
	second    = "pmk_secondsecondseco_secondsecondseco"
)

// putGuards replaces the default guards.
func (w *world) putGuards(key, match, body string) (int, string) {
	w.t.Helper()
	ev := events.APIGatewayProxyRequest{HTTPMethod: http.MethodPut, Path: "/guards", Body: body,
		Headers: map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json", "If-Match": match}}
	in, err := json.Marshal(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.serve(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &res); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, res.Body
}

// notice leaves the notice of a change by a colleague, and no change.
func (w *world) notice() {
	w.t.Helper()
	guards := &guard.Store{DB: w.db, Clock: w.clock}
	next, ten := guard.Default(), int64(10)
	next.Rules = []guard.Rule{{Limits: guard.Limits{HoldDropPercent: &ten}}}
	if _, err := guards.Put(w.t.Context(), seller, "key:second", next, guard.Default().Hash()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.db.Delete(w.t.Context(), seller, store.Offers, store.Key{PK: "guards", SK: "settings"}); err != nil {
		w.t.Fatal(err)
	}
}

func byDefault() string { return `"` + guard.Default().Hash() + `"` }

// listen has the function write its metrics to where they are returned.
func (w *world) listen() *bytes.Buffer {
	w.t.Helper()
	var told bytes.Buffer
	h := newHandler(deps{
		app: &runtime.App{Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(&told, w.clock, "price-upload", "local"), Clock: w.clock},
		db:  w.db, blobs: w.blobs, queue: w.queue, notices: w.notices, sealer: w.sealer, random: strings.NewReader(strings.Repeat("x", 64)),
	})
	router, err := web.New(h.app.Log, w.clock, "", h.routes()...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve = replay.Handler(runtime.JSON(router.Lambda(doorman{})))
	return &told
}

// Changing a tenant's guards is told to whoever watches, once, and not when it
// was refused.
func TestAChangeOfGuardsIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := w.listen()
	for range 2 {
		w.putGuards(mine, byDefault(), `{"rules":[{"hold_drop_percent":5}]}`)
	}
	if status, body := w.putGuards(mine, "", `{}`); status != http.StatusBadRequest {
		t.Errorf("without If-Match: %d %s", status, body)
	}
	if n := strings.Count(told.String(), `"GuardsChanged":1`); n != 1 {
		t.Errorf("told %d times: %s", n, told.String())
	}
}

func TestMembersSeeWhoChangedTheGuards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hash := byDefault()
	for percent := range 3 {
		status, body := w.putGuards([]string{mine, second}[percent%2], hash, `{"rules":[{"hold_drop_percent":`+strconv.Itoa(percent)+`}]}`)
		var d guardsDoc
		if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusOK {
			t.Fatal(status, body, err)
		}
		hash = etag(d.Hash())
		w.putGuards(mine, byDefault(), `{}`) // refused: it was not seen
		w.clock.Advance(1e9)
	}
	var got []string
	for query, pages := "limit=2", 0; ; pages++ {
		status, body := w.ask(mine, http.MethodGet, "/guards/notices", query, "", "")
		var page struct {
			Items []noticeDoc `json:"items"`
			Next  *string     `json:"next"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || pages > 2 {
			t.Fatal(status, body, err)
		}
		for _, n := range page.Items {
			var was, is guard.Settings
			if err := errors.Join(json.Unmarshal(n.GuardsBefore, &was), json.Unmarshal(n.GuardsAfter, &is)); err != nil || was.Hash() != n.Before || is.Hash() != n.After {
				t.Errorf("%+v, %v", n, err)
			}
			got = append(got, fmt.Sprint(n.What, " ", n.ChangedBy, " ", *is.Rules[0].HoldDropPercent, " ", n.ChangedAt.Second()))
		}
		if page.Next == nil || *page.Next == "" {
			break
		}
		query = "limit=2&after=" + *page.Next
	}
	if want := []string{"settings key:good 2 2", "settings key:second 1 1", "settings key:good 0 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if status, body := w.ask(theirs, http.MethodGet, "/guards/notices", "", "", ""); status != http.StatusOK || !strings.Contains(body, `"items":[]`) {
		t.Errorf("another tenant sees %d %s", status, body)
	}
}

func TestAPlanMadeUnderOtherGuardsIsNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	if status, body := w.putGuards(mine, byDefault(), `{"rules":[{"hold_drop_percent":4}]}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	status, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
	if status != http.StatusConflict || !strings.Contains(body, "plan-guards-changed") {
		t.Errorf("%d %s", status, body)
	}
	if again := w.plan(oneRow); again.Summary.Held != 1 { // 20.00 to 19.00 is 5 %
		t.Errorf("planned again: %+v", again.Summary)
	}
	if status, body := w.ask(theirs, http.MethodGet, "/guards", "", "", ""); status != http.StatusOK || !strings.Contains(body, `"version":0`) {
		t.Errorf("another tenant sees %d %s", status, body)
	}
}

// What a guard holds goes out when a second member released it: by a plan and a
// token of its own, never by the word of who uploaded it.
func TestAHeldRowIsReleasedByAColleagueAndApplied(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	release := func(key string) (int, planDoc, string) {
		status, body := w.ask(key, http.MethodPost, "/plans/"+readyPlan+"/releases", "", "", "")
		var p planDoc
		_ = json.Unmarshal([]byte(body), &p)
		return status, p, body
	}
	if status, _, body := release(mine); status != http.StatusForbidden || !strings.Contains(body, "/scope") {
		t.Errorf("the key that made it: %d %s", status, body)
	}
	if status, _, body := release(founder); status != http.StatusForbidden || !strings.Contains(body, "plan-own") {
		t.Errorf("whose key made it: %d %s", status, body)
	}
	if status, body := w.askJSON(colleague, "/plans/"+readyPlan+"/releases", `{"rows":[]}`); status != http.StatusBadRequest || !strings.Contains(body, "names no row") {
		t.Errorf("a list without rows is no word for all: %d %s", status, body)
	}
	status, p, body := release(colleague)
	if status != http.StatusCreated || p.Summary.Planned != 1 || p.Token == "" || p.Released.Maker != "key:good" || p.Released.By != "member:msecond" {
		t.Fatalf("a colleague: %d %s", status, body)
	}
	if status, body := w.ask(founder, http.MethodPost, "/plans/"+p.ID+"/releases", "", "", ""); status != http.StatusForbidden || !strings.Contains(body, "plan-own") {
		t.Errorf("released anew by whose rows they are: %d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodPost, "/batches", "", "k9", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`); status != http.StatusAccepted {
		t.Errorf("applied: %d %s", status, body)
	}
}

func TestNobodyApprovesTheirOwnPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, body := w.putGuards(mine, byDefault(), `{"approval":{"rows":0}}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	p := w.plan(oneRow)
	apply := func() int {
		status, _ := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
		return status
	}
	approve := func(key string) int {
		ev := `{"token":"` + p.Token + `"}`
		status, _ := w.askJSON(key, "/plans/"+p.ID+"/approvals", ev)
		return status
	}
	got := []int{apply(), approve(mine), approve(founder), approve(theirs), apply(), approve(colleague), apply()}
	if want := []int{409, 403, 403, 403, 409, 200, 202}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestACorrectionThatNeedsAnApprovalIsRepeatedOnceItHasIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, body := w.putGuards(mine, byDefault(), `{"approval":{"rows":0}}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	status, body := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1)
	var problem struct{ Plan, Detail string }
	if err := json.Unmarshal([]byte(body), &problem); err != nil || status != http.StatusConflict || !strings.Contains(problem.Detail, "repeat this request") {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	var p planDoc
	w.get("/plans/"+problem.Plan, "", &p)
	if status, body := w.askJSON(colleague, "/plans/"+problem.Plan+"/approvals", `{"token":"`+p.Token+`"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1); status != http.StatusAccepted || w.batchOf(body).Plan != problem.Plan {
		t.Errorf("%d %s", status, body)
	}
}

// A company with one member who could releases alone, after the delay and with a code
// given after that; as soon as somebody else could, it takes them.
func TestOneMemberAloneReleasesAfterTheDelayAndWithAFreshCode(t *testing.T) {
	t.Parallel()
	for _, second := range []identity.Role{"", identity.Viewer, identity.Editor, identity.Approver, identity.Owner} {
		w := newRecorded(t)
		w.member("msecond", second)
		asked := person("mfounder", identity.Owner)
		call := w.router.Lambda(authenticator(func() identity.Principal { return asked }))
		release := func() (int, string) {
			res, err := call(t.Context(), events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Path: "/plans/" + readyPlan + "/releases", Headers: map[string]string{"Authorization": "Bearer x"}})
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, res.Body
		}
		steps := []struct {
			pass   time.Duration
			code   bool
			status int
			typ    string
		}{{0, false, 409, "too-early"}, {15 * time.Minute, false, 403, "code-needed"}, {0, true, 201, ""}}
		if second.Allows(identity.ReleasesWrite) {
			steps[0].status, steps[0].typ, steps[2].status, steps[2].typ = 403, "plan-own", 403, "plan-own"
		}
		for i, s := range steps {
			w.clock.Advance(s.pass)
			if s.code {
				asked.MFAAt = w.clock.Now()
			}
			if status, body := release(); status != s.status || !strings.Contains(body, s.typ) {
				t.Errorf("beside a member with role %q, step %d: %d %s, want %d %s", second, i, status, body, s.status, s.typ)
			}
		}
	}
}

// authenticator takes every key for the one that it returns.
type authenticator func() identity.Principal

func (a authenticator) Authenticate(context.Context, secret.Value) (identity.Principal, error) {
	return a(), nil
}

// askJSON posts JSON to a path of plans, which otherwise take files.
func (w *world) askJSON(key, path, body string) (int, string) {
	w.t.Helper()
	in, err := json.Marshal(events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Path: path, Body: body,
		Headers: map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json"}})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.serve(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &res); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, res.Body
}
