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

// Settings are what a tenant's owners decide about it: its name, and whom to write to
// about security and about data protection. Either contact may be empty: then the
// owners are written to.
type Settings struct {
	Name     personal.Sensitive[string]
	Security personal.Sensitive[string]
	Privacy  personal.Sensitive[string]
	Ver      int64 // 0 until they were changed first
}

func (v *Settings) parts() map[*personal.Sensitive[string]]personal.Field {
	return map[*personal.Sensitive[string]]personal.Field{
		&v.Name: personal.CompanyName, &v.Security: personal.ContactSecurity, &v.Privacy: personal.ContactPrivacy,
	}
}

// Settings returns them, or store.ErrNotFound.
func (s *Tenants) Settings(ctx context.Context, id tenant.ID) (Settings, error) {
	it, err := s.db.Get(ctx, id, store.Identity, tenantKey)
	if errors.Is(err, store.ErrNotFound) {
		return Settings{}, err
	}
	if err != nil {
		return Settings{}, fmt.Errorf("identity: settings: %w", err)
	}
	out := Settings{Ver: it.Int("ver")}
	for v, f := range out.parts() {
		sealed := it.Bytes(f.Attr)
		if len(sealed) == 0 {
			continue
		}
		if *v, err = personal.Open[string](ctx, s.sealer, id, f, it.Key, sealed); err != nil {
			return Settings{}, fmt.Errorf("identity: settings: %w", err)
		}
	}
	return out, nil
}

// Change replaces the settings, if they are still those of next.Ver, and returns them.
func (s *Tenants) Change(ctx context.Context, id tenant.ID, actor string, next Settings) (Settings, error) {
	name, err := CleanName(next.Name.Reveal())
	if err != nil {
		return Settings{}, err
	}
	next.Name = personal.New(name)
	for _, contact := range []*personal.Sensitive[string]{&next.Security, &next.Privacy} {
		if contact.Reveal() == "" {
			*contact = personal.Sensitive[string]{}
			continue
		}
		clean, err := CleanMail(contact.Reveal())
		if err != nil {
			return Settings{}, err
		}
		*contact = personal.New(clean)
	}
	u := store.Update{
		Set: map[string]any{"changedAt": store.Millis(s.clock.Now()), "changedBy": actor},
		Add: map[string]int64{"ver": 1},
		If:  []store.Cond{store.Exists(), store.Eq("ver", next.Ver)},
	}
	if next.Ver == 0 {
		u.If[1] = store.Missing("ver")
	}
	for v, f := range next.parts() {
		if v.Empty() {
			u.Remove = append(u.Remove, f.Attr)
			continue
		}
		if u.Set[f.Attr], err = personal.Seal(ctx, s.sealer, id, f, tenantKey, *v); err != nil {
			return Settings{}, fmt.Errorf("identity: settings: %w", err)
		}
	}
	_, err = s.db.Update(ctx, id, store.Identity, tenantKey, u)
	if errors.Is(err, store.ErrConflict) {
		return Settings{}, fault.New(fault.Conflict, "tenant-moved", "Somebody changed the settings in the meantime. Read them again.").Because(err)
	}
	if err != nil {
		return Settings{}, fmt.Errorf("identity: settings: %w", err)
	}
	next.Ver++
	return next, nil
}
