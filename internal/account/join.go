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

// SignUp has a ticket sent to whoever wants to found a company here. The answer says
// nothing about the address: somebody who has an account gets a mail that says so.
func (s *Service) SignUp(ctx context.Context, email, name, company personal.Sensitive[string]) error {
	email, err := clean(email)
	if err != nil {
		return err
	}
	if name, err = cleanName(name); err != nil {
		return err
	}
	if company, err = cleanName(company); err != nil {
		return err
	}
	w, err := s.locate(ctx, email)
	if err != nil {
		return err
	}
	if ok, err := s.mayMail(ctx, w.hash); err != nil || !ok {
		return err
	}
	member, err := s.newMember()
	if err != nil {
		return err
	}
	founded, err := s.newID()
	if err != nil {
		return err
	}
	i := issue{kind: forSignUp, life: signUpLife, member: member, other: "t_" + founded, email: email, name: name, company: company}
	letter := welcome
	if w.known {
		i.kind, letter = forNothing, knownAlready // the same work, and a ticket that is good for nothing
	}
	id, text, err := s.hand(ctx, Lobby, i)
	if err != nil {
		return err
	}
	return s.send(ctx, email, id, letter(s.URL, text))
}

// Joined is who has just become a member.
type Joined struct {
	Tenant tenant.ID
	Member string
}

// CompleteSignUp makes the company and its first owner. They sign in next.
func (s *Service) CompleteSignUp(ctx context.Context, text, password secret.Value) (Joined, error) {
	k, err := s.find(ctx, text, forSignUp)
	if err != nil {
		return Joined{}, err
	}
	t := tenant.ID(k.other)
	founding, err := s.Tenants.Founding(ctx, t, "member:"+k.member, k.company.Reveal())
	if err != nil {
		return Joined{}, err
	}
	return s.join(ctx, t, k, password, identity.NewMember{ID: k.member, Role: identity.Owner, Name: k.name, Email: k.email}, "member:"+k.member, founding, s.Tenants.Listing(t))
}

// join makes a member of a ticket. The provider's user comes first: a crash before the
// membership leaves a user that nobody can find, and doing it again gives the same user
// the password. A membership without a user could not sign in.
func (s *Service) join(ctx context.Context, t tenant.ID, k ticket, password secret.Value, n identity.NewMember, actor string, with ...store.Write) (Joined, error) {
	password, err := acceptable(password, n.Email, n.Name)
	if err != nil {
		return Joined{}, err
	}
	claim, err := s.claim(ctx, k)
	if err != nil {
		return Joined{}, err
	}
	if err := s.Provider.Create(ctx, n.ID, password); err != nil {
		s.release(ctx, k, claim)
		return Joined{}, provided(err, errRefused())
	}
	err = s.Members.Join(ctx, t, actor, n, append(with, s.spend(k, claim))...)
	switch {
	case errors.Is(err, identity.ErrMailTaken):
		// They proved that the address is theirs, so they may know. The user is of no use.
		if err := s.Provider.Delete(ctx, n.ID); err != nil {
			s.Log.WarnContext(ctx, "a user without a member is left at the sign-in provider", "member", n.ID, "cause", err)
		}
		return Joined{}, fault.New(fault.Conflict, "address-taken", "This address is a member's already. Sign in with it, or ask for a new password.")
	case errors.Is(err, store.ErrConflict):
		return Joined{}, errTicket().Because(err)
	case err != nil:
		return Joined{}, err
	}
	return Joined{Tenant: t, Member: n.ID}, nil
}

// Invitation is a ticket for somebody to join, as members see it.
type Invitation struct {
	ID      string
	Email   personal.Sensitive[string]
	Name    personal.Sensitive[string]
	Role    identity.Role
	By      string
	Expires time.Time
}

// maxInvitations bounds how many wait at a time.
const maxInvitations = 100

