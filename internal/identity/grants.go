package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// LongestGrant is how long an owner lets our operators look at most.
	LongestGrant = 7 * 24 * time.Hour
	// grantsKept is how long a tenant sees who was let look; the ledger keeps it for good.
	grantsKept = 2 * 365 * 24 * time.Hour
	// minReason and maxReason bound a reason, in bytes.
	minReason, maxReason = 10, 500

	grantsPK = "support"
)

func grantKey(id string) store.Key { return store.Key{PK: grantsPK, SK: id} }

// Grants keeps who of us may look into a tenant, why and until when. No operator has a
// session without one, each request of such a session looks at it, and the tenant sees
// them all. It is safe for concurrent use.
type Grants struct {
	DB     store.DB
	Clock  clock.Clock
	Random io.Reader
}

// Grant lets operators look into a tenant for a time.
type Grant struct {
	ID        string
	Reason    string
	By        string // "member:..." of an owner, or "operator:..." in an emergency
	Emergency bool   // nobody of the tenant agreed; they were told
	CreatedAt time.Time
	Until     time.Time
	Revoked   time.Time // zero: it was not
	RevokedBy string
	Entries   int64 // sessions that were begun by it
	LastEntry time.Time
}

// Open reports whether the grant lets anybody look at now.
func (g Grant) Open(now time.Time) bool {
	return g.ID != "" && g.Revoked.IsZero() && now.Before(g.Until)
}

// Give lets operators look, by one who may say so, for a time.
func (s *Grants) Give(ctx context.Context, t tenant.ID, actor, reason string, life time.Duration) (Grant, error) {
	if life < time.Hour || life > LongestGrant {
		return Grant{}, fault.New(fault.Invalid, "hours", "hours must be 1 to %d.", int(LongestGrant/time.Hour))
	}
	return s.make(ctx, t, Grant{Reason: reason, By: actor, Until: s.Clock.Now().Add(life)})
}

// Seize is an operator's own grant, in an emergency. It lets nobody in before Told.
func (s *Grants) Seize(ctx context.Context, t tenant.ID, operator, reason string) (Grant, error) {
	if !operatorForm.MatchString(operator) {
		return Grant{}, errOperator()
	}
	return s.make(ctx, t, Grant{Reason: reason, By: "operator:" + operator, Emergency: true, Until: s.Clock.Now().Add(OperatorLife)})
}

// Told notes that the tenant's owners were told of an emergency.
func (s *Grants) Told(ctx context.Context, t tenant.ID, id string) error {
	_, err := s.DB.Update(ctx, t, store.Identity, grantKey(id), store.Update{Set: map[string]any{"toldAt": store.Millis(s.Clock.Now())}, If: []store.Cond{store.Exists()}})
	if err != nil {
		return fmt.Errorf("identity: note that %s was told: %w", t, err)
	}
	return nil
}

func (s *Grants) make(ctx context.Context, t tenant.ID, g Grant) (Grant, error) {
	g.Reason = strings.TrimSpace(g.Reason)
	if len(g.Reason) < minReason || len(g.Reason) > maxReason || !utf8.ValidString(g.Reason) || strings.ContainsFunc(g.Reason, unicode.IsControl) {
		return Grant{}, fault.New(fault.Invalid, "reason", "Give the reason in %d to %d bytes, in one line, without names of people.", minReason, maxReason)
	}
	var b [idBytes]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return Grant{}, fmt.Errorf("identity: random bytes: %w", err)
	}
	g.ID, g.CreatedAt = lower.EncodeToString(b[:]), s.Clock.Now()
	err := s.DB.Put(ctx, t, store.Identity, store.Item{Key: grantKey(g.ID), Attrs: map[string]any{
		"reason": g.Reason, "by": g.By, "emergency": g.Emergency, "createdAt": store.Millis(g.CreatedAt), "until": store.Millis(g.Until),
		"ttl": g.CreatedAt.Add(grantsKept).Unix(),
	}}, store.Absent())
	if err != nil {
		return Grant{}, fmt.Errorf("identity: let operators look into %s: %w", t, err)
	}
	return g, nil
}

