package account

import (
	"context"
	"crypto/sha256"
	"errors"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// maxSecret bounds what is handed to the provider as a password, in bytes.
const maxSecret = 256

// Step is how far a sign-in came: with a code to come there is an Attempt to send it
// with; without an authenticator there is a session that reaches its own account only.
type Step struct {
	Needs   signin.Needs
	Attempt secret.Value // with NeedsCode
	Session SignedIn     // with NeedsEnrolment
}

// SignIn checks an address and its password.
func (s *Service) SignIn(ctx context.Context, email personal.Sensitive[string], password secret.Value, from Origin) (Step, error) {
	email, err := clean(email)
	if err != nil {
		return Step{}, err
	}
	if password.Empty() || len(password.Reveal()) > maxSecret {
		return Step{}, fault.New(fault.Invalid, "password", "Give the password.")
	}
	w, err := s.locate(ctx, email)
	if err != nil {
		return Step{}, err
	}
	if err := s.try(ctx, Lobby, "address#"+w.hash); err != nil {
		return Step{}, err
	}
	step, err := s.Provider.Begin(ctx, w.id, NormalPassword(password))
	if errors.Is(err, signin.ErrRefused) || err == nil && !w.known {
		s.refused(ctx, w, "SignInRefused", ledger.SignInRefused, from)
		return Step{}, errRefused()
	}
	if err != nil {
		return Step{}, provided(err, errRefused())
	}
	s.forgive(ctx, Lobby, "address#"+w.hash)
	m, err := s.member(ctx, w.t, w.id)
	if err != nil {
		return Step{}, err
	}
	if step.Needs != signin.NeedsCode {
		in, err := s.begin(ctx, w.t, m, false, from)
		return Step{Needs: signin.NeedsEnrolment, Session: in}, err
	}
	_, text, err := s.hand(ctx, w.t, issue{kind: forCode, life: attemptLife, member: w.id, challenge: step.Challenge})
	return Step{Needs: signin.NeedsCode, Attempt: text}, err
}

// Code ends a sign-in with a code of the authenticator.
func (s *Service) Code(ctx context.Context, attempt secret.Value, code string, from Origin) (SignedIn, error) {
	k, m, err := s.attempt(ctx, attempt)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.answer(ctx, k.t, k.member, k.challenge, code, from); err != nil {
		return SignedIn{}, err
	}
	// The session after: of two that ask at once with two codes one gets a session.
	if err := s.spent(ctx, k); err != nil {
		return SignedIn{}, err
	}
	if err := s.aged(ctx, k.t, m); err != nil {
		return SignedIn{}, err
	}
	return s.begin(ctx, k.t, m, true, from)
}

// Recover ends a sign-in with a recovery code and the password once more, for somebody
// who has no authenticator any more. It is taken away, the sessions that there are end,
// and the new one reaches only the account page until there is another authenticator.
func (s *Service) Recover(ctx context.Context, attempt, code, password secret.Value, from Origin) (SignedIn, error) {
	k, m, err := s.attempt(ctx, attempt)
	if err != nil {
		return SignedIn{}, err
	}
	// To take an authenticator away the provider makes the user anew, and a password is
	// not kept anywhere: it has to be given again.
	if _, err := s.password(ctx, identity.Principal{Tenant: k.t, Member: k.member}, password, from); err != nil {
		return SignedIn{}, err
	}
	if err := s.try(ctx, k.t, "code#"+k.member); err != nil {
		return SignedIn{}, err
	}
	// The code goes first: whatever fails after it, it was used, and there are others.
	if err := s.useRecovery(ctx, k.t, k.member, code); err != nil {
		if errors.Is(err, store.ErrConflict) {
			s.refused(ctx, whose{t: k.t, id: k.member, known: true}, "CodeRefused", ledger.CodeRefused, from)
			return SignedIn{}, errCode()
		}
		return SignedIn{}, err
	}
	if err := s.record(ctx, k.t, ledger.Event{Type: ledger.RecoveryUsed, Actor: "member:" + k.member, Target: "member:" + k.member}); err != nil {
		return SignedIn{}, err
	}
	s.forgive(ctx, k.t, "code#"+k.member)
	if err := s.spent(ctx, k); err != nil {
		return SignedIn{}, err
	}
	if err := s.unenrol(ctx, k.t, k.member, password); err != nil {
		return SignedIn{}, err
	}
	if _, err := s.Sessions.EndAll(ctx, k.t, "member:"+k.member, k.member, ""); err != nil {
		return SignedIn{}, err
	}
	s.notify(ctx, m, recoveryUsed(s.URL))
	return s.begin(ctx, k.t, m, false, from)
}

func (s *Service) attempt(ctx context.Context, text secret.Value) (ticket, identity.Member, error) {
	k, err := s.find(ctx, text, forCode)
	if fault.KindOf(err) == fault.Gone {
		return ticket{}, identity.Member{}, errExpired().Because(err)
	}
	if err != nil {
		return ticket{}, identity.Member{}, err
	}
	m, err := s.member(ctx, k.t, k.member)
	return k, m, err
}

// spent uses an attempt up.
func (s *Service) spent(ctx context.Context, k ticket) error {
	err := s.DB.Transact(ctx, s.spend(k, ""))
	if errors.Is(err, store.ErrConflict) {
		return errExpired().Because(err)
	}
	return err
}

// answer checks a code: counted, claimed, asked.
func (s *Service) answer(ctx context.Context, t tenant.ID, member string, challenge secret.Value, code string, from Origin) error {
	return s.check(ctx, t, member, code, from, func() error { return s.Provider.Answer(ctx, member, challenge, code) })
}

func (s *Service) check(ctx context.Context, t tenant.ID, member, code string, from Origin, ask func() error) error {
	if !totp.WellFormed(code) {
		return fault.New(fault.Invalid, "code", "A code is %d digits.", totp.Digits)
	}
	if err := s.try(ctx, t, "code#"+member); err != nil {
		return err
	}
	err := s.once(ctx, t, member, code)
	if err == nil {
		err = ask()
	}
	if errors.Is(err, signin.ErrCode) || errors.Is(err, store.ErrConflict) {
		s.refused(ctx, whose{t: t, id: member, known: true}, "CodeRefused", ledger.CodeRefused, from)
		return errCode().Because(err)
	}
	if err != nil {
		return provided(err, errPassword())
	}
	s.forgive(ctx, t, "code#"+member)
	return nil
}

// password checks the password of somebody who is signed in, and returns how far that
// comes at the provider.
func (s *Service) password(ctx context.Context, p identity.Principal, password secret.Value, from Origin) (signin.Step, error) {
	if password.Empty() || len(password.Reveal()) > maxSecret {
		return signin.Step{}, fault.New(fault.Invalid, "password", "Give the password.")
	}
	if p.Member == "" {
		return signin.Step{}, fault.New(fault.Forbidden, "role", "This is for members.")
	}
	if err := s.try(ctx, p.Tenant, "password#"+p.Member); err != nil {
		return signin.Step{}, err
	}
	step, err := s.Provider.Begin(ctx, p.Member, NormalPassword(password))
	if errors.Is(err, signin.ErrRefused) {
		s.refused(ctx, whose{t: p.Tenant, id: p.Member, known: true}, "SignInRefused", ledger.SignInRefused, from)
		return signin.Step{}, errPassword()
	}
	if err != nil {
		return signin.Step{}, provided(err, errPassword())
	}
	s.forgive(ctx, p.Tenant, "password#"+p.Member)
	return step, nil
}

// prove checks password and code of somebody who is signed in.
func (s *Service) prove(ctx context.Context, p identity.Principal, password secret.Value, code string, from Origin) error {
	step, err := s.password(ctx, p, password, from)
	if err != nil {
		return err
	}
	if step.Needs != signin.NeedsCode {
		return fault.New(fault.Forbidden, "enrolment-needed", "Set up an authenticator first: POST /account/authenticator.")
	}
	return s.answer(ctx, p.Tenant, p.Member, step.Challenge, code, from)
}

// StepUp confirms a session with password and code, for what wants a recent code. The
// session gets another secret.
func (s *Service) StepUp(ctx context.Context, p identity.Principal, password secret.Value, code string, from Origin) (SignedIn, error) {
	if err := s.prove(ctx, p, password, code, from); err != nil {
		return SignedIn{}, err
	}
	return s.elevate(ctx, p)
}

func (s *Service) elevate(ctx context.Context, p identity.Principal) (SignedIn, error) {
	cookie, err := s.Sessions.Elevate(ctx, p.Tenant, p.Session)
	return SignedIn{Cookie: cookie, Enrolled: true}, err
}

// useRecovery deletes a recovery code, or is store.ErrConflict when there is no such one.
func (s *Service) useRecovery(ctx context.Context, t tenant.ID, member string, code secret.Value) error {
	return s.DB.Delete(ctx, t, store.Identity, recoveryKey(member, code), store.Exists())
}

func sha(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}
