package identity

import (
	"context"
	"errors"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// NotePassword notes that the member has chosen another password just now. The one from
// when they joined is as old as their membership.
func (m *Members) NotePassword(ctx context.Context, t tenant.ID, id string) error {
	if len(id) != 1+idLen {
		return errNoMember
	}
	_, err := m.DB.Update(ctx, t, store.Identity, store.Key{PK: membersPK, SK: id}, store.Update{
		Set: map[string]any{"passwordAt": store.Millis(m.Clock.Now())},
		If:  []store.Cond{store.Exists(), store.Missing("removedAt")},
	})
	if errors.Is(err, store.ErrConflict) {
		return errNoMember
	}
	return err
}
