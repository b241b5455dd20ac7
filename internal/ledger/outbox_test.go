package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// delivered pumps everything that the outbox's table ever said, and returns the
// tenant's events as "type actor target after".
func delivered(t *testing.T, w *world) (out []string) {
	t.Helper()
	p := &ledger.Pump{Log: w.log(), Mappers: map[store.Table]ledger.Mapper{store.Offers: ledger.OutboxEvents}}
	if failed, err := p.Handle(t.Context(), w.db.Records(store.Offers, "")); err != nil || len(failed) > 0 {
		t.Fatalf("%v, %v", failed, err)
	}
	leaves, err := w.log().Events(t.Context(), tenantA, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		var e ledger.Event
		if err := json.Unmarshal(leaf.Event, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Type, e.Actor, e.Target, e.After)))
	}
	return out
}

func TestTheOutboxRecordsEachKeyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock}
	e := ledger.Event{Type: ledger.TokenIssued, At: w.clock.Now(), Actor: "lane", Target: "conn_1", After: json.RawMessage(`{"for":"prices"}`)}
	for _, key := range []string{"a", "b", "a"} {
		if err := o.Record(t.Context(), tenantA, key, e); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		want := []string{`token.issued lane conn_1 {"for":"prices"}`, `token.issued lane conn_1 {"for":"prices"}`}
		if got := delivered(t, w); !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	}
	if err := o.Record(t.Context(), tenantA, "c", ledger.Event{Type: "odd", At: w.clock.Now()}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("an unknown type: %v", err)
	}
}
