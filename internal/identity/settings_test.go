package identity_test

import (
	"bytes"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
)

func TestSettingsAreChangedByWhoSawThemAndRestSealed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tenants := identity.NewTenants(w.db, w.sealer, w.clock)
	was, err := tenants.Settings(t.Context(), alpha)
	if err != nil || was.Name.Reveal() != "Firm t_alpha00001" || was.Ver != 0 || !was.Security.Empty() {
		t.Fatalf("%+v, %v", was, err)
	}
	was.Security = personal.New(" Desk@Example.com")
	now, err := tenants.Change(t.Context(), alpha, "member:ann", was)
	if err != nil || now.Ver != 1 || now.Security.Reveal() != "desk@example.com" {
		t.Fatalf("%+v, %v", now, err)
	}
	_, err = tenants.Change(t.Context(), alpha, "member:bob", was)
	wantKind(t, err, fault.Conflict)
	now.Security = personal.New("")
	if now, err = tenants.Change(t.Context(), alpha, "member:ann", now); err != nil {
		t.Fatal(err)
	}
	if got, err := tenants.Settings(t.Context(), alpha); err != nil || !got.Security.Empty() || got.Ver != now.Ver {
		t.Errorf("%+v, %v", got, err)
	}
	if other, err := tenants.Settings(t.Context(), beta); err != nil || other.Ver != 0 {
		t.Errorf("another tenant's: %+v, %v", other, err)
	}
	changed := 0
	for _, r := range w.db.Records(store.Identity, "") {
		for _, e := range identity.Events(r) {
			if e.Type == ledger.TenantChanged && e.Actor == "member:ann" {
				changed++
			}
		}
		if r.New != nil && bytes.Contains(r.New.Bytes("security"), []byte("example.com")) {
			t.Error("a contact rests in clear")
		}
	}
	if changed != 2 {
		t.Errorf("%d changes in the ledger", changed)
	}
	for _, bad := range []identity.Settings{{Name: personal.New("")}, {Name: personal.New("a\nb")}, {Name: personal.New("Firm"), Privacy: personal.New("nobody")}} {
		_, err := tenants.Change(t.Context(), alpha, "member:ann", bad)
		wantKind(t, err, fault.Invalid)
	}
}
