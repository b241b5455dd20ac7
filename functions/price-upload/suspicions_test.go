package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/edge"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
)

// suspicious is a ledger whose eighth event takes far too much away.
type suspicious struct{ at time.Time }

func (s suspicious) Events(_ context.Context, _ tenant.ID, from int64, _ int) (out []ledger.Leaf, err error) {
	for i := from; i < 8; i++ {
		rows := 10
		if i == 7 {
			rows = 60_000
		}
		out = append(out, ledger.Leaf{Index: i, Event: fmt.Appendf(nil, `{"v":1,"type":"table.exported","at":%q,"actor":"key:second","after":{"rows":%d}}`,
			s.at.Add(-time.Minute).Format(time.RFC3339), rows)})
	}
	return out, nil
}

const suspected = "000000000000007.mass-export"

// suspect has the detectors find what the key "second" did.
func (w *world) suspect() {
	w.t.Helper()
	if err := (&watch.Watcher{DB: w.db, Ledger: suspicious{w.clock.Now()}, Clock: w.clock, Doors: privacy.Doors{DB: w.db}}).Follow(w.t.Context(), seller); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) revoke(_ context.Context, t tenant.ID, actor, key string) error {
	w.revoked = append(w.revoked, fmt.Sprint(t, " ", actor, " ", key))
	return nil
}

func TestNotMeStopsTheTenantAndRevokesTheKeyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect()
	if status, body := w.ask(mine, http.MethodGet, "/suspicions", "", "", ""); status != http.StatusOK || !strings.Contains(body, `"state":"open"`) || !strings.Contains(body, suspected) {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := w.ask(theirs, http.MethodGet, "/suspicions", "", "", ""); status != http.StatusOK || strings.Contains(body, suspected) {
		t.Errorf("another tenant sees %d %s", status, body)
	}
	for range 2 {
		if status, body := w.ask(mine, http.MethodPost, "/suspicions/"+suspected+"/not-me", "", "", ""); status != http.StatusOK || !strings.Contains(body, `"state":"not-me"`) {
			t.Fatalf("%d %s", status, body)
		}
	}
	if want := []string{"t_replay0001 key:good second"}; !slices.Equal(w.revoked, want) {
		t.Errorf("revoked %v, want %v", w.revoked, want)
	}
	if _, body := w.ask(mine, http.MethodGet, "/stops", "", "", ""); !strings.Contains(body, `"name":"tenant"`) || !strings.Contains(body, "suspicion "+suspected) {
		t.Errorf("the stop of the tenant does not stand: %s", body)
	}
	if _, body := w.ask(theirs, http.MethodGet, "/stops", "", "", ""); strings.Contains(body, `"name":"tenant"`) {
		t.Errorf("another tenant was stopped: %s", body)
	}
	// Lifted by a member, it stays lifted when the answer is sent again.
	w.ask(mine, http.MethodDelete, "/stops/tenant", "", "", "")
	w.ask(mine, http.MethodPost, "/suspicions/"+suspected+"/not-me", "", "", "")
	if _, body := w.ask(mine, http.MethodGet, "/stops", "", "", ""); strings.Contains(body, `"name":"tenant"`) {
		t.Errorf("a repeated answer stopped the tenant anew: %s", body)
	}
	if status, body := w.ask(mine, http.MethodPost, "/suspicions/"+suspected+"/was-me", "", "", ""); status != http.StatusConflict {
		t.Errorf("theft taken back: %d %s", status, body)
	}
}

func TestAKeyWithoutTheScopeOfStopsAnswersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect()
	const poor = "pmk_offersoffersoffe_offersoffersoffe"
	for _, answer := range []string{"not-me", "was-me"} {
		if status, _ := w.ask(poor, http.MethodPost, "/suspicions/"+suspected+"/"+answer, "", "", ""); status != http.StatusForbidden {
			t.Errorf("%s: %d", answer, status)
		}
	}
	if status, _ := w.ask(poor, http.MethodGet, "/suspicions", "", "", ""); status != http.StatusForbidden || len(w.revoked) != 0 {
		t.Errorf("%d, revoked %v", status, w.revoked)
	}
}

// Headers that callers can write say nothing about where they are.
func TestABlockedAddressReachesTheKillSwitchAndNothingOfATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect()
	list := edge.New(w.db, hashed, w.clock, nil)
	p, err := list.Target(t.Context(), "203.0.113.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Block(t.Context(), p, time.Hour, "guesses keys", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute) // instances look every half a minute
	ask := func(address, method, path, body string) int {
		ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, Body: body,
			Headers: map[string]string{"Authorization": "Bearer " + mine, "Content-Type": "application/json", "X-Forwarded-For": "198.51.100.1", "X-Real-IP": "203.0.113.9"}}
		ev.RequestContext.Identity.SourceIP = address
		var res events.APIGatewayProxyResponse
		res, err := w.router.Lambda(doorman{})(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	for _, rt := range w.router.Routes() {
		path := strings.NewReplacer("{id}", "x", "{name}", "x", "{fingerprint}", "x").Replace(rt.Pattern)
		got := ask("203.0.113.9", rt.Method, path, "")
		free := rt.Pattern == "/stops" && rt.Method == http.MethodPost || rt.Pattern == "/suspicions/{id}/not-me" || rt.Pattern == "/health"
		if free == (got == http.StatusForbidden) {
			t.Errorf("%s %s from a blocked address: %d", rt.Method, rt.Pattern, got)
		}
	}
	if got := ask("203.0.113.9", http.MethodPost, "/stops", `{"scope":"tenant"}`); got != http.StatusCreated {
		t.Errorf("the kill switch from a blocked address: %d", got)
	}
	if got := ask("203.0.114.9", http.MethodGet, "/stops", ""); got != http.StatusOK {
		t.Errorf("from the address next to it: %d", got)
	}
	w.clock.Advance(time.Hour)
	if got := ask("203.0.113.9", http.MethodGet, "/stops", ""); got != http.StatusOK {
		t.Errorf("after the block ended: %d", got)
	}
}
