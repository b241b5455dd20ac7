package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/amazon/tokencache"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// BrokerOptions are the parts of a Broker; all but Scopes, Shared and Health are needed.
type BrokerOptions struct {
	Vault  secret.Vault // holds the refresh tokens
	Static *secret.Cached
	LWAKey string // name in Static of our credentials, see credentials
	Prefix string // of the names of refresh tokens, ending in a slash
	LWA    amazon.LWA
	Clock  clock.Clock
	Random io.Reader
	// Scopes are those for which grantless tokens are given. Nil gives none: such
	// a token speaks for the application and reaches all tenants.
	Scopes []amazon.Scope
	// Shared keeps access tokens for all instances; nil keeps them in memory only.
	Shared *Shared
	// Health is where is noted how asking Amazon goes; nil for nowhere.
	Health *Book
}

// Broker is the only code that reads refresh tokens. It runs in a function of
// its own, whose role alone may read them, and hands out access tokens. A
// refresh token rests in the vault under prefix, tenant, connection and number
// of the authorisation; access tokens are kept in memory, and sealed in Shared.
//
// Errors are *amazon.Error when Login with Amazon refused, and never hold a
// token, a code or the client secret. A withdrawn authorisation is reported and
// nothing else: marking the connection is the caller's business.
type Broker struct {
	o      BrokerOptions
	tokens *tokencache.Cache
}

var _ Tokens = (*Broker)(nil)

// brokerEarly is how long before its expiry the broker replaces an access
// token: more than callers keep in hand, so that what they get is worth keeping.
const brokerEarly = 5 * time.Minute

// NewBroker returns a broker.
func NewBroker(o BrokerOptions) *Broker {
	b := &Broker{o: o}
	b.tokens = tokencache.New(o.Clock, o.Random, brokerEarly, 0, b.fetch)
	return b
}

// ErrBadName is returned for identifiers that cannot be part of a secret's name.
var ErrBadName = errors.New("connect: malformed tenant, connection or grant")

// name is where a refresh token rests. The parts are checked, so that none can
// reach into another's place.
func (b *Broker) name(t tenant.ID, c price.ConnectionID, grant int64) (string, error) {
	if !t.Valid() || !connectionForm.MatchString(string(c)) || grant < 1 {
		return "", ErrBadName
	}
	return b.o.Prefix + string(t) + "/" + string(c) + "/" + strconv.FormatInt(grant, 10), nil
}

// Exchange trades an authorisation code and keeps the refresh token. The access
// token is returned only when the refresh token is durable.
func (b *Broker) Exchange(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64, code secret.Value, redirectURI string) (amazon.Token, error) {
	name, err := b.name(t, c, grant)
	if err != nil {
		return amazon.Token{}, err
	}
	var g amazon.Grant
	err = b.withCredentials(ctx, func(cr amazon.Credentials) (err error) {
		g, err = b.o.LWA.Exchange(ctx, cr, code, redirectURI)
		return err
	})
	if err != nil {
		return amazon.Token{}, err
	}
	// Keep it even when the caller has gone: the code cannot be traded again.
	if err := b.o.Vault.Put(context.WithoutCancel(ctx), name, g.Refresh); err != nil {
		return amazon.Token{}, fmt.Errorf("connect: keep refresh token: %w", err)
	}
	return g.Token, nil
}

// Access returns an access token that is good for some minutes at least.
func (b *Broker) Access(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	return b.tokens.Get(ctx, a)
}

// Discard destroys the refresh token. Access tokens made from it live on until
// they expire, at most an hour.
func (b *Broker) Discard(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64) error {
	name, err := b.name(t, c, grant)
	if err != nil {
		return err
	}
	if b.o.Shared != nil {
		// First the token: a repeat after a crash in between finds the secret and
		// destroys it.
		if err := b.o.Shared.forget(ctx, t, c); err != nil {
			return fmt.Errorf("connect: forget access token: %w", err)
		}
	}
	return b.o.Vault.Delete(ctx, name)
}

