package identity_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

func TestLedgerLearnsOfTenantsAndKeysButNotOfUse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, text := w.create(t, alpha, identity.PlansRead)
	if _, err := w.keys.Authenticate(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.keys.Revoke(t.Context(), alpha, "member:ann", k.ID); err != nil {
			t.Fatal(err)
		}
	}
	var got []ledger.Event
	for _, r := range w.db.Records(store.Identity, "") {
		if r.Tenant != beta {
			got = append(got, identity.Events(r)...)
		}
	}
	at := w.clock.Now()
	want := []ledger.Event{
		{Type: ledger.TenantCreated, At: at, Actor: "operator", Target: string(alpha)},
		{
			Type: ledger.APIKeyCreated, At: at, Actor: "member:ann", Target: "key:" + k.ID,
			After: []byte(`{"expires":"2027-11-22T09:30:00Z","role":"machine","scopes":["plans:read"]}`),
		},
		{Type: ledger.APIKeyRevoked, At: at, Actor: "member:ann", Target: "key:" + k.ID},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTenantIdIsTakenOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tenants := identity.NewTenants(w.db, w.sealer, w.clock)
	wantKind(t, tenants.Create(t.Context(), alpha, "operator", "Second"), fault.Conflict)
	wantKind(t, tenants.Create(t.Context(), store.Directory, "operator", "Sneaky"), fault.Invalid)
	wantKind(t, tenants.Create(t.Context(), "T_BAD", "operator", "Bad"), fault.Invalid)
	wantKind(t, tenants.Create(t.Context(), "t_newfirm01", "operator", " "), fault.Invalid)
}
