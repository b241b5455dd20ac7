package watch

import (
	"context"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/tenant"
)

// Answers are what members say to findings, and what follows.
type Answers struct {
	Findings *Findings
	// Freeze stops all sending of the tenant. Freezing again changes nothing.
	Freeze func(ctx context.Context, t tenant.ID, actor, reason string) error
	// Revoke ends an API key at once. Revoking again changes nothing; a key that is
	// not there is a fault of kind NotFound.
	Revoke func(ctx context.Context, t tenant.ID, actor, key string) error
	// EndSessions ends the sessions of a member. It is nil: there are no members
	// and no sessions yet.
	EndSessions func(ctx context.Context, t tenant.ID, actor, member string) error
}

// NotMe says that nobody of ours did it: sending freezes and the API key that did it
// is revoked. A link in an e-mail that does the same without a key needs mail, which
// there is none of yet.
//
// Crash points: what limits the damage comes first and can be repeated; the answer is
// written last. So a finding that was answered has had everything done, and one that
// was not is still open and is answered again by the same call.
func (a *Answers) NotMe(ctx context.Context, t tenant.ID, actor, id string) (Finding, error) {
	f, err := a.Findings.Get(ctx, t, id)
	if err != nil || f.State == Theft {
		return f, err // once: a stop that a member lifted since stays lifted
	}
	if err := a.Freeze(ctx, t, actor, "suspicion "+f.ID+": this was not me"); err != nil {
		return Finding{}, err
	}
	if key, ok := strings.CutPrefix(f.Subject, "key:"); ok {
		if err := a.Revoke(ctx, t, actor, key); err != nil && fault.KindOf(err) != fault.NotFound {
			return Finding{}, err
		}
	}
	if member, ok := strings.CutPrefix(f.Subject, "member:"); ok && a.EndSessions != nil {
		if err := a.EndSessions(ctx, t, actor, member); err != nil {
			return Finding{}, err
		}
	}
	return a.Findings.answer(ctx, t, id, actor, Theft)
}

// WasMe closes a finding as the tenant's own doing. Whoever it is about cannot say so.
func (a *Answers) WasMe(ctx context.Context, t tenant.ID, actor, id string) (Finding, error) {
	f, err := a.Findings.Get(ctx, t, id)
	if err != nil {
		return f, err
	}
	if f.Subject == actor {
		return Finding{}, fault.New(fault.Forbidden, "suspicion-own", "The API key that a suspicion is about cannot close it. Answer with another key.")
	}
	return a.Findings.answer(ctx, t, id, actor, Ours)
}
