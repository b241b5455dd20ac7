package identity

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func moved(err error) error {
	return fault.New(fault.Conflict, "member-moved", "Somebody changed this member in the meantime. Read it again.").Because(err)
}

var errLastOwner = fault.New(fault.Conflict, "last-owner", "This is the only owner. Make somebody else an owner first.")

// SetRole changes a member's role. It counts from the member's next request. ver
// is the version that whoever asks has seen; another one is a Conflict.
func (m *Members) SetRole(ctx context.Context, t tenant.ID, actor, id string, role Role, ver int64) error {
	if !role.ForMembers() {
		return fault.New(fault.Invalid, "role", "Give one of the roles %v.", MemberRoles())
	}
	now, err := m.item(ctx, t, id)
	if err != nil {
		return err
	}
	if now.Int("ver") != ver {
		return moved(nil)
	}
	if Role(now.Str("role")) == role {
		return nil
	}
	by := int64(0)
	if Role(now.Str("role")) == Owner {
		by--
	}
	if role == Owner {
		by++
	}
	return m.change(ctx, t, now.Key, by, store.Update{
		Set: map[string]any{"role": string(role), "changedAt": store.Millis(m.Clock.Now()), "changedBy": actor},
		If:  []store.Cond{store.Exists(), store.Missing("removedAt"), store.Eq("ver", ver)},
	})
}

// Remove ends a membership. Sessions end with it, since each request looks at the
// member. Name and address go; the address may be a member's anew.
func (m *Members) Remove(ctx context.Context, t tenant.ID, actor, id string, ver int64) error {
	now, err := m.item(ctx, t, id)
	if err != nil {
		return err
	}
	if now.Int("ver") != ver {
		return moved(nil)
	}
	by := int64(0)
	if Role(now.Str("role")) == Owner {
		by = -1
	}
	hash := now.Str("mail")
	return m.change(ctx, t, now.Key, by, store.Update{
		Set:    map[string]any{"removedAt": store.Millis(m.Clock.Now()), "removedBy": actor},
		Remove: []string{"name", "email", "mail"},
		If:     []store.Cond{store.Exists(), store.Missing("removedAt"), store.Eq("ver", ver)},
	},
		store.Write{Tenant: store.Directory, Table: store.Identity, Key: mailKey(hash), Delete: true},
		store.Write{Tenant: t, Table: store.Identity, Key: store.Key{PK: mailsPK, SK: hash}, Delete: true},
	)
}

// SetEmail moves a member to an address that they proved to be theirs, in one
// transaction with the writes that go with it. An address that is taken, by
// themselves too, is ErrMailTaken.
func (m *Members) SetEmail(ctx context.Context, t tenant.ID, actor, id string, email personal.Sensitive[string], with ...store.Write) error {
	now, err := m.item(ctx, t, id)
	if err != nil {
		return err
	}
	hash, err := m.Index(ctx, "mail", email.Reveal())
	if err != nil {
		return fmt.Errorf("identity: set e-mail: %w", err)
	}
	sealed, err := personal.Seal(ctx, m.Seal, t, personal.MemberEmail, now.Key, email)
	if err != nil {
		return fmt.Errorf("identity: set e-mail: %w", err)
	}
	old := now.Str("mail")
	if hash == old {
		return ErrMailTaken
	}
	writes := []store.Write{
		{Tenant: store.Directory, Table: store.Identity, Put: &store.Item{Key: mailKey(hash), Attrs: map[string]any{"tenant": string(t)}}, If: []store.Cond{store.Absent()}},
		{Tenant: t, Table: store.Identity, Put: &store.Item{Key: store.Key{PK: mailsPK, SK: hash}, Attrs: map[string]any{"member": id}}, If: []store.Cond{store.Absent()}},
		{Tenant: store.Directory, Table: store.Identity, Key: mailKey(old), Delete: true},
		{Tenant: t, Table: store.Identity, Key: store.Key{PK: mailsPK, SK: old}, Delete: true},
		{Tenant: t, Table: store.Identity, Key: now.Key, Update: &store.Update{
			Set: map[string]any{"email": sealed, "mail": hash, "mailChangedAt": store.Millis(m.Clock.Now()), "mailChangedBy": actor},
			Add: map[string]int64{"ver": 1},
			If:  []store.Cond{store.Exists(), store.Missing("removedAt"), store.Eq("mail", old)},
		}},
	}
	err = m.DB.Transact(ctx, append(writes, with...)...)
	var c *store.ConflictError
	if errors.As(err, &c) && c.Write < 2 {
		return ErrMailTaken
	}
	if err != nil {
		return fmt.Errorf("identity: set e-mail: %w", err)
	}
	return nil
}

// SetEnrolled notes that the member has an authenticator, or, after a recovery
// code, that they have none any more. Saying it again changes nothing.
func (m *Members) SetEnrolled(ctx context.Context, t tenant.ID, id string, enrolled bool) error {
	now, err := m.item(ctx, t, id)
	if err != nil {
		return err
	}
	u := store.Update{Add: map[string]int64{"ver": 1}, If: []store.Cond{store.Exists(), store.Missing("removedAt")}}
	at := store.Millis(m.Clock.Now())
	if enrolled {
		u.Set, u.Remove = map[string]any{"enrolledAt": at}, []string{"unenrolledAt"}
		u.If = append(u.If, store.Missing("enrolledAt"))
	} else {
		u.Set, u.Remove = map[string]any{"unenrolledAt": at}, []string{"enrolledAt"}
		u.If = append(u.If, store.Has("enrolledAt"))
	}
	_, err = m.DB.Update(ctx, t, store.Identity, now.Key, u)
	if errors.Is(err, store.ErrConflict) {
		_, err = m.item(ctx, t, id) // it is so already, or they were removed
		return err
	}
	if err != nil {
		return fmt.Errorf("identity: set enrolled: %w", err)
	}
	return nil
}

func (m *Members) item(ctx context.Context, t tenant.ID, id string) (store.Item, error) {
	if len(id) != 1+idLen {
		return store.Item{}, errNoMember
	}
	item, err := m.DB.Get(ctx, t, store.Identity, store.Key{PK: membersPK, SK: id})
	if errors.Is(err, store.ErrNotFound) || err == nil && item.Int("removedAt") != 0 {
		return store.Item{}, errNoMember
	}
	if err != nil {
		return store.Item{}, fmt.Errorf("identity: member: %w", err)
	}
	return item, nil
}

// change writes a member together with the number of owners, so that no order of
// events leaves a tenant without one.
func (m *Members) change(ctx context.Context, t tenant.ID, key store.Key, owns int64, u store.Update, with ...store.Write) error {
	u.Add = map[string]int64{"ver": 1}
	writes := append([]store.Write{{Tenant: t, Table: store.Identity, Key: key, Update: &u}}, with...)
	if owns != 0 {
		writes = append(writes, owners(t, owns))
	}
	err := m.DB.Transact(ctx, writes...)
	var c *store.ConflictError
	switch {
	case errors.As(err, &c) && owns < 0 && c.Write == len(writes)-1:
		return errLastOwner
	case errors.Is(err, store.ErrConflict):
		return moved(err)
	case err != nil:
		return fmt.Errorf("identity: change member: %w", err)
	}
	return nil
}
