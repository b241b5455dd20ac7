package account

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Authenticator is one that is being set up: shown once.
type Authenticator struct {
	Secret secret.Value // base32
	URI    secret.Value // otpauth://
	QR     secret.Value // the same as a picture: SVG
}

// Enrol begins to set up an authenticator for somebody who has none. It counts only
// after ConfirmEnrolment, within a quarter of an hour; beginning again replaces it.
func (s *Service) Enrol(ctx context.Context, p identity.Principal, password secret.Value, from Origin) (Authenticator, error) {
	m, err := s.member(ctx, p.Tenant, p.Member)
	if err != nil {
		return Authenticator{}, err
	}
	step, err := s.password(ctx, p, password, from)
	if err != nil {
		return Authenticator{}, err
	}
	if step.Needs != signin.NeedsEnrolment {
		return Authenticator{}, errEnrolled()
	}
	e, err := s.Provider.Enrol(ctx, step.Challenge)
	if err != nil {
		return Authenticator{}, provided(err, errPassword())
	}
	item, _, err := s.draw(ctx, p.Tenant, issue{kind: forEnrolment, life: attemptLife, id: enrolment(p.Session), member: p.Member, challenge: e.Challenge})
	if err != nil {
		return Authenticator{}, err
	}
	if err := s.DB.Put(ctx, p.Tenant, store.Identity, item); err != nil {
		return Authenticator{}, fmt.Errorf("account: enrol: %w", err)
	}
	uri := totp.URI(Product, m.Email.Reveal(), e.Secret)
	picture, err := svg(uri)
	return Authenticator{Secret: e.Secret, URI: uri, QR: picture}, err
}

// enrolment is the id of the one ticket of this kind that a session has. It is looked
// up by the session and never by its text.
func enrolment(session string) string { return "enrol#" + session }

// ConfirmEnrolment checks the first code of an authenticator. The session reaches
// everything from now on, under another secret; the recovery codes are returned, the
// only time that they can be seen.
func (s *Service) ConfirmEnrolment(ctx context.Context, p identity.Principal, code string, from Origin) (SignedIn, []secret.Value, error) {
	m, err := s.member(ctx, p.Tenant, p.Member)
	if err != nil {
		return SignedIn{}, nil, err
	}
	item, err := s.DB.Get(ctx, p.Tenant, store.Identity, ticketKey(enrolment(p.Session)))
	if errors.Is(err, store.ErrNotFound) {
		return SignedIn{}, nil, errExpired()
	}
	if err != nil {
		return SignedIn{}, nil, fmt.Errorf("account: enrol: %w", err)
	}
	k, err := s.open(ctx, p.Tenant, item, forEnrolment)
	if err != nil || k.used || k.member != p.Member {
		if err == nil || fault.KindOf(err) == fault.Gone {
			err = errExpired()
		}
		return SignedIn{}, nil, err
	}
	err = s.check(ctx, p.Tenant, p.Member, code, from, func() error { return s.Provider.Confirm(ctx, p.Member, k.challenge, code) })
	if err != nil {
		return SignedIn{}, nil, err
	}
	// From here on the authenticator is asked for. A crash leaves the person with it and
	// without recovery codes, which they can have made anew.
	if err := s.DB.Transact(ctx, s.spend(k, "")); err != nil && !errors.Is(err, store.ErrConflict) {
		return SignedIn{}, nil, err
	}
	if err := s.Members.SetEnrolled(ctx, p.Tenant, p.Member, true); err != nil {
		return SignedIn{}, nil, err
	}
	codes, err := s.makeRecovery(ctx, p)
	if err != nil {
		return SignedIn{}, nil, err
	}
	if _, err := s.Sessions.EndAll(ctx, p.Tenant, p.Actor, p.Member, p.Session); err != nil {
		return SignedIn{}, nil, err
	}
	in, err := s.elevate(ctx, p)
	if err != nil {
		return SignedIn{}, nil, err
	}
	s.notify(ctx, m, enrolled(s.URL))
	return in, codes, nil
}

// RemoveAuthenticator takes it away, so that another one can be set up. Other sessions
// end; this one goes on as one that has to.
func (s *Service) RemoveAuthenticator(ctx context.Context, p identity.Principal, password secret.Value, code string, from Origin) error {
	m, err := s.member(ctx, p.Tenant, p.Member)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, p, password, code, from); err != nil {
		return err
	}
	if err := s.unenrol(ctx, p.Tenant, p.Member, password); err != nil {
		return err
	}
	if _, err := s.Sessions.EndAll(ctx, p.Tenant, p.Actor, p.Member, p.Session); err != nil {
		return err
	}
	s.notify(ctx, m, unenrolled(s.URL))
	return nil
}

// unenrol has the provider forget the authenticator, and the password with it, which is
// set again. A crash in between leaves a member who cannot sign in until they have a new
// password sent to them. Our own note of the authenticator goes last: until then the
// member counts as one who has one.
func (s *Service) unenrol(ctx context.Context, t tenant.ID, member string, password secret.Value) error {
	if err := s.Provider.Forget(ctx, member); err != nil {
		return provided(err, errPassword())
	}
	if err := s.Provider.Create(ctx, member, NormalPassword(password)); err != nil {
		return provided(err, errPassword())
	}
	return s.Members.SetEnrolled(ctx, t, member, false)
}

// RecoveryCodes makes ten new recovery codes in place of all earlier ones. The caller
// made sure of a recent code.
func (s *Service) RecoveryCodes(ctx context.Context, p identity.Principal) ([]secret.Value, error) {
	return s.makeRecovery(ctx, p)
}

// recoveryCodes is how many there are.
const recoveryCodes = 10

func recoveryKey(member string, code secret.Value) store.Key {
	return store.Key{PK: "recovery", SK: member + "#" + hex.EncodeToString(sha("recovery/1", member, normal(code)))}
}

// normal reads a recovery code as people type it.
func normal(code secret.Value) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code.Reveal()))
}

// makeRecovery replaces the member's recovery codes in one transaction. A code has 80
// random bits: a plain hash is enough for it.
func (s *Service) makeRecovery(ctx context.Context, p identity.Principal) ([]secret.Value, error) {
	page, err := s.DB.Query(ctx, p.Tenant, store.Identity, store.Query{PK: "recovery", Prefix: p.Member + "#"})
	if err != nil {
		return nil, fmt.Errorf("account: recovery codes: %w", err)
	}
	var writes []store.Write
	for _, item := range page.Items {
		writes = append(writes, store.Write{Tenant: p.Tenant, Table: store.Identity, Key: item.Key, Delete: true})
	}
	codes := make([]secret.Value, recoveryCodes)
	for i := range codes {
		id, err := s.newID()
		if err != nil {
			return nil, err
		}
		codes[i] = secret.New(id[:4] + "-" + id[4:8] + "-" + id[8:12] + "-" + id[12:])
		writes = append(writes, store.Write{Tenant: p.Tenant, Table: store.Identity, If: []store.Cond{store.Absent()},
			Put: &store.Item{Key: recoveryKey(p.Member, codes[i]), Attrs: map[string]any{"madeAt": store.Millis(s.Clock.Now())}}})
	}
	if err := s.record(ctx, p.Tenant, ledger.Event{Type: ledger.RecoveryMade, Actor: p.Actor, Target: "member:" + p.Member}); err != nil {
		return nil, err
	}
	if err := s.DB.Transact(ctx, writes...); err != nil {
		return nil, fmt.Errorf("account: recovery codes: %w", err)
	}
	return codes, nil
}
