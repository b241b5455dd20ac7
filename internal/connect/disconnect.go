package connect

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Disconnect ends a connection: its refresh tokens are destroyed, its seller is
// free to be connected elsewhere, and its lane parks when it next asks for an
// access token, at the end of a worker's minute at most. Offers and history stay.
// The seller may consent again, which makes it active anew.
//
// Amazon has no call that withdraws an authorisation: that is left to the seller,
// at RevokeAt. Repeating it finishes one that was interrupted.
func (s *Service) Disconnect(ctx context.Context, actor string, t tenant.ID, id price.ConnectionID) (Connection, error) {
	c, err := s.Get(ctx, t, id)
	if err != nil {
		return Connection{}, err
	}
	if c.State != Disconnected {
		// 1. Nobody uses it any more. A consent that is being finished finds another
		// authorisation than it began with, and destroys what it made.
		if err := s.close(ctx, actor, t, c); err != nil {
			return Connection{}, err
		}
	}
	// 2. Destroy what could be used. After a crash before this the connection shows
	// as disconnected and its tokens are still there: repeating it destroys them.
	b := begun{tenant: t, connection: id, actor: actor}
	if err := s.discard(ctx, b, 1, c.Consents); err != nil {
		return Connection{}, fault.New(fault.Unavailable, "tokens",
			"The connection is disconnected and nothing is sent any more, but its keys could not be destroyed just now. Repeat the request.").Because(err)
	}
	return s.Get(ctx, t, id)
}

func (s *Service) close(ctx context.Context, actor string, t tenant.ID, c Connection) error {
	was := store.Missing(aGrant)
	if c.Grant != 0 {
		was = store.Eq(aGrant, c.Grant)
	}
	writes := []store.Write{{Tenant: t, Table: store.Connections, Key: connectionKey(c.ID), Update: &store.Update{
		Set:    map[string]any{aState: string(Disconnected), aClosed: store.Millis(s.Clock.Now()), aActor: actor},
		Remove: []string{aGrant, aReason},
		If:     []store.Cond{store.Exists(), was},
	}}}
	if c.Seller != "" {
		writes = append(writes, store.Write{Tenant: store.Directory, Table: store.Connections, Key: claimKey(c.Region, c.Seller), Delete: true,
			If: []store.Cond{store.Eq(aTenant, string(t)), store.Eq(aConnection, string(c.ID))}})
	}
	err := s.DB.Transact(ctx, writes...)
	if errors.Is(err, store.ErrConflict) {
		return fault.New(fault.Conflict, "moved", "The connection was authorised or disconnected at the same time. Look at it, and repeat the request if needed.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("connect: disconnect: %w", err)
	}
	return nil
}

// DisconnectAll disconnects every connection of a tenant, one after the other:
// what erasure does before it deletes. Repeating it finishes one that was
// interrupted.
func (s *Service) DisconnectAll(ctx context.Context, actor string, t tenant.ID) error {
	all, err := s.List(ctx, t)
	if err != nil {
		return err
	}
	for _, c := range all {
		if _, err := s.Disconnect(ctx, actor, t, c.ID); err != nil {
			return fmt.Errorf("connect: disconnect %s: %w", c.ID, err)
		}
	}
	return nil
}
