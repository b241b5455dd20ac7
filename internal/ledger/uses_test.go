package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
)

const address = "192.0.2.77"

// passed deletes what the outbox gathered in the hour that is over, as the table does
// when its time has come.
func (w *world) passed(t *testing.T, hour string) {
	t.Helper()
	page, err := w.db.Query(t.Context(), tenantA, store.Offers, store.Query{PK: "outbox"})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		if strings.Contains(it.SK, hour) {
			if err := w.db.Delete(t.Context(), tenantA, store.Offers, it.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestUsesAreGatheredByActorRouteAddressAndHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock}
	use := func(actor, route string, reads bool, from string, times int) {
		for range times {
			w.clock.Advance(time.Second)
			if err := o.Used(t.Context(), tenantA, ledger.Use{Actor: actor, Route: route, Reads: reads, From: ledger.Origin{Names: []string{from, "older"}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	use("key:1", "GET /offers", true, "home", 40)
	use("key:1", "GET /offers", true, "abroad", 1)
	use("key:2", "GET /offers", true, "home", 1)
	use("key:1", "POST /plans", false, "home", 2)
	home, abroad := ` {"from":["home","older"]}`, ` {"from":["abroad","older"]}`
	want := []string{"data.read key:1 GET /offers" + home, "data.read key:1 GET /offers" + abroad, "data.read key:2 GET /offers" + home, "request.made key:1 POST /plans" + home}
	if got := delivered(t, w); !slices.Equal(got, want) {
		t.Fatalf("recorded %q, want %q", got, want)
	}
	w.clock.Advance(time.Hour)
	use("key:1", "GET /offers", true, "home", 3)
	w.passed(t, "T12#")
	want = append(want, "data.read key:1 GET /offers"+home, `data.read-count key:1 GET /offers {"reads":1}`, `data.read-count key:1 GET /offers {"reads":40}`,
		`data.read-count key:2 GET /offers {"reads":1}`, `request.count key:1 POST /plans {"times":2}`)
	if got := delivered(t, w); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// However many there are, few events tell of all of them, the first ones at once.
func TestEveryRefusalIsToldOfInFewEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock}
	for range 234 {
		r := ledger.Refusal{Target: "key:1", Route: "GET /offers", Why: "revoked", From: ledger.Origin{Names: []string{"h"}}}
		if err := o.Refused(t.Context(), tenantA, r); err != nil {
			t.Fatal(err)
		}
	}
	said := func(n int) string {
		return fmt.Sprintf(`request.refused  key:1 {"from":["h"],"route":"GET /offers","times":%d,"why":"revoked"}`, n)
	}
	want := []string{said(1), said(9), said(90)}
	if got := delivered(t, w); !slices.Equal(got, want) {
		t.Fatalf("recorded %q, want %q", got, want)
	}
	w.clock.Advance(2 * time.Hour)
	w.passed(t, "T12#")
	if got := delivered(t, w); !slices.Equal(got, append(want, said(134))) {
		t.Errorf("recorded %q, want the other 134 too", got)
	}
}

// The address is disclosed to the tenant, rests sealed on its way and in the ledger, and
// is gone with the tenant's keys.
func TestTheAddressOfAnActorIsSealedAndDisclosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock, Sealer: w.sealer}
	from := ledger.Origin{Address: personal.New(address), Names: []string{"h"}}
	if err := o.Used(t.Context(), tenantA, ledger.Use{Actor: "key:1", Route: "POST /plans", From: from}); err != nil {
		t.Fatal(err)
	}
	delivered(t, w)
	leaves, err := w.log().Events(t.Context(), tenantA, 0, 10)
	if err != nil || len(leaves) != 1 {
		t.Fatal(leaves, err)
	}
	var e ledger.Event
	if err := json.Unmarshal(leaves[0].Event, &e); err != nil || e.Address != address {
		t.Errorf("disclosed %s, %v", leaves[0].Event, err)
	}
	for _, table := range []store.Table{store.Offers, store.Ledger} {
		pk := map[store.Table]string{store.Offers: "outbox", store.Ledger: "log"}[table]
		page, err := w.db.Query(t.Context(), tenantA, table, store.Query{PK: pk})
		if err != nil || len(page.Items) == 0 {
			t.Fatal(table, err)
		}
		for _, it := range page.Items {
			for name, v := range it.Attrs {
				if strings.Contains(fmt.Sprint(v), address) || strings.Contains(it.SK, address) {
					t.Errorf("in clear in %s %s", table, name)
				}
				if b, ok := v.([]byte); ok && bytes.Contains(b, []byte(address)) {
					t.Errorf("in clear in %s %s", table, name)
				}
			}
		}
	}
	if err := w.sealer.Shred(t.Context(), tenantA); err != nil {
		t.Fatal(err)
	}
	if leaves, err := w.log().Events(t.Context(), tenantA, 0, 10); err == nil {
		t.Errorf("after the erasure the ledger says %s", leaves[0].Event)
	}
}
