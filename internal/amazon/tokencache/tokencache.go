// Package tokencache keeps access tokens in memory until shortly before they
// expire and asks for each at most once at a time, however many callers wait.
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
)

// Cache keeps tokens. It is safe for concurrent use.
type Cache struct {
	clock  clock.Clock
	random io.Reader
	early  time.Duration
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
	until time.Time
}

// New returns a cache that stops using a token early before it expires, plus up
// to a minute taken from random, so that instances started together do not
// refresh together.
func New(c clock.Clock, random io.Reader, early time.Duration, fetch Fetch) *Cache {
	return &Cache{clock: c, random: random, early: early, fetch: fetch, kept: map[key]kept{}}
}

// Get returns a token for the account. A caller whose ctx ends stops waiting;
// the fetch goes on for the others.
func (c *Cache) Get(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	k := key{a.Tenant, a.Connection, a.Grant}
	if t, ok := c.lookup(k); ok {
		return t, nil
	}
	done := c.flight.DoChan(fmt.Sprintf("%s/%s/%d", k.tenant, k.connection, k.grant), func() (any, error) {
		if t, ok := c.lookup(k); ok { // filled between the first look and this one
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
	select {
	case r := <-done:
		t, _ := r.Val.(amazon.Token)
		return t, r.Err
	case <-ctx.Done():
		return amazon.Token{}, ctx.Err()
	}
}

func (c *Cache) lookup(k key) (amazon.Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.kept[k]
	if !ok || !c.clock.Now().Before(e.until) {
		return amazon.Token{}, false
	}
	return e.token, true
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
	c.kept[k] = kept{t, t.Expires.Add(-c.early - jitter)}
	return nil
}
