package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Advice is what a company does for its own safety, where only it can: shown until one
// of its owners says that it is done.
type Advice struct {
	ID    string
	Title string
	Text  string
	Done  time.Time // zero: not yet
	By    string
}

// advice is a closed list; an id is never given another meaning.
func advice() []Advice {
	return []Advice{
		{ID: "amazon-password", Title: "A strong password at Amazon", Text: "Give every login to Seller Central a password of its own, of 12 characters or more, from a password manager. Whoever has it can do what we can, and more."},
		{ID: "amazon-two-steps", Title: "Two-step verification at Amazon", Text: "Turn on two-step verification for every user of Seller Central, with an authenticator app rather than text messages."},
		{ID: "amazon-users", Title: "Users at Amazon", Text: "In Seller Central, under user permissions, remove who has left, and let each person have a login of their own."},
		{ID: "amazon-apps", Title: "Applications at Amazon", Text: "In Seller Central, under Manage your apps, disconnect applications that you do not use. GET /connections lists what is connected to us, with its age; DELETE /connections/{id} disconnects it."},
		{ID: "two-owners", Title: "A second owner", Text: "Make somebody else an owner too, so that you are not locked out when one of you is away or loses their authenticator."},
		{ID: "own-logins", Title: "A login for each person", Text: "Invite each person instead of sharing a login: members cost nothing, and the ledger then says who did what."},
	}
}

// Advice lists it all, with what the tenant has done of it.
func (s *Service) Advice(ctx context.Context, t tenant.ID) ([]Advice, error) {
	page, err := s.DB.Query(ctx, t, store.Identity, store.Query{PK: identity.AdvicePK}) // fewer than a page: a closed list
	if err != nil {
		return nil, fmt.Errorf("account: advice: %w", err)
	}
	all := advice()
	for i := range all {
		for _, item := range page.Items {
			if item.SK == all[i].ID {
				all[i].Done, all[i].By = item.Time("at"), item.Str("by")
			}
		}
	}
	return all, nil
}

// TakeAdvice notes that a piece of advice is followed. Saying it again changes nothing.
func (s *Service) TakeAdvice(ctx context.Context, t tenant.ID, actor, id string) error {
	known := false
	for _, a := range advice() {
		known = known || a.ID == id
	}
	if !known {
		return fault.New(fault.NotFound, "", "There is no such advice.")
	}
	now := s.Clock.Now()
	err := s.DB.Put(ctx, t, store.Identity, store.Item{Key: store.Key{PK: identity.AdvicePK, SK: id}, Attrs: map[string]any{"at": store.Millis(now), "by": actor}}, store.Absent())
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("account: take advice: %w", err)
	}
	return nil
}
