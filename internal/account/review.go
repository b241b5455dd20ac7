package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Finding is what somebody who reviews access should look at twice.
type Finding string

// The findings: a closed set.
const (
	Unused          Finding = "unused"           // for unusedFor, and it is older
	NoAuthenticator Finding = "no-authenticator" // although there was time for one
)

const (
	// unusedFor is as long as what devices were used is known.
	unusedFor = deviceKept
	// enrolWithin is how long a new member may be without an authenticator.
	enrolWithin = 7 * 24 * time.Hour
	// remindEvery is how often a review that is due is asked for.
	remindEvery = 7 * 24 * time.Hour
)

// ReviewedMember is a member with when they were seen last; zero: not for 90 days.
type ReviewedMember struct {
	identity.Member
	LastSeen time.Time
	Findings []Finding
}

// ReviewedKey is an API key that works.
type ReviewedKey struct {
	identity.Key
	Findings []Finding
}

// Review is who has access to a tenant's data: members, keys and, since the review
// before, our operators.
type Review struct {
	At      time.Time
	Last    time.Time // when the access was reviewed before; zero: never
	LastBy  string
	Members []ReviewedMember
	Keys    []ReviewedKey
	Grants  []identity.Grant
	// Digest stands for who has which access, and not for when it was used last: who
	// says that they looked through it says it of this.
	Digest string
}

func (r Review) findings() (n int) {
	for _, m := range r.Members {
		n += min(1, len(m.Findings))
	}
	for _, k := range r.Keys {
		n += min(1, len(k.Findings))
	}
	return n
}

// Reviews are the reviews of access.
type Reviews struct {
	*Service
	Keys *identity.Keys
}

// Of returns who has access to a tenant's data now.
func (s *Reviews) Of(ctx context.Context, t tenant.ID) (Review, error) {
	r := Review{At: s.Clock.Now()}
	last, err := s.DB.Get(ctx, t, store.Identity, identity.ReviewKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return r, fmt.Errorf("account: review: %w", err)
	}
	r.Last, r.LastBy = last.Time("at"), last.Str("by")
	if err := s.members(ctx, t, &r); err != nil {
		return r, err
	}
	if err := s.keys(ctx, t, &r); err != nil {
		return r, err
	}
	grants, err := s.Grants().List(ctx, t)
	if err != nil {
		return r, err
	}
	since := r.Last
	if since.IsZero() {
		since = r.At.Add(-identity.ReviewEvery)
	}
	r.Grants = slices.DeleteFunc(grants, func(g identity.Grant) bool { return !g.Open(r.At) && g.Until.Before(since) })
	r.Digest = r.digest()
	return r, nil
}

