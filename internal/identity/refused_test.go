package identity_test

import (
	"errors"
	"testing"

	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
)

// The owner of a key is told that it was tried; nobody is of one that nobody has.
func TestTheCauseOfARefusalNamesWhoseKeyItWas(t *testing.T) {
	t.Parallel()
	w := setup(t)
	key, text := w.create(t, alpha, identity.PlansRead)
	why := func() identity.Refused {
		_, err := w.keys.Authenticate(t.Context(), text)
		var r *identity.Refused
		if !errors.As(err, &r) {
			t.Fatalf("%v names nobody", err)
		}
		return *r
	}
	subject := "key:" + key.ID
	w.peppers = []secret.Value{newPepper}
	if got := why(); got != (identity.Refused{Tenant: alpha, Subject: subject, Why: identity.WrongSecret}) {
		t.Errorf("%+v", got)
	}
	w.peppers = []secret.Value{oldPepper}
	w.clock.Advance(identity.KeyLife)
	if got := why(); got != (identity.Refused{Tenant: alpha, Subject: subject, Why: identity.ExpiredKey, Proven: true}) {
		t.Errorf("%+v", got)
	}
	if err := w.keys.Revoke(t.Context(), alpha, "member:ann", key.ID); err != nil {
		t.Fatal(err)
	}
	if got := why(); got != (identity.Refused{Tenant: alpha, Subject: subject, Why: identity.RevokedKey, Proven: true}) {
		t.Errorf("%+v", got)
	}
	_, err := w.keys.Authenticate(t.Context(), secret.New("hello"))
	var r *identity.Refused
	if err == nil || errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}
