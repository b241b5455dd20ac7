package main

import (
	"context"
	"errors"
	"testing"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

type closedOutbox struct{}

func (closedOutbox) Record(context.Context, tenant.ID, string, ledger.Event) error {
	return errors.New("the table is down")
}

func TestEveryAccessTokenIsRecordedOrNotGivenOut(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	ask := `{"op":"access","tenant":"t_replay0001","connection":"` + connection + `","grant":1}`
	for range 3 {
		if a := r.ask(ask); a.AccessToken == "" {
			t.Fatalf("%+v", a.Error)
		}
	}
	var events []ledger.Event
	for _, rec := range r.db.Records(store.Connections, "") {
		if rec.Tenant == "t_replay0001" {
			events = append(events, ledger.OutboxEvents(rec)...)
		}
	}
	if len(events) != 3 {
		t.Fatalf("%d tokens are recorded, want 3", len(events))
	}
	for _, e := range events {
		if e.Type != ledger.TokenIssued || e.Target != "connection:"+connection {
			t.Errorf("recorded %+v", e)
		}
	}
	r.handler.outbox = closedOutbox{}
	if a := r.ask(ask); a.AccessToken != "" || a.Error == nil {
		t.Error("a token was given out that is recorded nowhere")
	}
}
