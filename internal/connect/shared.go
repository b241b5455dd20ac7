package connect

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Sealer seals fields: an envelope.Sealer.
type Sealer interface {
	Seal(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, sealed []byte) ([]byte, error)
}

// Shared keeps access tokens where every instance of the broker finds them,
// sealed under the tenant's key for tokens, so that one authorisation is
// refreshed once an hour and not once an hour and instance. It is a cache: what
// cannot be read or written there is asked of Amazon, as without it.
type Shared struct {
	DB     store.DB
	Sealer Sealer
	Clock  clock.Clock
}

const (
	tokensPK        = "token" // SK: connection id
	aSealed, aLease = "sealed", "lease"

	// leaseFor is how long the others wait for one that refreshes, which takes a
	// fraction of it: then another one asks beside it, well before callers give up.
	leaseFor = 5 * time.Second
	// lookAgain is how often the others look for its result.
	lookAgain = 100 * time.Millisecond
)

func tokenKey(c price.ConnectionID) store.Key { return store.Key{PK: tokensPK, SK: string(c)} }

func tokenPlace(c price.ConnectionID) envelope.Where {
	return envelope.Where{Table: store.Connections, Key: tokenKey(c), Field: aSealed}
}

type sharedToken struct {
	Access  string    `json:"access"`
	Expires time.Time `json:"expires"`
}

// get returns the token that is kept, or asks for one: of all instances at once,
// one does, and the others wait for its token while its lease lasts.
func (s *Shared) get(ctx context.Context, a amazon.Account, ask func(context.Context, amazon.Account) (amazon.Token, error)) (amazon.Token, error) {
	for {
		if t, ok := s.kept(ctx, a); ok {
			return t, nil
		}
		mine, err := s.lease(ctx, a)
		if err != nil {
			return ask(ctx, a)
		}
		if mine {
			break
		}
		if err := s.Clock.Sleep(ctx, lookAgain); err != nil {
			return amazon.Token{}, err
		}
	}
	t, err := ask(ctx, a)
	// A crash before this leaves the lease, which ends by itself; the refresh token
	// can be used again. The caller may have gone, the others have not.
	s.keep(context.WithoutCancel(ctx), a, t, err == nil)
	return t, err
}

// kept returns a token of this very authorisation that is good for a while.
func (s *Shared) kept(ctx context.Context, a amazon.Account) (amazon.Token, bool) {
	it, err := s.DB.Get(ctx, a.Tenant, store.Connections, tokenKey(a.Connection))
	if err != nil || it.Int(aGrant) != a.Grant || it.Bytes(aSealed) == nil {
		return amazon.Token{}, false
	}
	// The broker gives a token up that long before its end, and up to a minute
	// more: what is nearer is no use to it.
	if !s.Clock.Now().Before(it.Time(aExpires).Add(-brokerEarly - time.Minute)) {
		return amazon.Token{}, false
	}
	text, err := s.Sealer.Open(ctx, a.Tenant, envelope.Tokens, tokenPlace(a.Connection), it.Bytes(aSealed))
	var t sharedToken
	if err != nil || json.Unmarshal(text, &t) != nil || t.Access == "" {
		return amazon.Token{}, false
	}
	return amazon.Token{Access: secret.New(t.Access), Expires: t.Expires}, true
}

// lease reports whether this instance is the one to ask Amazon.
func (s *Shared) lease(ctx context.Context, a amazon.Account) (bool, error) {
	now := s.Clock.Now()
	_, err := s.DB.Update(ctx, a.Tenant, store.Connections, tokenKey(a.Connection), store.Update{
		Set: map[string]any{aLease: store.Millis(now.Add(leaseFor)), aTTL: now.Add(2 * time.Hour).Unix()},
		If:  []store.Cond{store.AnyOf(store.Missing(aLease), store.Le(aLease, store.Millis(now)))},
	})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// keep puts the token where the others find it and gives the lease back.
func (s *Shared) keep(ctx context.Context, a amazon.Account, t amazon.Token, got bool) {
	u := store.Update{Remove: []string{aLease}, If: []store.Cond{store.Exists()}}
	if got {
		text, err := json.Marshal(sharedToken{t.Access.Reveal(), t.Expires})
		if err == nil {
			var sealed []byte
			if sealed, err = s.Sealer.Seal(ctx, a.Tenant, envelope.Tokens, tokenPlace(a.Connection), text); err == nil {
				u.Set = map[string]any{aSealed: sealed, aGrant: a.Grant, aExpires: store.Millis(t.Expires), aTTL: t.Expires.Unix()}
			}
		}
	}
	_, _ = s.DB.Update(ctx, a.Tenant, store.Connections, tokenKey(a.Connection), u)
}

// forget takes the connection's token away.
func (s *Shared) forget(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	err := s.DB.Delete(ctx, t, store.Connections, tokenKey(c), store.Exists())
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