// List returns the tenant's grants of two years, the newest first.
func (s *Grants) List(ctx context.Context, t tenant.ID) ([]Grant, error) {
	var all []Grant
	for q := (store.Query{PK: grantsPK}); ; {
		page, err := s.DB.Query(ctx, t, store.Identity, q)
		if err != nil {
			return nil, fmt.Errorf("identity: list grants: %w", err)
		}
		for _, item := range page.Items {
			all = append(all, grantOf(item))
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
}

// Revoke ends a grant and with it every session that came of it, from its next
// request on. Doing it again changes nothing.
func (s *Grants) Revoke(ctx context.Context, t tenant.ID, actor, id string) error {
	missing := fault.New(fault.NotFound, "", "There is no such grant.")
	if !wellFormed(id) {
		return missing
	}
	_, err := s.DB.Update(ctx, t, store.Identity, grantKey(id), store.Update{
		Set: map[string]any{"revokedAt": store.Millis(s.Clock.Now()), "revokedBy": actor},
		If:  []store.Cond{store.Exists(), store.Missing("revokedAt")},
	})
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	_, err = s.DB.Get(ctx, t, store.Identity, grantKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return missing
	}
	return err // nil: it was revoked before
}

var operatorForm = regexp.MustCompile(`^[a-z][a-z0-9.-]{1,31}$`)

func errOperator() error {
	return fault.New(fault.Invalid, "operator", "Give the operator's name, 2 to 32 of a-z, 0-9, full stop and hyphen.")
}

var errNoGrant = fault.New(fault.Forbidden, "no-grant", "Nobody of the company lets you look. Ask an owner for a grant.")

// Enter begins an operator's session by a grant, the one that lasts longest if id is
// "". It ends with the grant, and after OperatorLife.
func (s *Grants) Enter(ctx context.Context, t tenant.ID, sessions *Sessions, operator, id string) (Session, secret.Value, error) {
	if !operatorForm.MatchString(operator) {
		return Session{}, secret.Value{}, errOperator()
	}
	all, err := s.List(ctx, t)
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	now, best := s.Clock.Now(), Grant{}
	for _, g := range all {
		if g.Open(now) && (g.ID == id || id == "" && g.Until.After(best.Until)) {
			best = g
		}
	}
	if best.ID == "" {
		return Session{}, secret.Value{}, errNoGrant
	}
	session, err := sessions.NewSessionID()
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	life := min(OperatorLife, best.Until.Sub(now))
	cookie, err := sessions.Begin(ctx, t, session, Start{Operator: operator, Grant: best.ID, Enrolled: true, Life: life})
	if errors.Is(err, store.ErrConflict) {
		return Session{}, secret.Value{}, errNoGrant // it was revoked just now, or nobody was told
	}
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	return Session{ID: session, Operator: operator, Grant: best.ID, Enrolled: true, CreatedAt: now, Expires: now.Add(life)}, cookie, nil
}

// Leave ends an operator's session; anybody else's is NotFound.
func (s *Grants) Leave(ctx context.Context, t tenant.ID, sessions *Sessions, operator, id string) error {
	missing := fault.New(fault.NotFound, "", "There is no such session.")
	if !wellFormed(id) {
		return missing
	}
	item, err := s.DB.Get(ctx, t, store.Identity, sessionKey(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && (operator == "" || item.Str("operator") != operator) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("identity: session: %w", err)
	}
	return sessions.End(ctx, t, "operator:"+operator, "", id)
}

// entered is the part of the transaction that begins an operator's session: the grant
// is open, the tenant knows of it, and it says from now on that it was used.
func entered(t tenant.ID, id string, now time.Time) store.Write {
	return store.Write{Tenant: t, Table: store.Identity, Key: grantKey(id), Update: &store.Update{
		Set: map[string]any{"lastEntry": store.Millis(now)}, Add: map[string]int64{"entries": 1},
		If: []store.Cond{
			store.Exists(), store.Missing("revokedAt"), store.Gt("until", store.Millis(now)),
			store.AnyOf(store.Eq("emergency", false), store.Has("toldAt")),
		},
	}}
}

// granted reports whether the grant of an operator's session still lets them look.
func (s *Sessions) granted(ctx context.Context, t tenant.ID, id string, now time.Time) (bool, error) {
	if id == "" {
		return false, nil
	}
	item, err := s.DB.Get(ctx, t, store.Identity, grantKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && grantOf(item).Open(now), err
}

func grantOf(item store.Item) Grant {
	return Grant{
		ID: item.SK, Reason: item.Str("reason"), By: item.Str("by"), Emergency: item.Bool("emergency"), CreatedAt: item.Time("createdAt"), Until: item.Time("until"),
		Revoked: item.Time("revokedAt"), RevokedBy: item.Str("revokedBy"), Entries: item.Int("entries"), LastEntry: item.Time("lastEntry"),
	}
}
