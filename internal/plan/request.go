package plan

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A request that makes a plan and applies it in one go is kept under its
// idempotency key with the plan it led to, so that repeating it leads to the same
// plan, and by Claim to the same batch.
const (
	requestsPK     = "requests"
	aPlan, aDigest = "plan", "digest"
	requestKept    = 7 * 24 * time.Hour
)

func requestKey(key string) store.Key { return store.Key{PK: requestsPK, SK: keyDigest(key)} }

// Requested returns the plan that a request with this key led to, "" when there
// was none. A request with another content is a fault of kind Conflict.
func (s *Store) Requested(ctx context.Context, t tenant.ID, key string, content []byte) (plan string, err error) {
	it, err := s.DB.Get(ctx, t, store.Offers, requestKey(key))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("plan: read request: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(it.Str(aDigest)), []byte(digest(content))) != 1 {
		return "", fault.New(fault.Conflict, "idempotency-key-reused",
			"This Idempotency-Key was used for another request. Use a new one for each change, and the same one only to repeat it.")
	}
	return it.Str(aPlan), nil
}

// KeepRequest records the plan that a request led to, once it is stored, and
// returns it, or the one that the same request led to at the same time.
//
// Crash points: before the write, repeating the request makes another plan and
// the first one expires unused; after it, the same plan is found.
func (s *Store) KeepRequest(ctx context.Context, t tenant.ID, key string, content []byte, plan string) (string, error) {
	err := s.DB.Put(ctx, t, store.Offers, store.Item{Key: requestKey(key), Attrs: map[string]any{
		aPlan: plan, aDigest: digest(content), aTTL: s.Clock.Now().Add(requestKept).Unix(),
	}}, store.Absent())
	if errors.Is(err, store.ErrConflict) {
		return s.Requested(ctx, t, key, content)
	}
	if err != nil {
		return "", fmt.Errorf("plan: keep request: %w", err)
	}
	return plan, nil
}
