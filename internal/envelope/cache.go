package envelope

import (
	"container/list"
	"crypto/cipher"
	"sync"
	"time"

	"pricemanager/internal/tenant"
)

// ring names the data keys of one tenant and purpose.
type ring struct {
	tenant  tenant.ID
	purpose Purpose
}

// keyRef names one data key.
type keyRef struct {
	ring
	version uint32
}

// dataKey is a plain data key in memory.
type dataKey struct {
	ref     keyRef
	plain   []byte
	loaded  time.Time
	retire  time.Time // when sealing goes over to a new version
	uses    uint64
	current bool // the newest version, as far as this process knows
}

// cache holds plain data keys for a while and wipes them when they leave. The
// bytes never leave it: callers get a cipher built under the lock, so a key is
// never wiped while somebody copies it.
type cache struct {
	max int
	ttl time.Duration

	mu      sync.Mutex
	order   *list.List // of *dataKey, the longest loaded first
	keys    map[keyRef]*list.Element
	current map[ring]uint32
}

func newCache(limit int, ttl time.Duration) *cache {
	return &cache{max: limit, ttl: ttl, order: list.New(), keys: map[keyRef]*list.Element{}, current: map[ring]uint32{}}
}

// forSeal returns a cipher of the ring's current key and counts the use. When
// the key is used up or too old, spent is its version and there is no cipher.
func (c *cache) forSeal(r ring, now time.Time, limit uint64) (aead cipher.AEAD, version, spent uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	el := c.keys[keyRef{r, c.current[r]}]
	if el == nil {
		return nil, 0, 0, nil
	}
	k := keyOf(el)
	if k.uses >= limit || !now.Before(k.retire) {
		return nil, 0, k.ref.version, nil
	}
	k.uses++
	aead, err = newAEAD(k.plain)
	return aead, k.ref.version, 0, err
}

// forOpen returns a cipher of this key, or nil when it is not held.
func (c *cache) forOpen(ref keyRef, now time.Time) (cipher.AEAD, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	el := c.keys[ref]
	if el == nil {
		return nil, nil
	}
	return newAEAD(keyOf(el).plain)
}

// promote marks a key that is held as its ring's current one; false when it is
// not held. What was loaded to open is not loaded again to seal.
func (c *cache) promote(ref keyRef, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	el := c.keys[ref]
	if el == nil {
		return false
	}
	keyOf(el).current = true
	c.current[ref.ring] = ref.version
	return true
}

// retire makes sealing look up the ring's newest version again, when the one in
// use is older than this.
func (c *cache) retire(r ring, newest uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current[r] < newest {
		delete(c.current, r)
	}
}

// put takes over the key's bytes.
func (c *cache) put(k *dataKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.keys[k.ref]; el != nil {
		// Loaded twice (to open and to seal): the uses add up.
		k.uses += keyOf(el).uses
		c.drop(el)
	}
	c.keys[k.ref] = c.order.PushBack(k)
	if k.current {
		c.current[k.ref.ring] = k.ref.version
	}
	for c.order.Len() > c.max {
		c.drop(c.order.Front())
	}
}

// forget drops every key of the tenant.
func (c *cache) forget(t tenant.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, el := range c.keys {
		if ref.tenant == t {
			c.drop(el)
		}
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.drop(c.order.Front())
	}
}

// expire drops what was loaded too long ago. There is no timer: a frozen
// function runs none, so every access sweeps from the old end.
func (c *cache) expire(now time.Time) {
	for el := c.order.Front(); el != nil; el = c.order.Front() {
		if now.Sub(keyOf(el).loaded) < c.ttl {
			return
		}
		c.drop(el)
	}
}

func (c *cache) drop(el *list.Element) {
	k := keyOf(el)
	c.order.Remove(el)
	delete(c.keys, k.ref)
	if c.current[k.ref.ring] == k.ref.version {
		delete(c.current, k.ref.ring)
	}
	clear(k.plain)
}

func keyOf(el *list.Element) *dataKey {
	return el.Value.(*dataKey) //nolint:forcetypeassert // the list holds nothing else
}
