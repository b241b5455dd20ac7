package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Visit is an operator's session.
type Visit struct {
	Session identity.Session
	Cookie  secret.Value
}

// Grants are the tenants' permissions for operators to look.
func (s *Service) Grants() *identity.Grants {
	return &identity.Grants{DB: s.DB, Clock: s.Clock, Random: s.Random}
}

// Enter begins an operator's session by a grant of the tenant, the one that lasts
// longest if id is "".
func (s *Service) Enter(ctx context.Context, t tenant.ID, operator, id string) (Visit, error) {
	session, cookie, err := s.Grants().Enter(ctx, t, s.Sessions, operator, id)
	return Visit{session, cookie}, err
}

// EnterInEmergency begins an operator's session although nobody of the tenant agreed.
// Its owners are told by mail, and by the ledger.
//
// The order is: the grant, which the tenant sees; the mails; the note that they were
// sent, without which the grant lets nobody in; the session. A crash in between leaves
// what the tenant knows more of than there was. Doing it again is another emergency.
func (s *Service) EnterInEmergency(ctx context.Context, t tenant.ID, operator, reason string) (Visit, error) {
	if _, err := s.Tenants.Company(ctx, t); errors.Is(err, store.ErrNotFound) {
		return Visit{}, fault.New(fault.NotFound, "", "There is no such company.")
	} else if err != nil {
		return Visit{}, err
	}
	g, err := s.Grants().Seize(ctx, t, operator, reason)
	if err != nil {
		return Visit{}, err
	}
	told, err := s.tellOwners(ctx, t, "emergency#"+g.ID, emergency(s.URL, operator, g))
	if err != nil {
		return Visit{}, err
	}
	if told == 0 {
		return Visit{}, fault.New(fault.Unavailable, "nobody-told", "No owner of the company could be told, so that nobody looks.")
	}
	if err := s.Grants().Told(ctx, t, g.ID); err != nil {
		return Visit{}, err
	}
	return s.Enter(ctx, t, operator, g.ID)
}

// Leave ends an operator's session.
func (s *Service) Leave(ctx context.Context, t tenant.ID, operator, session string) error {
	return s.Grants().Leave(ctx, t, s.Sessions, operator, session)
}

// recipient is somebody whom a tenant wants told about its security.
type recipient struct {
	id    string // the member, or securityContact
	email personal.Sensitive[string]
	since time.Time // zero for the contact
}

const securityContact = "security"

// whomToTell lists every owner of a tenant and its contact for security; store.ErrNotFound
// if there is no such tenant.
func (s *Service) whomToTell(ctx context.Context, t tenant.ID) (to []recipient, err error) {
	for after := ""; ; {
		members, next, err := s.Members.List(ctx, t, after, 100)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			if m.Role == identity.Owner && m.Removed.IsZero() {
				to = append(to, recipient{m.ID, m.Email, m.CreatedAt})
			}
		}
		if after = next; after == "" {
			break
		}
	}
	settings, err := s.Tenants.Settings(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("account: whom to tell: %w", err)
	}
	if c := settings.Security; !c.Empty() && !slices.ContainsFunc(to, func(o recipient) bool { return same(o.email, c) }) {
		to = append(to, recipient{id: securityContact, email: c})
	}
	return to, nil
}

// tellOwners writes to every owner of a tenant and to its contact for security. It
// returns to how many a mail was handed over: one who cannot be told keeps no other
// from it.
func (s *Service) tellOwners(ctx context.Context, t tenant.ID, once string, l letter) (told int, err error) {
	to, err := s.whomToTell(ctx, t)
	if err != nil {
		return 0, err
	}
	for i, r := range to {
		if err := s.send(ctx, r.email, fmt.Sprintf("%s#%d", once, i), l); err != nil {
			s.Log.WarnContext(ctx, "an owner could not be told", "tenant", t, "about", l.subject, "cause", err)
			continue
		}
		told++
	}
	return told, nil
}

func emergency(base, operator string, g identity.Grant) letter {
	return letter{"We look into your account", paragraphs(
		fmt.Sprintf("In an emergency, %s of our staff looks into your company's account until %s (UTC), without one of you having agreed.", operator, g.Until.UTC().Format(time.DateTime)),
		"The reason given: "+oneLine(g.Reason),
		"They can read offers, plans and settings, and can stop the sending of prices; they change nothing else. What they read is in your ledger.",
		"An owner can end it at once: DELETE "+base+"/support/grants/"+g.ID)}
}
