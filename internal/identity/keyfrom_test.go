package identity_test

import (
	"bytes"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
)

func TestABoundKeyWorksFromItsAddressesOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, text, err := w.keys.Make(t.Context(), alpha, "member:ann", identity.NewKey{
		Name: "till", Scopes: []identity.Scope{identity.OffersRead}, From: []string{"192.0.2.7", "198.51.100.0/24", "2001:db8:1::/48"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, works := range map[string]bool{
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "198.51.100.200": true, "2001:db8:1:2::3": true,
		"192.0.2.8": false, "198.51.101.1": false, "2001:db8:2::1": false, "": false, "nonsense": false, "192.0.2.7, 203.0.113.1": false,
	} {
		_, err := w.keys.Authenticate(identity.At(t.Context(), address), text)
		if works != (err == nil) || err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("from %q: %v", address, err)
		}
	}
	if _, err := w.keys.Authenticate(t.Context(), text); err == nil {
		t.Error("it works from an address that is not known")
	}
	// Also when the hashes were made under a pepper that was replaced since.
	w.peppers = []secret.Value{newPepper, oldPepper}
	if _, err := w.keys.Authenticate(identity.At(t.Context(), "192.0.2.7"), text); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	keys, _, err := w.keys.List(t.Context(), alpha, "", 10)
	if err != nil || len(keys) != 1 || keys[0].From.Reveal() != "192.0.2.7/32 198.51.100.0/24 2001:db8:1::/48" {
		t.Errorf("listed as %v, %v", keys, err)
	}
	item, err := w.db.Get(t.Context(), alpha, store.Identity, store.Key{PK: "apikey", SK: keys[0].ID})
	if err != nil || len(item.Bytes("from")) == 0 || bytes.Contains(item.Bytes("from"), []byte("192.0.2")) || bytes.Contains(item.Bytes("shown"), []byte("192.0.2")) {
		t.Errorf("the addresses rest in clear: %v", err)
	}
}

func TestAKeyEndsWhenItsMakerSaid(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, text, err := w.keys.Make(t.Context(), alpha, "member:ann", identity.NewKey{Name: "till", Scopes: []identity.Scope{identity.OffersRead}, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour - time.Second)
	if _, err := w.keys.Authenticate(t.Context(), text); err != nil {
		t.Errorf("before its end: %v", err)
	}
	w.clock.Advance(time.Second)
	_, err = w.keys.Authenticate(t.Context(), text)
	wantKind(t, err, fault.Unauthenticated)
	for _, n := range []identity.NewKey{{Life: -time.Hour}, {Life: identity.KeyLife + time.Hour}, {From: []string{"0.0.0.0/0"}}, {From: []string{"office"}}} {
		n.Name, n.Scopes = "till", []identity.Scope{identity.OffersRead}
		_, _, err := w.keys.Make(t.Context(), alpha, "member:ann", n)
		wantKind(t, err, fault.Invalid)
	}
}
