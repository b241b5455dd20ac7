package plan

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Claim takes the plan for a batch: it may happen once, with the plan's own
// token, before the plan expires. It returns the plan and, in Batch, the batch
// it belongs to: batchID, or the earlier one when the same idempotency key
// claimed it before.
//
// Faults: NotFound; plan-token-mismatch, plan-not-applicable and
// plan-already-applied (with the member "batch"), plan-guards-changed,
// plan-links-changed, plan-rates-changed, plan-offers-moved (with the member
// "moved") and plan-needs-approval are conflicts; plan-expired is gone.
//
// Crash points: Claim comes before the batch is made. A caller that dies in
// between repeats with the same key, gets the same batch id, and makes the
// batch then; until that happens the plan belongs to a batch that does not
// exist, and nothing was sent.
func (s *Store) Claim(ctx context.Context, t tenant.ID, id, token, idempotencyKey, batchID string) (Stored, error) {
	if idempotencyKey == "" || batchID == "" {
		return Stored{}, fault.New(fault.Invalid, "idempotency-key", "Applying a plan needs an Idempotency-Key header: any text that you use for this plan only.")
	}
	key := keyDigest(idempotencyKey)
	for range 2 { // the second time around sees what made the write fail
		it, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
		if errors.Is(err, store.ErrNotFound) || !idForm.MatchString(id) {
			return Stored{}, notFound()
		}
		if err != nil {
			return Stored{}, fmt.Errorf("plan: read plan: %w", err)
		}
		p, err := s.open(it)
		if err != nil {
			return Stored{}, err
		}
		switch replay, err := judgeClaim(p, token, it.Str(aKey), key); {
		case err != nil:
			return Stored{}, err
		case replay:
			return p, nil
		}
		if err := s.stands(ctx, t, p); err != nil {
			return Stored{}, err
		}
		now := s.Clock.Now()
		it, err = s.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
			Set:    map[string]any{aState: string(Applied), aBatch: batchID, aKey: key, aApplied: store.Millis(now)},
			Remove: []string{aTTL}, // what led to a batch is kept
			If: []store.Cond{
				store.Eq(aState, string(Ready)), store.Eq(aToken, token), store.Gt(aExpires, store.Millis(now)),
			},
		})
		if err == nil {
			return s.open(it)
		}
		if !errors.Is(err, store.ErrConflict) {
			return Stored{}, fmt.Errorf("plan: claim: %w", err)
		}
	}
	return Stored{}, fault.New(fault.Conflict, "plan-busy", "The plan is being applied by another request. Try again.")
}

// Claimed returns the batch that the plan with this token became by this key, ""
// when it did not become one by it.
func (s *Store) Claimed(ctx context.Context, t tenant.ID, id, token, idempotencyKey string) (batch string, err error) {
	if !idForm.MatchString(id) {
		return "", nil
	}
	it, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("plan: read plan: %w", err)
	}
	p, err := s.open(it)
	if err != nil {
		return "", err
	}
	if again, err := judgeClaim(p, token, it.Str(aKey), keyDigest(idempotencyKey)); err != nil || !again {
		return "", nil //nolint:nilerr // what is in its way is for Claim to say
	}
	return p.Batch, nil
}

// stands refuses a plan that is no longer what it was, and then one that lacks an
// approval: nobody is sent for an approval that could not help.
func (s *Store) stands(ctx context.Context, t tenant.ID, p Stored) error {
	for _, refuse := range []func(context.Context, tenant.ID, Stored) error{s.sameGuards, s.sameLinks, s.unmoved} {
		if err := refuse(ctx, t, p); err != nil {
			return err
		}
	}
	return p.approved()
}

// judgeClaim decides a claim from the plan as it is read: nil means that it may
// be claimed, or was claimed before by the same key. The token is judged before
// anything else is told.
func judgeClaim(p Stored, token, claimedBy, key string) (replay bool, err error) {
	if err := p.made(); err != nil {
		return false, err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token), []byte(p.Token)) != 1:
		return false, fault.New(fault.Conflict, "plan-token-mismatch", "The token does not belong to this plan. Read the plan again and apply what it shows.")
	case p.State == Applied && claimedBy == key:
		return true, nil
	case p.State == Applied:
		return false, fault.New(fault.Conflict, "plan-already-applied", "This plan was applied before, as batch %s. Plan the file again to see what is left.", p.Batch).With("batch", p.Batch)
	case p.State == Expired:
		return false, fault.New(fault.Gone, "plan-expired", "This plan could be applied until %s. Plan the file again.", p.Expires.Format("2006-01-02 15:04 MST"))
	case p.State == Blocked:
		return false, fault.New(fault.Conflict, "plan-not-applicable", "%s", p.Blocked)
	}
	return false, nil
}

// keyDigest bounds what a caller can make us store.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
