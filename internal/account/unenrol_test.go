package account_test

import (
	"testing"

	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
)

// The session in which the authenticator was removed had a code checked once. It reaches
// the account alone all the same, until there is another authenticator.
func TestWhoeverRemovesTheAuthenticatorReachesTheirAccountAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	if !p.principal().May(identity.OffersRead) {
		t.Fatal("an owner may not look")
	}
	w.ok(w.svc.RemoveAuthenticator(t.Context(), p.principal(), secret.New(p.password), p.code(), home))
	for _, s := range identity.AllScopes() {
		if got := p.principal().May(s); got != (s == identity.AccountSelf) {
			t.Errorf("without an authenticator %s is %v", s, got)
		}
	}
	p.enrol()
	if !p.principal().May(identity.OffersRead) {
		t.Error("with another authenticator the owner may not look")
	}
}