// Invite has a ticket to join sent to an address. Whether the address is a member's of
// another company does not show.
func (s *Service) Invite(ctx context.Context, t tenant.ID, actor string, email, name personal.Sensitive[string], role identity.Role) (Invitation, error) {
	email, err := clean(email)
	if err != nil {
		return Invitation{}, err
	}
	if name, err = cleanName(name); err != nil {
		return Invitation{}, err
	}
	if !role.ForMembers() {
		return Invitation{}, fault.New(fault.Invalid, "role", "Give one of the roles %v.", identity.MemberRoles())
	}
	w, err := s.locate(ctx, email)
	if err != nil {
		return Invitation{}, err
	}
	if w.known && w.t == t {
		return Invitation{}, fault.New(fault.Conflict, "member-exists", "This address is a member's of your company already.")
	}
	company, err := s.Tenants.Company(ctx, t)
	if err != nil {
		return Invitation{}, err
	}
	open, err := s.Invitations(ctx, t)
	if err != nil {
		return Invitation{}, err
	}
	if len(open) >= maxInvitations {
		return Invitation{}, fault.New(fault.Conflict, "too-many-invitations", "There are %d invitations that nobody answered. Withdraw some first.", len(open))
	}
	ok, err := s.mayMail(ctx, w.hash)
	if err != nil {
		return Invitation{}, err
	}
	if !ok {
		return Invitation{}, fault.New(fault.RateLimited, "too-many-mails", "This address got many mails of ours in the last hour. Try again later.").With("retryAfter", int(mailsSpan/time.Second))
	}
	member, err := s.newMember()
	if err != nil {
		return Invitation{}, err
	}
	item, text, err := s.draw(ctx, t, issue{kind: forInvitation, life: invitationLife, member: member, by: actor, role: string(role), email: email, name: name})
	if err != nil {
		return Invitation{}, err
	}
	// Before the ticket: an invitation that the ledger does not know of cannot be used.
	if err := s.record(ctx, t, ledger.Event{Type: ledger.InvitationMade, Actor: actor, Target: "invitation:" + item.SK, After: document(map[string]any{"role": role})}); err != nil {
		return Invitation{}, err
	}
	if err := s.DB.Put(ctx, t, store.Identity, item, store.Absent()); err != nil {
		return Invitation{}, err
	}
	letter := invited(s.URL, text, company.Name, role)
	if w.known {
		letter = invitedElsewhere(company.Name)
	}
	if err := s.send(ctx, email, item.SK, letter); err != nil {
		return Invitation{}, err
	}
	return Invitation{ID: item.SK, Email: email, Name: name, Role: role, By: actor, Expires: item.Time("expires")}, nil
}

// Invitations lists those that wait, in order of id.
func (s *Service) Invitations(ctx context.Context, t tenant.ID) ([]Invitation, error) {
	var out []Invitation
	for q := (store.Query{PK: ticketPK}); ; {
		page, err := s.DB.Query(ctx, t, store.Identity, q)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if kind(item.Str("kind")) != forInvitation || item.Int("usedAt") != 0 {
				continue
			}
			k, err := s.open(ctx, t, item, forInvitation)
			if fault.KindOf(err) == fault.Gone {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, Invitation{ID: k.id, Email: k.email, Name: k.name, Role: identity.Role(k.role), By: k.by, Expires: item.Time("expires")})
		}
		if page.Next == "" {
			return out, nil
		}
		q.After = page.Next
	}
}

// Withdraw takes an invitation back.
func (s *Service) Withdraw(ctx context.Context, t tenant.ID, actor, id string) error {
	missing := fault.New(fault.NotFound, "", "There is no such invitation.")
	if b, err := lower.DecodeString(id); err != nil || len(b) != 10 {
		return missing
	}
	item, err := s.DB.Get(ctx, t, store.Identity, ticketKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	if kind(item.Str("kind")) != forInvitation || item.Int("usedAt") != 0 || item.Bool("withdrawn") {
		return missing
	}
	// Before it is done, as with Invite: what the ledger does not know of does not happen.
	if err := s.record(ctx, t, ledger.Event{Type: ledger.InvitationWithdrawn, Actor: actor, Target: "invitation:" + id}); err != nil {
		return err
	}
	_, err = s.DB.Update(ctx, t, store.Identity, ticketKey(id), store.Update{
		Set:    map[string]any{"withdrawn": true},
		Remove: []string{personal.TicketEmail.Attr, personal.TicketName.Attr},
		If:     []store.Cond{store.Exists(), store.Missing("usedAt"), store.Missing("withdrawn")},
	})
	if errors.Is(err, store.ErrConflict) {
		return missing
	}
	return err
}

// Accept makes a member of whom an invitation is for; name "" takes that of the
// invitation. They sign in next.
func (s *Service) Accept(ctx context.Context, text, password secret.Value, name personal.Sensitive[string]) (Joined, error) {
	k, err := s.find(ctx, text, forInvitation)
	if err != nil {
		return Joined{}, err
	}
	if !name.Empty() && name.Reveal() != "" {
		if k.name, err = cleanName(name); err != nil {
			return Joined{}, err
		}
	}
	return s.join(ctx, k.t, k, password, identity.NewMember{ID: k.member, Role: identity.Role(k.role), Name: k.name, Email: k.email}, k.by)
}

// RemoveMember ends a membership: the sessions with it, and the user at the provider.
func (s *Service) RemoveMember(ctx context.Context, t tenant.ID, actor, id string, ver int64) error {
	// The membership first: nobody comes in once it has ended, whatever fails then.
	if err := s.Members.Remove(ctx, t, actor, id, ver); err != nil {
		return err
	}
	if _, err := s.Sessions.EndAll(ctx, t, actor, id, ""); err != nil {
		s.Log.WarnContext(ctx, "sessions of a removed member are left, and let nobody in", "member", id, "cause", err)
	}
	if err := s.Provider.Delete(ctx, id); err != nil {
		s.Log.WarnContext(ctx, "a user without a member is left at the sign-in provider", "member", id, "cause", err)
	}
	return nil
}

func (s *Service) newMember() (string, error) {
	return identity.NewMemberID(func(b []byte) error {
		got, err := s.random(len(b))
		copy(b, got)
		return err
	})
}

func cleanName(v personal.Sensitive[string]) (personal.Sensitive[string], error) {
	name, err := identity.CleanName(v.Reveal())
	return personal.New(name), err
}
