package connect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
)

// Rotation replaces our application's client secret. Amazon makes the new one
// when it is asked (Ask) and sends it to our queue some time later (Take); the
// old one works for seven more days, within which everybody who uses it reads
// the new one. Nothing is lost between the two: until the new one is kept, it is
// in the queue; until it was tested, the old one is current.
//
// All methods may be repeated and run beside each other.
type Rotation struct {
	DB     store.DB
	Vault  secret.Versions
	Name   string // of the secret with our credentials
	LWA    amazon.LWA
	Amazon amazon.SecretRotation
	Region price.Region // whose endpoint is asked; the secret is that of all
	Clock  clock.Clock
}

// askAgain is how long a secret that was asked for may take to come before
// another one is asked for. Each that is made ends the one before the last.
const askAgain = time.Hour

// NewSecret is a client secret that Amazon has made for the application.
type NewSecret struct {
	ClientID string
	Secret   secret.Value
	Ends     time.Time
}

// ErrForeign: the new secret is another application's, or lacks its end.
var ErrForeign = errors.New("connect: not a new secret of our application")

// Ask asks Amazon for a new secret. It reports false when one was asked for
// within the hour and has not come yet.
func (r *Rotation) Ask(ctx context.Context) (bool, error) {
	now := r.Clock.Now()
	// The mark comes first: a crash after the call cannot have the next attempt,
	// which knows nothing of it, make another secret at once.
	_, err := r.DB.Update(ctx, store.Directory, store.Connections, applicationKey(), store.Update{
		Set: map[string]any{aAsked: store.Millis(now)},
		If:  []store.Cond{store.AnyOf(store.Missing(aAsked), store.Le(aAsked, store.Millis(now.Add(-askAgain))))},
	})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("connect: mark the rotation: %w", err)
	}
	err = r.ask(ctx)
	var e *amazon.Error
	if err != nil && (!errors.As(err, &e) || !e.Reached) {
		// Certainly not made. When this write is lost, the next attempt is in an hour.
		return false, errors.Join(err, r.settle(context.WithoutCancel(ctx)))
	}
	return err == nil, err
}

func (r *Rotation) ask(ctx context.Context) error {
	c, err := r.current(ctx)
	if err != nil {
		return err
	}
	token, err := r.LWA.Grantless(ctx, c.Credentials, amazon.ScopeRotation)
	if err != nil {
		var e *amazon.Error
		if errors.As(err, &e) { // whatever became of the token, no secret was asked for
			unsent := *e
			unsent.Reached = false
			return &unsent
		}
		return err
	}
	return r.Amazon.RotateClientSecret(ctx, token.Access, r.Region)
}

// Take puts a new secret into use. A repeated one, and one that is older than
// the one in use, change nothing.
func (r *Rotation) Take(ctx context.Context, n NewSecret) error {
	c, err := r.current(ctx)
	if err != nil {
		return err
	}
	if n.ClientID != c.ClientID || n.Secret.Empty() || n.Ends.IsZero() {
		return ErrForeign
	}
	if n.Ends.After(c.Ends) {
		// 1. Keep it, beside the current one. From here on the message is not
		// needed: Tick goes on after a crash.
		if err := r.propose(ctx, n); err != nil {
			return err
		}
		// 2. Test it, then switch.
		if err := r.resume(ctx); err != nil {
			return err
		}
	}
	// 3. Nothing is asked for any more. A crash before this delays the next
	// rotation by an hour at most.
	return r.settle(ctx)
}

