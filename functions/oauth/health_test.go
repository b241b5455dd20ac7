package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

func TestConnectionsShowHowTheirTokensGo(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	h := &handler{connections: w.service}
	shown := func(t *testing.T, who tenant.ID, id price.ConnectionID) (one, listed string) {
		t.Helper()
		r := &web.Request{Tenant: who, Principal: identity.Principal{Tenant: who}, Params: map[string]string{"id": string(id)}}
		docs := make([]string, 2)
		for i, ask := range []web.Handler{h.get, h.list} {
			res, err := ask(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var body struct {
				Health json.RawMessage
				Items  []struct {
					ID     price.ConnectionID
					Health json.RawMessage
				}
			}
			if err := json.Unmarshal(res.Body, &body); err != nil {
				t.Fatal(err)
			}
			docs[i] = string(body.Health)
			for _, c := range body.Items {
				if c.ID == id {
					docs[i] = string(c.Health)
				}
			}
		}
		return docs[0], docs[1]
	}
	if one, listed := shown(t, recorded, active); one != "" || listed != "" {
		t.Errorf("before Amazon was asked: %s, %s", one, listed)
	}
	// As the broker leaves it.
	at := w.service.Clock.Now()
	for who, id := range map[tenant.ID]price.ConnectionID{recorded: active, stranger: foreign} {
		err := w.service.DB.Put(t.Context(), who, store.Connections, store.Item{Key: store.Key{PK: "health", SK: string(id)}, Attrs: map[string]any{
			"health": "failing", "since": store.Millis(at), "lastGood": store.Millis(at.Add(-time.Hour)), "lastFail": store.Millis(at),
			"reason": "invalid_grant of " + string(who), "grant": int64(1), "writes": int64(2),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	const want = `{"state":"failing","since":"2026-11-22T09:00:00Z","lastGoodToken":"2026-11-22T08:00:00Z","lastFailure":"2026-11-22T09:00:00Z","reason":"invalid_grant of t_replay0001","daysToReauthorisation":365}`
	if one, listed := shown(t, recorded, active); one != want || listed != want {
		t.Errorf("shown as\n%s\n%s, want\n%s", one, listed, want)
	}
	if one, _ := shown(t, stranger, foreign); strings.Contains(one, string(recorded)) || strings.Contains(one, "daysToReauthorisation") {
		t.Errorf("a pending connection of another is %s", one)
	}
}

func TestDaysToReauthorisationAreWholeOnesAndNegativeWhenMissed(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	c := w.state(t, active)
	for left, want := range map[time.Duration]int{
		365 * 24 * time.Hour: 365, 25 * time.Hour: 1, 23 * time.Hour: 0, -time.Hour: -1, -25 * time.Hour: -2,
	} {
		by, _ := c.Renewal(c.AuthorisedAt)
		d := health(c, connect.Health{State: connect.HealthGood}, by.Add(-left))
		if d.DaysToReauthorisation == nil || *d.DaysToReauthorisation != want {
			t.Errorf("%s before it ends: %+v, want %d days", left, d, want)
		}
	}
}