// Grantless returns an access token of the application. A scope that is not
// among Scopes is refused without asking Amazon.
func (b *Broker) Grantless(ctx context.Context, scope amazon.Scope) (amazon.Token, error) {
	if !slices.Contains(b.o.Scopes, scope) {
		return amazon.Token{}, fmt.Errorf("%w: %q", ErrScope, scope)
	}
	var t amazon.Token
	err := b.withCredentials(ctx, func(cr amazon.Credentials) (err error) {
		t, err = b.o.LWA.Grantless(ctx, cr, scope)
		return err
	})
	if err != nil {
		return amazon.Token{}, err
	}
	return t, nil
}

// ErrScope is returned for a grantless token that the broker does not give.
var ErrScope = errors.New("connect: the broker gives no token of this scope")

// errGone says that there is no refresh token of that number. It is a passing
// failure: a caller that still knows the old number of a connection that was
// just authorised anew learns the new one when it looks again.
var errGone = errors.New("no refresh token of this authorisation; look the connection up again")

// fetch gets a token that is not in memory.
func (b *Broker) fetch(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	if _, err := b.name(a.Tenant, a.Connection, a.Grant); err != nil {
		return amazon.Token{}, err
	}
	if b.o.Shared == nil {
		return b.refresh(ctx, a)
	}
	return b.o.Shared.get(ctx, a, b.refresh)
}

// refresh asks Amazon for a token, and notes how that went.
func (b *Broker) refresh(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	t, err := b.ask(ctx, a)
	if b.o.Health != nil {
		b.o.Health.note(context.WithoutCancel(ctx), a, err) // the caller may have gone, who asks how it is has not
	}
	return t, err
}

func (b *Broker) ask(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	name, err := b.name(a.Tenant, a.Connection, a.Grant)
	if err != nil {
		return amazon.Token{}, err
	}
	kept, err := b.o.Vault.Get(ctx, name)
	if errors.Is(err, secret.ErrNotFound) {
		return amazon.Token{}, &amazon.Error{Op: "lwa.refresh", Err: errGone}
	}
	if err != nil {
		return amazon.Token{}, err
	}
	var g amazon.Grant
	err = b.withCredentials(ctx, func(cr amazon.Credentials) (err error) {
		g, err = b.o.LWA.Refresh(ctx, cr, kept)
		return err
	})
	if err != nil {
		return amazon.Token{}, err
	}
	if !g.Refresh.Empty() && g.Refresh.Reveal() != kept.Reveal() {
		// A refresh token that was replaced may stop working: keep the new one
		// before its access token is used. If that fails the whole refresh fails,
		// and is tried again while the old one may still work.
		if err := b.o.Vault.Put(ctx, name, g.Refresh); err != nil {
			return amazon.Token{}, fmt.Errorf("connect: keep rotated refresh token: %w", err)
		}
	}
	return g.Token, nil
}

// withCredentials runs call with the application's credentials. When Amazon no
// longer knows them they may have been rotated a moment ago: they are read anew
// and the call is made once more. invalid_client is decided before a code or
// token is looked at, so nothing is used up by the first try.
func (b *Broker) withCredentials(ctx context.Context, call func(amazon.Credentials) error) error {
	cr, err := b.credentials(ctx)
	if err != nil {
		return err
	}
	err = call(cr)
	var e *amazon.Error
	if !errors.As(err, &e) || e.Code != "invalid_client" {
		return err
	}
	b.o.Static.Forget(b.o.LWAKey)
	fresh, cerr := b.credentials(ctx)
	if cerr != nil || (fresh.ClientID == cr.ClientID && fresh.ClientSecret.Reveal() == cr.ClientSecret.Reveal()) {
		return err
	}
	return call(fresh)
}

func (b *Broker) credentials(ctx context.Context) (amazon.Credentials, error) {
	text, err := b.o.Static.Get(ctx, b.o.LWAKey)
	if err != nil {
		return amazon.Credentials{}, fmt.Errorf("connect: application credentials: %w", err)
	}
	c, err := readCredentials(b.o.LWAKey, text)
	return c.Credentials, err
}
