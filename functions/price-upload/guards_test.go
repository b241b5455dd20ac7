package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/guard"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/web"
	"pricemanager/test/replay"
)

const colleague = "pmk_secondsecondseco_secondsecondseco"

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

func byDefault() string { return `"` + guard.Default().Hash() + `"` }

// Changing a tenant's guards is told to whoever watches, once, and not when it
// was refused.
func TestAChangeOfGuardsIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var told bytes.Buffer
	h := newHandler(deps{
		app: &runtime.App{Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(&told, w.clock, "price-upload", "local"), Clock: w.clock},
		db:  w.db, blobs: w.blobs, queue: w.queue, random: strings.NewReader(""),
	})
	router, err := web.New(h.app.Log, w.clock, "", h.routes()...)
	if err != nil {
		t.Fatal(err)
	}
	w.serve = replay.Handler(runtime.JSON(router.Lambda(doorman{})))
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
	if status, _, body := release(theirs); status != http.StatusNotFound {
		t.Errorf("a stranger: %d %s", status, body)
	}
	if status, _, body := release(mine); status != http.StatusForbidden || !strings.Contains(body, "plan-own") {
		t.Errorf("its maker: %d %s", status, body)
	}
	status, p, body := release(colleague)
	if status != http.StatusCreated || p.Summary.Planned != 1 || p.Token == "" || p.Released.Maker != "key:good" || p.Released.By != "key:second" {
		t.Fatalf("a colleague: %d %s", status, body)
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
	got := []int{apply(), approve(mine), approve(theirs), apply(), approve(colleague), apply()}
	if want := []int{409, 403, 404, 409, 200, 202}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
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
