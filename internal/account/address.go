package account

import (
	"context"
	"errors"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// ChangeAddress asks for a change of a member's address. A ticket goes to the old
// address and one to the new: the change is made when both were used. Whether the new
// address is somebody's does not show.
func (s *Service) ChangeAddress(ctx context.Context, p identity.Principal, email personal.Sensitive[string]) error {
	email, err := clean(email)
	if err != nil {
		return err
	}
	m, err := s.member(ctx, p.Tenant, p.Member)
	if err != nil {
		return err
	}
	if same(m.Email, email) {
		return fault.New(fault.Invalid, "email", "This is your address already.")
	}
	old, err := s.locate(ctx, m.Email)
	if err != nil {
		return err
	}
	w, err := s.locate(ctx, email)
	if err != nil {
		return err
	}
	for _, hash := range []string{old.hash, w.hash} {
		if ok, err := s.mayMail(ctx, hash); err != nil || !ok {
			return err
		}
	}
	first, err := s.newID()
	if err != nil {
		return err
	}
	second, err := s.newID()
	if err != nil {
		return err
	}
	now, toOld, err := s.draw(ctx, p.Tenant, issue{kind: forOldMail, life: changeLife, id: first, other: second, member: p.Member, email: email})
	if err != nil {
		return err
	}
	then, toNew, err := s.draw(ctx, p.Tenant, issue{kind: forNewMail, life: changeLife, id: second, other: first, member: p.Member, email: email})
	if err != nil {
		return err
	}
	err = s.DB.Transact(ctx,
		store.Write{Tenant: p.Tenant, Table: store.Identity, Put: &now, If: []store.Cond{store.Absent()}},
		store.Write{Tenant: p.Tenant, Table: store.Identity, Put: &then, If: []store.Cond{store.Absent()}},
	)
	if err != nil {
		return err
	}
	letter := newAddress(s.URL, toNew)
	if w.known {
		letter = addressKnown()
	}
	if err := s.send(ctx, email, second, letter); err != nil {
		return err
	}
	return s.send(ctx, m.Email, first, oldAddress(s.URL, toOld))
}

// ConfirmAddress uses one of the two tickets of a change, and reports whether the change
// is made now. Using one again says how things are: the change is completed by whichever
// is used last, and by either after a crash.
func (s *Service) ConfirmAddress(ctx context.Context, text secret.Value) (done bool, err error) {
	k, err := s.find(ctx, text, forOldMail, forNewMail)
	if err != nil {
		return false, err
	}
	if !k.used {
		if err := s.DB.Transact(ctx, s.spend(k, "")); err != nil && !errors.Is(err, store.ErrConflict) {
			return false, err
		}
	}
	other, err := s.DB.Get(ctx, k.t, store.Identity, ticketKey(k.other))
	if errors.Is(err, store.ErrNotFound) || err == nil && (other.Str("other") != k.id || other.Bool("withdrawn")) {
		return false, errTicket().Because(err)
	}
	if err != nil {
		return false, err
	}
	if other.Int("usedAt") == 0 {
		return false, nil
	}
	return true, s.moveAddress(ctx, k)
}

func (s *Service) moveAddress(ctx context.Context, k ticket) error {
	m, err := s.member(ctx, k.t, k.member)
	if err != nil {
		return err
	}
	if same(m.Email, k.email) {
		return nil // it was made before
	}
	// The pair is withdrawn with the change: neither ticket makes it a second time.
	err = s.Members.SetEmail(ctx, k.t, "member:"+k.member, k.member, k.email, s.withdraw(k.t, k.id), s.withdraw(k.t, k.other))
	if errors.Is(err, identity.ErrMailTaken) {
		if m, err := s.member(ctx, k.t, k.member); err == nil && same(m.Email, k.email) {
			return nil // by the other ticket, at the same time
		}
		return fault.New(fault.Conflict, "address-taken", "This address is a member's already.")
	}
	if errors.Is(err, store.ErrConflict) {
		return errTicket().Because(err)
	}
	if err != nil {
		return err
	}
	s.notify(ctx, m, addressChanged(s.URL)) // to the old one
	return nil
}

func (s *Service) withdraw(t tenant.ID, id string) store.Write {
	return store.Write{Tenant: t, Table: store.Identity, Key: ticketKey(id), Update: &store.Update{
		Set: map[string]any{"withdrawn": true}, Remove: []string{personal.TicketEmail.Attr},
		If: []store.Cond{store.Exists(), store.Missing("withdrawn")},
	}}
}

func same(a, b personal.Sensitive[string]) bool { return a.Reveal() == b.Reveal() }
