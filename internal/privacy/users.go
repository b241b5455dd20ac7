package privacy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// userPKs are the items by which users at the sign-in provider are found: members, those
// too that were removed and may still have a user, and tickets, which may have made a
// user that did not become a member.
func userPKs() []string { return []string{personal.MembersPK, personal.TicketsPK} }

// namesUser reports whether a sweep leaves the item to dismiss.
func (x *Erasures) namesUser(table store.Table, key store.Key) bool {
	return x.DeleteUser != nil && table == store.Identity && slices.Contains(userPKs(), key.PK)
}

// dismiss deletes the tenant's users at the sign-in provider, and each one's item after
// its user: the item is all that names the user, and as long as it is there the next
// attempt goes on from it. Nothing else deletes such an item.
func (x *Erasures) dismiss(ctx context.Context, t tenant.ID) (gone int64, err error) {
	if x.DeleteUser == nil {
		return 0, nil
	}
	for _, pk := range userPKs() {
		for after := ""; ; {
			page, err := x.DB.Query(ctx, t, store.Identity, store.Query{PK: pk, After: after})
			if err != nil {
				return gone, fmt.Errorf("list users: %w", err)
			}
			for _, it := range page.Items {
				id := it.Str("member")
				if pk == personal.MembersPK {
					id = it.SK
				}
				if id != "" {
					if err := x.DeleteUser(ctx, id); err != nil {
						return gone, fmt.Errorf("user %s: %w", id, err)
					}
				}
				if err := x.DB.Delete(ctx, t, store.Identity, it.Key); err != nil {
					return gone, fmt.Errorf("item of user %s: %w", id, err)
				}
				gone++
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	return gone, nil
}

// errNoProvider: an erasure that would leave the users, and forget who they were.
var errNoProvider = errors.New("privacy: the sign-in provider is not at hand, whose users have to go first")