func (r *Rotation) propose(ctx context.Context, n NewSecret) error {
	// Named by its end, so that the same message twice is the same version.
	sum := sha256.Sum256([]byte(n.ClientID + "\n" + n.Ends.UTC().Format(time.RFC3339Nano)))
	next := secret.Version{ID: hex.EncodeToString(sum[:16])}
	p, err := r.Vault.At(ctx, r.Name, secret.Pending)
	switch {
	case errors.Is(err, secret.ErrNotFound):
	case err != nil:
		return err
	case p.Value.Empty(): // Secrets Manager was told to rotate and waits for this version
		next.ID = p.ID
	default:
		c, err := readCredentials(r.Name, p.Value)
		if err == nil && !n.Ends.After(c.Ends) {
			return nil // it is pending already, or a later one is
		}
	}
	next.Value, err = credentials{amazon.Credentials{ClientID: n.ClientID, ClientSecret: n.Secret}, n.Ends}.value()
	if err != nil {
		return err
	}
	return r.Vault.Propose(ctx, r.Name, next)
}

// Step does one of the steps that Secrets Manager asks for. The first one is
// secret.ErrNotYet until Amazon has delivered; Take does the others by itself,
// and finds them done when Secrets Manager comes back.
func (r *Rotation) Step(ctx context.Context, s secret.Step, version string) error {
	return r.rotator().Do(ctx, s, version)
}

// Tick goes on with a rotation that was interrupted, and asks for a new secret
// when Amazon has given notice of the end of the one in use. It reports whether
// it did anything.
func (r *Rotation) Tick(ctx context.Context) (bool, error) {
	id, err := r.rotator().Unfinished(ctx)
	if err != nil {
		return false, err
	}
	if id != "" {
		// One that has not come yet, was overtaken or is refused by Amazon does not
		// keep a later one from taking its place.
		var e *amazon.Error
		err := r.resume(ctx)
		if refused := errors.As(err, &e) && e.Code == "invalid_client"; !refused && !errors.Is(err, secret.ErrNotYet) && !errors.Is(err, secret.ErrMoved) {
			return err == nil, err
		}
	}
	c, err := r.current(ctx)
	if err != nil {
		return false, err
	}
	end, noticed, err := (&Service{DB: r.DB}).SecretEnd(ctx)
	if err != nil || !noticed || c.Ends.After(end) {
		return false, err
	}
	return r.Ask(ctx)
}

func (r *Rotation) resume(ctx context.Context) error {
	id, err := r.rotator().Unfinished(ctx)
	if err != nil || id == "" {
		return err
	}
	return r.rotator().Run(ctx, id)
}

func (r *Rotation) rotator() secret.Rotator {
	return secret.Rotator{Vault: r.Vault, Name: r.Name, Make: r.make, Check: r.check}
}

// make asks; it never has the answer.
func (r *Rotation) make(ctx context.Context, _ secret.Value) (secret.Value, error) {
	if _, err := r.Ask(ctx); err != nil {
		return secret.Value{}, err
	}
	return secret.Value{}, secret.ErrNotYet
}

// check has Amazon accept the next secret before anybody depends on it.
func (r *Rotation) check(ctx context.Context, current, next secret.Value) error {
	was, err := readCredentials(r.Name, current)
	if err != nil {
		return err
	}
	c, err := readCredentials(r.Name, next)
	if err != nil {
		return err
	}
	if c.ClientID != was.ClientID || !c.Ends.After(was.Ends) {
		return fmt.Errorf("%w: %s: the pending one is not newer", secret.ErrMoved, r.Name)
	}
	_, err = r.LWA.Grantless(ctx, c.Credentials, amazon.ScopeRotation)
	return err
}

// settle takes the mark of Ask away.
func (r *Rotation) settle(ctx context.Context) error {
	_, err := r.DB.Update(ctx, store.Directory, store.Connections, applicationKey(), store.Update{Remove: []string{aAsked}})
	if err != nil {
		return fmt.Errorf("connect: settle the rotation: %w", err)
	}
	return nil
}

func (r *Rotation) current(ctx context.Context) (credentials, error) {
	v, err := r.Vault.At(ctx, r.Name, secret.Current)
	if err != nil {
		return credentials{}, err
	}
	return readCredentials(r.Name, v.Value)
}
