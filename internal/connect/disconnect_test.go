package connect_test

import (
	"errors"
	"testing"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

func TestADisconnectedConnectionLeavesNoKeyAndFreesItsSeller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.connect(alpha, seller1), w.connect(beta, seller2)
	for range 2 { // a repeat changes nothing
		got, err := w.service.Disconnect(t.Context(), "key:x", alpha, c.ID)
		if err != nil || got.State != connect.Disconnected || got.Grant != 0 || got.ClosedAt.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if names := w.vault.Names(); len(names) != 1 {
		t.Errorf("the vault holds %v, want the other tenant's", names)
	}
	w.works(beta, other)
	if all, err := w.service.ForMarketplaces(t.Context(), alpha); err != nil || len(all) != 0 {
		t.Errorf("it still serves %v, %v", all, err)
	}
	if a, _, err := w.service.Account(t.Context(), alpha, c.ID); err != nil || a.Grant != 0 {
		t.Errorf("account %+v, %v", a, err)
	}
	if _, _, err := w.service.Owner(t.Context(), price.EU, seller1); !errors.Is(err, connect.ErrNotFound) {
		t.Errorf("the seller is still claimed: %v", err)
	}
	w.works(beta, w.connect(beta, seller1))
}

func TestADisconnectedConnectionComesBackByANewConsentAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	if _, err := w.service.Disconnect(t.Context(), "key:x", alpha, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.RequestImport(t.Context(), "key:x", alpha, c.ID); !errors.Is(err, connect.ErrNotAuthorised) {
		t.Errorf("import: %v", err)
	}
	// What a lane reports late does not bring it to another state.
	if err := w.service.MarkReauthorise(t.Context(), accountOf(alpha, c.ID, c.Grant), "late"); err != nil || w.get(alpha, c.ID).State != connect.Disconnected {
		t.Errorf("%s, %v", w.get(alpha, c.ID).State, err)
	}
	_, address, err := w.service.StartAgain(t.Context(), "key:x", alpha, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	back, err := w.service.Callback(t.Context(), w.consent(address, seller1))
	if err != nil || back.State != connect.Active || back.Grant <= c.Grant {
		t.Fatalf("%+v, %v", back, err)
	}
	w.works(alpha, back)
}

func TestADisconnectionThatIsKilledAnywhereIsFinishedByARepeat(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for _, applied := range []bool{false, true} {
		for point := 1; ; point++ {
			w := newWorld(t)
			c := w.connect(alpha, seller1)
			n := 0
			die := func() (bool, error) {
				if n++; n >= point {
					return applied && n == point, killed
				}
				return true, nil
			}
			w.vault.Hook = func(string, string) (bool, error) { return die() }
			w.db.Hook = func(memory.Op) (bool, error) { return die() }
			err := w.service.DisconnectAll(t.Context(), "erasure", alpha)
			w.vault.Hook, w.db.Hook = nil, nil
			if err == nil {
				if point < 3 {
					t.Fatalf("only %d operations", point-1)
				}
				break
			}
			if err := w.service.DisconnectAll(t.Context(), "erasure", alpha); err != nil {
				t.Fatalf("killed at %d, applied %v: %v", point, applied, err)
			}
			if got := w.get(alpha, c.ID); got.State != connect.Disconnected || len(w.vault.Names()) != 0 {
				t.Errorf("killed at %d, applied %v: %s, %v", point, applied, got.State, w.vault.Names())
			}
		}
	}
}

func TestAnotherTenantsConnectionCannotBeDisconnected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	if _, err := w.service.Disconnect(t.Context(), "key:x", beta, c.ID); !errors.Is(err, connect.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := w.service.DisconnectAll(t.Context(), "key:x", beta); err != nil {
		t.Error(err)
	}
	w.works(alpha, c)
}

func TestAConsentBesideADisconnectionDoesNotUndoIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	_, address, err := w.service.StartAgain(t.Context(), "key:x", alpha, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	back := w.consent(address, seller1)
	// The disconnection happens between the exchange of the code and the switch.
	w.vault.Hook = func(op, _ string) (bool, error) {
		if op == "put" {
			w.vault.Hook = nil
			if _, err := w.service.Disconnect(t.Context(), "key:y", alpha, c.ID); err != nil {
				t.Error(err)
			}
		}
		return true, nil
	}
	_, err = w.service.Callback(t.Context(), back)
	refused(t, err, fault.Conflict, "moved")
	if got := w.get(alpha, c.ID); got.State != connect.Disconnected || len(w.vault.Names()) != 0 {
		t.Errorf("%s, the vault holds %v", got.State, w.vault.Names())
	}
}

func TestADisconnectionIsOneEventOfTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	if _, err := w.service.Disconnect(t.Context(), "key:x", alpha, c.ID); err != nil {
		t.Fatal(err)
	}
	before := store.Item{Attrs: map[string]any{"state": "active", "grant": int64(1)}}
	after := store.Item{Attrs: map[string]any{"state": "disconnected", "actor": "key:x"}}
	events := connect.Events(store.Record{Tenant: alpha, Table: store.Connections, Key: store.Key{PK: "connections", SK: string(c.ID)}, Old: &before, New: &after})
	if len(events) != 1 || events[0].Type != ledger.ConnectionClosed || events[0].Actor != "key:x" {
		t.Errorf("events %+v", events)
	}
}

func TestASellerIsRemindedBeforeTheAuthorisationEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	end := c.AuthorisedAt.Add(365 * 24 * time.Hour)
	for left, want := range map[time.Duration]connect.Renewal{
		31 * 24 * time.Hour: connect.RenewalLater, 30 * 24 * time.Hour: connect.RenewalMonth, 7*24*time.Hour + 1: connect.RenewalMonth,
		7 * 24 * time.Hour: connect.RenewalWeek, 24 * time.Hour: connect.RenewalDay, 0: connect.RenewalMissed, -time.Hour: connect.RenewalMissed,
	} {
		if by, got := c.Renewal(end.Add(-left)); got != want || !by.Equal(end) {
			t.Errorf("%s before: %q by %s, want %q", left, got, by, want)
		}
	}
	c.State = connect.Disconnected
	if _, got := c.Renewal(end); got != connect.RenewalNone {
		t.Errorf("a disconnected one: %q", got)
	}
}