func (s *Reviews) members(ctx context.Context, t tenant.ID, r *Review) error {
	seen, err := s.lastSeen(ctx, t)
	if err != nil {
		return err
	}
	for after := ""; ; {
		members, next, err := s.Members.List(ctx, t, after, 100)
		if err != nil {
			return err
		}
		for _, m := range members {
			if !m.Removed.IsZero() {
				continue
			}
			one := ReviewedMember{Member: m, LastSeen: seen[m.ID], Findings: []Finding{}}
			if age := r.At.Sub(m.CreatedAt); age > unusedFor && r.At.Sub(one.LastSeen) > unusedFor {
				one.Findings = append(one.Findings, Unused)
			} else if m.Enrolled.IsZero() && age > enrolWithin {
				one.Findings = append(one.Findings, NoAuthenticator)
			}
			r.Members = append(r.Members, one)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// lastSeen is when each member was seen last: by their sessions, and by the devices
// that they signed in with, which are known for longer.
func (s *Reviews) lastSeen(ctx context.Context, t tenant.ID) (map[string]time.Time, error) {
	seen := map[string]time.Time{}
	note := func(member string, at time.Time) {
		if at.After(seen[member]) {
			seen[member] = at
		}
	}
	for after := ""; ; {
		sessions, next, err := s.Sessions.All(ctx, t, after, 100)
		if err != nil {
			return nil, err
		}
		for _, one := range sessions {
			note(one.Member, one.LastSeen)
		}
		if after = next; after == "" {
			break
		}
	}
	for q := (store.Query{PK: devicesPK}); ; {
		page, err := s.DB.Query(ctx, t, store.Identity, q)
		if err != nil {
			return nil, fmt.Errorf("account: devices: %w", err)
		}
		for _, item := range page.Items {
			member, _, _ := strings.Cut(item.SK, "#")
			note(member, item.Time("seenAt"))
		}
		if q.After = page.Next; q.After == "" {
			return seen, nil
		}
	}
}

func (s *Reviews) keys(ctx context.Context, t tenant.ID, r *Review) error {
	for after := ""; ; {
		keys, next, err := s.Keys.List(ctx, t, after, 100)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if !k.Revoked.IsZero() || !r.At.Before(k.Expires) {
				continue
			}
			one := ReviewedKey{Key: k, Findings: []Finding{}}
			if r.At.Sub(k.CreatedAt) > unusedFor && r.At.Sub(k.LastUsed) > unusedFor {
				one.Findings = append(one.Findings, Unused)
			}
			r.Keys = append(r.Keys, one)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (r Review) digest() string {
	h := sha256.New()
	for _, m := range r.Members {
		fmt.Fprintf(h, "member %s %s\n", m.ID, m.Role)
	}
	for _, k := range r.Keys {
		fmt.Fprintf(h, "key %s %q\n", k.ID, k.Scopes)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Confirm notes that somebody looked through the access that digest stands for, and
// has what they want gone removed. Access that has changed since is a Conflict.
func (s *Reviews) Confirm(ctx context.Context, t tenant.ID, actor, digest string) (Review, error) {
	r, err := s.Of(ctx, t)
	if err != nil {
		return r, err
	}
	if r.Digest != digest {
		return r, fault.New(fault.Conflict, "access-moved", "Who has access changed in the meantime. Read the review again.")
	}
	// The date of the next one comes last: until it is there a reminder may go out.
	err = s.DB.Put(ctx, t, store.Identity, store.Item{Key: identity.ReviewKey, Attrs: map[string]any{
		"at": store.Millis(r.At), "by": actor, "digest": digest, "members": int64(len(r.Members)), "keys": int64(len(r.Keys)),
	}})
	if err != nil {
		return r, fmt.Errorf("account: confirm review: %w", err)
	}
	r.Last, r.LastBy = r.At, actor
	return r, s.Tenants.ReviewAt(ctx, t, r.At.Add(identity.ReviewEvery))
}

// Remind asks the owners of every tenant whose review is due, once a week until
// somebody confirms it. It stops when ctx is about to end: those that are left come
// next time. It returns how many tenants it asked; one that fails keeps no other from
// it.
func (s *Reviews) Remind(ctx context.Context) (asked int, err error) {
	var failed []error
	err = s.Tenants.ToReview(ctx, func(t tenant.ID) error {
		if end, ok := ctx.Deadline(); ok && end.Sub(s.Clock.Now()) < spare {
			return errLater
		}
		if err := s.remind(ctx, t); err != nil {
			failed = append(failed, fmt.Errorf("tenant %s: %w", t, err))
			return nil
		}
		asked++
		return nil
	})
	if errors.Is(err, errLater) {
		err = nil
	}
	return asked, errors.Join(append(failed, err)...)
}

// spare is more than the reminder of one tenant takes.
const spare = 5 * time.Second

var errLater = errors.New("account: the rest comes next time")

func (s *Reviews) remind(ctx context.Context, t tenant.ID) error {
	r, err := s.Of(ctx, t)
	if err != nil {
		return err
	}
	if _, err := s.tellOwners(ctx, t, "review#"+r.At.Format(time.DateOnly)+string(t), reviewDue(s.URL, r)); err != nil {
		return err
	}
	// After the mails: they come twice rather than not at all.
	return s.Tenants.ReviewAt(ctx, t, r.At.Add(remindEvery))
}

func reviewDue(base string, r Review) letter {
	return letter{"Who has access to your prices?", paragraphs(
		fmt.Sprintf("%d people and %d API keys can reach your company's prices. Of %d of them we think that you should look twice.", len(r.Members), len(r.Keys), r.findings()),
		"Once a quarter, an owner looks through the list, removes who should not be on it, and confirms it:\n"+base+"/access-review",
		"Look too at what you connected at Amazon and how old that is: "+base+"/connections. What you do not use is disconnected there in one step.",
		"Your ledger keeps who confirmed it and when.")}
}
