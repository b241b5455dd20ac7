package connect_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

func (w *world) tokenCalls() int {
	return len(w.fake.Requests(fakeamazon.Query{Op: "token"}))
}

func TestAnAccessTokenIsFetchedOncePerHourWhoeverAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	before := w.tokenCalls()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := w.broker.Access(t.Context(), c.Account(alpha)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.tokenCalls() - before; n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
	w.clock.Advance(53 * time.Minute)
	if tok, err := w.broker.Access(t.Context(), c.Account(alpha)); err != nil || tok.Expires.Sub(w.clock.Now()) < 5*time.Minute || w.tokenCalls() != before+1 {
		t.Errorf("after 53 minutes: %v, %v", tok.Expires, err)
	}
	w.clock.Advance(2*time.Minute + time.Second)
	if tok, err := w.broker.Access(t.Context(), c.Account(alpha)); err != nil || tok.Expires.Sub(w.clock.Now()) != time.Hour {
		t.Errorf("five minutes before the end: %v, %v", tok.Expires, err)
	}
}

func TestAWithdrawnAuthorisationIsReportedAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	w.fake.Revoke(price.EU, seller1)
	_, err := w.broker.Access(t.Context(), c.Account(alpha))
	if amazon.Classify(err) != amazon.Reauthorise {
		t.Errorf("got %v", err)
	}
	if got := w.get(alpha, c.ID); got.State != connect.Active || len(w.vault.Names()) != 1 {
		t.Errorf("connection %s, vault %v", got.State, w.vault.Names())
	}
}

func TestRotatedCredentialsArePickedUpAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	// Rotated twice: the one the broker remembers no longer works.
	w.fake.RotateSecret(secret.New("second-secret"))
	w.fake.RotateSecret(secret.New("third-secret"))
	if _, err := w.broker.Access(t.Context(), c.Account(alpha)); amazon.Classify(err) != amazon.Operator {
		t.Errorf("with credentials that are gone: %v", err)
	}
	if err := w.static.Put(t.Context(), lwaKey, secret.New(`{"client_id":"amzn1.client","client_secret":"third-secret"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.broker.Access(t.Context(), c.Account(alpha)); err != nil {
		t.Errorf("after the vault was told: %v", err)
	}
}

func TestTheBrokerReachesOnlyTheConnectionItIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	if _, err := w.broker.Access(t.Context(), accountOf(beta, c.ID, c.Grant)); amazon.Classify(err) != amazon.Retry {
		t.Errorf("another tenant: %v", err)
	}
	if _, err := w.broker.Access(t.Context(), accountOf(alpha, c.ID, c.Grant+1)); amazon.Classify(err) != amazon.Retry {
		t.Errorf("another number: %v", err)
	}
	for _, a := range []amazon.Account{
		accountOf("t_alpha1/"+tenant.ID(c.ID), c.ID, 1), accountOf(alpha, "../"+c.ID, 1), accountOf("", c.ID, 1),
		accountOf(alpha, "", 1), accountOf(alpha, c.ID, 0), accountOf(alpha, c.ID, -1),
	} {
		if _, err := w.broker.Access(t.Context(), a); !errors.Is(err, connect.ErrBadName) {
			t.Errorf("%+v: %v", a, err)
		}
		if err := w.broker.Discard(t.Context(), a.Tenant, a.Connection, a.Grant); !errors.Is(err, connect.ErrBadName) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	w.works(alpha, c)
}

func TestAGrantlessTokenIsGivenForTheNamedScopesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok, err := w.broker.Grantless(t.Context(), amazon.ScopeNotifications)
	if err != nil || tok.Access.Empty() || tok.Expires.Sub(w.clock.Now()) != time.Hour {
		t.Errorf("got %v, %v", tok, err)
	}
	before := w.tokenCalls()
	for _, scope := range []amazon.Scope{amazon.ScopeRotation, "", "sellingpartnerapi::migration"} {
		if tok, err := w.broker.Grantless(t.Context(), scope); !errors.Is(err, connect.ErrScope) || !tok.Access.Empty() {
			t.Errorf("%q: %v", scope, err)
		}
	}
	if n := w.tokenCalls(); n != before {
		t.Errorf("Amazon was asked %d times for what is not given", n-before)
	}
	w.fake.RotateSecret(secret.New("second-secret"))
	w.fake.RotateSecret(secret.New("third-secret"))
	if err := w.static.Put(t.Context(), lwaKey, secret.New(`{"client_id":"amzn1.client","client_secret":"third-secret"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.broker.Grantless(t.Context(), amazon.ScopeNotifications); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
}

// lwa is a Login with Amazon that hands out a new refresh token each time.
type lwa struct{ n int }

func (l *lwa) Exchange(context.Context, amazon.Credentials, secret.Value, string) (amazon.Grant, error) {
	return l.grant(), nil
}

func (l *lwa) Refresh(_ context.Context, _ amazon.Credentials, r secret.Value) (amazon.Grant, error) {
	if want := fmt.Sprintf("refresh-%d", l.n); r.Reveal() != want {
		return amazon.Grant{}, &amazon.Error{Op: "lwa.refresh", Status: 400, Code: "invalid_grant"}
	}
	return l.grant(), nil
}

func (l *lwa) Grantless(context.Context, amazon.Credentials, amazon.Scope) (amazon.Token, error) {
	return amazon.Token{}, nil
}

func (l *lwa) grant() amazon.Grant {
	l.n++
	return amazon.Grant{Token: amazon.Token{Access: secret.New("access"), Expires: time.Unix(0, 0)}, Refresh: secret.New(fmt.Sprintf("refresh-%d", l.n))}
}

const someConnection price.ConnectionID = "conn_aaaaaaaaaaaaaaaaaaaaaaaaaa"

func brokerOver(t *testing.T, v *vault.Vault, l amazon.LWA, credentials string) *connect.Broker {
	t.Helper()
	static := &vault.Vault{}
	if err := static.Put(t.Context(), lwaKey, secret.New(credentials)); err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	return connect.NewBroker(connect.BrokerOptions{
		Vault: v, Static: secret.NewCached(static, now, time.Hour), LWAKey: lwaKey, Prefix: prefix, LWA: l, Clock: now, Random: rand.Reader,
	})
}

const goodCredentials = `{"client_id":"a","client_secret":"b"}`

func TestARotatedRefreshTokenIsKeptBeforeItsAccessTokenIsUsed(t *testing.T) {
	t.Parallel()
	v := &vault.Vault{}
	b := brokerOver(t, v, &lwa{}, goodCredentials)
	if _, err := b.Exchange(t.Context(), alpha, someConnection, 1, secret.New("code"), redirect); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // each works only with the refresh token of the one before
		if _, err := b.Access(t.Context(), accountOf(alpha, someConnection, 1)); err != nil {
			t.Fatalf("refresh %d: %v", i, err)
		}
	}
	v.Hook = func(op, _ string) (bool, error) {
		if op == "put" {
			return false, errors.New("vault is down")
		}
		return true, nil
	}
	if tok, err := b.Access(t.Context(), accountOf(alpha, someConnection, 1)); err == nil || !tok.Access.Empty() {
		t.Errorf("an access token was handed out though its refresh token is lost: %v", err)
	}
}

func TestAnExchangeWhoseTokenCannotBeKeptFails(t *testing.T) {
	t.Parallel()
	v := &vault.Vault{Hook: func(string, string) (bool, error) { return false, errors.New("vault is down") }}
	b := brokerOver(t, v, &lwa{}, goodCredentials)
	if tok, err := b.Exchange(t.Context(), alpha, someConnection, 1, secret.New("code"), redirect); err == nil || !tok.Access.Empty() {
		t.Errorf("got %v, %v", tok, err)
	}
}

func TestBrokenCredentialsAreNamedAndNotShown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`hidden`, `{"client_id":"hidden"}`, `{"client_id":7,"client_secret":"hidden"}`} {
		b := brokerOver(t, &vault.Vault{}, &lwa{}, text)
		_, err := b.Exchange(t.Context(), alpha, someConnection, 1, secret.New("code"), redirect)
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), lwaKey) {
			t.Errorf("got %v", err)
		}
	}
}

func TestDiscardDestroysOneAuthorisation(t *testing.T) {
	t.Parallel()
	v := &vault.Vault{}
	b := brokerOver(t, v, &lwa{}, goodCredentials)
	for n := range int64(2) {
		if _, err := b.Exchange(t.Context(), alpha, someConnection, n+1, secret.New("code"), redirect); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.Discard(t.Context(), alpha, someConnection, 1); err != nil {
			t.Fatal(err)
		}
	}
	if names := v.Names(); !slices.Equal(names, []string{prefix + "t_alpha1/" + string(someConnection) + "/2"}) {
		t.Errorf("vault holds %v", names)
	}
}
