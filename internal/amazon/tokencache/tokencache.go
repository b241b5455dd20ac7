// Package tokencache keeps access tokens in memory until shortly before they
// expire and asks for each at most once at a time, however many callers wait.
//
// A token that is about to expire is replaced beside its use: callers get it as
// long as it works, and none waits for the new one. Calls that waited together
// would arrive at Amazon together, over the budget that they were paced for.
//
// It keeps no error: the next caller asks again. A token is kept per
// authorisation, so that one given before a seller authorised anew is never
// handed out after. Nothing is written anywhere.
package tokencache

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Fetch gets a new token.
type Fetch func(ctx context.Context, a amazon.Account) (amazon.Token, error)

const (
	// fetchTimeout bounds a fetch, which belongs to no single caller.
	fetchTimeout = 12 * time.Second
	// maxKept bounds the memory: a token takes at most 2 KB.
	maxKept = 5000
	// askAgain is how long after an attempt to replace a token in use the next one
	// is made: it failed, or brought the same token.
	askAgain = 15 * time.Second
)

// Cache keeps tokens. It is safe for concurrent use.
type Cache struct {
	clock  clock.Clock
	random io.Reader
	early  time.Duration
	ahead  time.Duration
	fetch  Fetch

	flight singleflight.Group
	mu     sync.Mutex
	kept   map[key]kept
}

type key struct {
	tenant     tenant.ID
	connection price.ConnectionID
	grant      int64
}

type kept struct {
	token amazon.Token
	until time.Time // not used from then on
	renew time.Time // to be replaced from then on
}

// New returns a cache that stops using a token early before it expires, plus up
// to a minute taken from random, so that instances started together do not
// refresh together. From ahead before that on it is replaced while it is in use;
// 0 never does: a function that is frozen after each answer must not leave calls
// behind.
func New(c clock.Clock, random io.Reader, early, ahead time.Duration, fetch Fetch) *Cache {
	return &Cache{clock: c, random: random, early: early, ahead: ahead, fetch: fetch, kept: map[key]kept{}}
}

// Get returns a token for the account. A caller whose ctx ends stops waiting;
// the fetch goes on for the others.
func (c *Cache) Get(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	k := key{a.Tenant, a.Connection, a.Grant}
	t, ok, renew := c.lookup(k)
	if ok {
		if renew {
			c.ask(ctx, k, a, t) // its result is found by later callers
		}
		return t, nil
	}
	done := c.ask(ctx, k, a, amazon.Token{})
	select {
	case r := <-done:
		t, _ := r.Val.(amazon.Token)
		return t, r.Err
	case <-ctx.Done():
		return amazon.Token{}, ctx.Err()
	}
}

// ask fetches a token in place of old, once for all who ask meanwhile.
func (c *Cache) ask(ctx context.Context, k key, a amazon.Account, old amazon.Token) <-chan singleflight.Result {
	return c.flight.DoChan(fmt.Sprintf("%s/%s/%d", k.tenant, k.connection, k.grant), func() (any, error) {
		// Filled between the caller's look and this one?
		if t, ok, _ := c.lookup(k); ok && t.Expires.After(old.Expires) {
			return t, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		t, err := c.fetch(ctx, a)
		if err != nil {
			return amazon.Token{}, err
		}
		return t, c.keep(k, t)
	})
}

// lookup returns the token while it may be used, and whether the caller should
// have it replaced. One caller in askAgain is told so.
func (c *Cache) lookup(k key) (t amazon.Token, ok, renew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.kept[k]
	now := c.clock.Now()
	if !ok || !now.Before(e.until) {
		return amazon.Token{}, false, false
	}
	if renew = !now.Before(e.renew); renew {
		e.renew = now.Add(askAgain)
		c.kept[k] = e
	}
	return e.token, true, renew
}

func (c *Cache) keep(k key, t amazon.Token) error {
	var b [1]byte
	if _, err := io.ReadFull(c.random, b[:]); err != nil {
		return fmt.Errorf("tokencache: random bytes: %w", err)
	}
	jitter := time.Duration(b[0]) * time.Minute / 256
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for old, e := range c.kept {
		// An older authorisation of the connection is over; its token is dead weight.
		if !now.Before(e.until) || (old.tenant == k.tenant && old.connection == k.connection) {
			delete(c.kept, old)
		}
	}
	for old := range c.kept {
		if len(c.kept) < maxKept {
			break
		}
		delete(c.kept, old)
	}
	e := kept{token: t, until: t.Expires.Add(-c.early - jitter)}
	e.renew = e.until.Add(-c.ahead)
	if soon := now.Add(askAgain); e.renew.Before(soon) {
		e.renew = soon
	}
	c.kept[k] = e
	return nil
}
