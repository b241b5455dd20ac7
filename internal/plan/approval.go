package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Attributes of a plan that was approved.
const aApprovedBy, aApprovedAt = "approvedBy", "approvedAt"

// Approval is who approved a plan, and when.
type Approval struct {
	By string
	At time.Time
}

// approval says why a plan needs a second person. A plan of released rows has had
// one, unless its one member released them alone: who may do that may approve too.
// What takes a batch back is never kept waiting.
func (b *builder) approval(h Header) string {
	a := b.in.Approval
	if o := b.in.origin(); o == OfRelease || o == OfRollback {
		return ""
	}
	var why []string
	if a.Rows != nil && h.Summary.Planned > *a.Rows {
		why = append(why, fmt.Sprintf("it changes %d offers, more than %d", h.Summary.Planned, *a.Rows))
	}
	for _, limit := range a.AtRisk {
		for _, risk := range h.Summary.AtRisk {
			if risk.Currency() == limit.Currency() && risk.Cmp(limit) > 0 {
				why = append(why, fmt.Sprintf("%s are at risk, more than %s", risk, limit))
			}
		}
	}
	if b.breaker.most != "" {
		why = append(why, b.breaker.most)
	}
	if len(why) == 0 {
		return ""
	}
	return "This plan needs the approval of a second member: " + strings.Join(why, "; ") + "."
}

// Approve records that an actor, who Second says may, approves the plan with this
// token. Approving it again changes nothing.
//
// Faults: NotFound; plan-token-mismatch, plan-guards-changed, plan-not-applicable
// and plan-already-applied are conflicts; plan-expired is gone.
func (s *Store) Approve(ctx context.Context, t tenant.ID, id, token, actor string) (Stored, error) {
	for range 2 { // the second time around sees what made the write fail
		p, err := s.Load(ctx, t, id)
		if err != nil {
			return Stored{}, err
		}
		if _, err := judgeClaim(p, token, "", "-"); err != nil {
			return Stored{}, err
		}
		if err := errors.Join(s.sameGuards(ctx, t, p), s.sameLinks(ctx, t, p)); err != nil {
			return Stored{}, err
		}
		if p.Approved != nil {
			return p, nil
		}
		it, err := s.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
			Set: map[string]any{aApprovedBy: actor, aApprovedAt: store.Millis(s.Clock.Now())},
			If:  []store.Cond{store.Eq(aState, string(Ready)), store.Eq(aToken, token), store.Missing(aApprovedBy)},
		})
		if err == nil {
			return s.open(it)
		}
		if !errors.Is(err, store.ErrConflict) {
			return Stored{}, fmt.Errorf("plan: approve: %w", err)
		}
	}
	return Stored{}, fault.New(fault.Conflict, "plan-busy", "The plan is being changed by another request. Try again.")
}

// accountable is who answers for what is planned, if that is not the actor.
func (in Input) accountable() string {
	if in.Accountable == in.Actor {
		return ""
	}
	return in.Accountable
}

// Maker is who answers for a plan: not the one to release or approve it. Rows that were
// released stay theirs who brought them.
func (h Header) Maker() string { return cmp.Or(h.Accountable, h.Actor) }

// Second decides whether a person may release rows of a plan, or approve it: anybody
// but who answers for it, or with alone that one too once the delay has passed. It
// says which of the two it was.
func Second(p Stored, person, does string, alone bool, delay time.Duration, now time.Time) (byMaker bool, err error) {
	switch from := p.Created.Add(delay); {
	case !now.Before(p.Expires):
		return false, fault.New(fault.Gone, "plan-expired", "This plan expired at %s. Plan the file again.", p.Expires.Format("2006-01-02 15:04 MST"))
	case p.Maker() != person:
		return false, nil
	case !alone:
		return false, fault.New(fault.Forbidden, "plan-own", "Nobody %s their own plan, nor that of an API key of theirs. Ask a second member.", does)
	case now.Before(from):
		return false, fault.New(fault.Conflict, "too-early", "Since nobody else of your company could, this is possible from %s on.", from.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	return true, nil
}

// sameGuards refuses a plan that other settings judged.
func (s *Store) sameGuards(ctx context.Context, t tenant.ID, p Stored) error {
	if s.GuardsHash == nil {
		return errors.New("plan: claiming a plan needs the hash of the guards")
	}
	hash, err := s.GuardsHash(ctx, t)
	if err != nil {
		return err
	}
	if hash != p.Guards {
		return fault.New(fault.Conflict, "plan-guards-changed", "Your guards changed after this plan was made. Plan the file again, and look at what they say now.")
	}
	return nil
}

// approved reports whether a plan has the approval that it needs.
func (p Stored) approved() error {
	if p.Approval == "" || p.Approved != nil {
		return nil
	}
	return fault.New(fault.Conflict, "plan-needs-approval", "%s Once it has that, repeat this request.", p.Approval).With("plan", p.ID)
}
