package account

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// How old passwords get, as Amazon's Data Protection Policy has it (section 1.4): one
// is kept for a day, so that nobody runs through those that must not come back, and for a
// year at most. By mail another one can be chosen at any time.
const (
	youngest = 24 * time.Hour
	oldest   = 365 * 24 * time.Hour
)

// aged refuses a sign-in with a password that is too old, and has the way to another one
// sent. The caller has made sure that it is the member.
func (s *Service) aged(ctx context.Context, t tenant.ID, m identity.Member) error {
	if s.Clock.Now().Sub(m.Password) < oldest {
		return nil
	}
	id, text, err := s.hand(ctx, t, issue{kind: forReset, life: resetLife, member: m.ID})
	if err != nil {
		return err
	}
	if err := s.send(ctx, m.Email, id, outdated(s.URL, text)); err != nil {
		return err
	}
	return fault.New(fault.Forbidden, "password-old", "Your password is older than a year. Choose another one: a link is on its way to your address.")
}

// ForgotPassword has a ticket for a new password sent to a member's address. The answer
// says nothing about the address: one of nobody gets a mail that says so.
func (s *Service) ForgotPassword(ctx context.Context, email personal.Sensitive[string]) error {
	email, err := clean(email)
	if err != nil {
		return err
	}
	w, err := s.locate(ctx, email)
	if err != nil {
		return err
	}
	if ok, err := s.mayMail(ctx, w.hash); err != nil || !ok {
		return err
	}
	i, letter := issue{kind: forReset, life: resetLife, member: w.id, email: email}, reset
	if !w.known {
		i.kind, letter = forNothing, nobodyHere
	}
	id, text, err := s.hand(ctx, w.t, i)
	if err != nil {
		return err
	}
	return s.send(ctx, email, id, letter(s.URL, text))
}

// ResetPassword replaces a forgotten password and ends the member's sessions. The
// authenticator stays: whoever has the mailbox alone does not come in.
func (s *Service) ResetPassword(ctx context.Context, text, password secret.Value) error {
	k, err := s.find(ctx, text, forReset)
	if err != nil {
		return err
	}
	member, err := s.member(ctx, k.t, k.member)
	if err != nil {
		return err
	}
	if password, err = acceptable(password, member.Email, member.Name); err != nil {
		return err
	}
	claim, err := s.claim(ctx, k)
	if err != nil {
		return err
	}
	// Create, not SetPassword: taking an authenticator away, when it was cut off, leaves
	// a member without a user, and this is the way back.
	if err := s.Provider.Create(ctx, k.member, password); err != nil {
		s.release(ctx, k, claim)
		return provided(err, errRefused())
	}
	return s.replaced(ctx, k.t, member, "", "member:"+k.member, s.spend(k, claim))
}

// replaced is what follows a new password: other sessions end, the ledger and the
// member are told. It comes before the ticket is spent, so that a crash has it done again.
func (s *Service) replaced(ctx context.Context, t tenant.ID, m identity.Member, keep, actor string, spend ...store.Write) error {
	if _, err := s.Sessions.EndAll(ctx, t, actor, m.ID, keep); err != nil {
		return err
	}
	if err := s.Members.NotePassword(ctx, t, m.ID); err != nil {
		return err
	}
	if err := s.record(ctx, t, ledger.Event{Type: ledger.PasswordChanged, Actor: actor, Target: "member:" + m.ID}); err != nil {
		return err
	}
	if len(spend) > 0 {
		if err := s.DB.Transact(ctx, spend...); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	s.notify(ctx, m, passwordChanged(s.URL))
	return nil
}

// ChangePassword replaces the password of somebody who knows it and has their
// authenticator at hand. Their other sessions end.
func (s *Service) ChangePassword(ctx context.Context, p identity.Principal, now secret.Value, code string, next secret.Value, from Origin) (SignedIn, error) {
	member, err := s.member(ctx, p.Tenant, p.Member)
	if err != nil {
		return SignedIn{}, err
	}
	if next, err = acceptable(next, member.Email, member.Name); err != nil {
		return SignedIn{}, err
	}
	if s.Clock.Now().Sub(member.Password) < youngest {
		return SignedIn{}, fault.New(fault.Conflict, "password-new", "This password was chosen less than a day ago. If somebody else knows it, ask for a new one by mail.")
	}
	if err := s.prove(ctx, p, now, code, from); err != nil {
		return SignedIn{}, err
	}
	if err := s.Provider.SetPassword(ctx, p.Member, next); err != nil {
		return SignedIn{}, provided(err, errPassword())
	}
	if err := s.replaced(ctx, p.Tenant, member, p.Session, p.Actor); err != nil {
		return SignedIn{}, err
	}
	return s.elevate(ctx, p)
}

// member returns a member who is not removed.
func (s *Service) member(ctx context.Context, t tenant.ID, id string) (identity.Member, error) {
	m, err := s.Members.Get(ctx, t, id)
	if err == nil && !m.Removed.IsZero() {
		return identity.Member{}, errTicket()
	}
	return m, err
}

// acceptable returns a new password in the form that the provider gets, or says what is
// wrong with it. It must not be made of the member's own name or address.
func acceptable(password secret.Value, about ...personal.Sensitive[string]) (secret.Value, error) {
	own := make([]string, len(about))
	for i, a := range about {
		own[i] = a.Reveal()
	}
	password = NormalPassword(password)
	return password, CheckPassword(password, own...)
}
