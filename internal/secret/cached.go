package secret

import (
	"context"
	"sync"
	"time"

	"pricemanager/internal/clock"
)

// Getter is the reading part of a Vault.
type Getter interface {
	Get(ctx context.Context, name string) (Value, error)
}

// Cached reads static secrets (application credentials, pepper, signing key)
// through a vault and keeps each for a while. A secret that was rotated is used
// at most TTL later, or at once after Forget. It never serves a secret past its
// time: when the vault cannot be read then, neither can the secret.
type Cached struct {
	vault Getter
	clock clock.Clock
	ttl   time.Duration

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	value Value
	until time.Time
}

var _ Getter = (*Cached)(nil)

// NewCached returns a cache over vault that keeps a secret for ttl.
func NewCached(vault Getter, c clock.Clock, ttl time.Duration) *Cached {
	return &Cached{vault: vault, clock: c, ttl: ttl, kept: map[string]kept{}}
}

// Get returns the secret, read at most TTL ago. Errors are the vault's and are
// not kept.
func (c *Cached) Get(ctx context.Context, name string) (Value, error) {
	now := c.clock.Now()
	c.mu.Lock()
	k, ok := c.kept[name]
	c.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.value, nil
	}
	v, err := c.vault.Get(ctx, name)
	if err != nil {
		return Value{}, err
	}
	c.mu.Lock()
	c.kept[name] = kept{v, now.Add(c.ttl)}
	c.mu.Unlock()
	return v, nil
}

// Forget drops a secret, so that the next Get reads it again: for when its
// owner said that it is no longer right.
func (c *Cached) Forget(name string) {
	c.mu.Lock()
	delete(c.kept, name)
	c.mu.Unlock()
}
