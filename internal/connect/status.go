package connect

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// laneActor is who the ledger names for what the sync engine reports.
const laneActor = "lane"

// RequestImport asks for the connection's catalogue to be read, and returns the
// connection. Asking again while it is being read rings again, which repairs a
// lost doorbell and does nothing else.
func (s *Service) RequestImport(ctx context.Context, actor string, t tenant.ID, id price.ConnectionID) (Connection, error) {
	c, err := s.Get(ctx, t, id)
	if err != nil {
		return Connection{}, err
	}
	if c.State != Active {
		return Connection{}, ErrNotAuthorised
	}
	if err := s.requestImport(ctx, t, id, actor); err != nil {
		return Connection{}, err
	}
	return s.Get(ctx, t, id)
}

// requestImport marks the import as running, then starts it. A crash in between
// leaves it marked and not started, until somebody asks again; the other order
// would let the end of a short import be overwritten by its beginning.
func (s *Service) requestImport(ctx context.Context, t tenant.ID, id price.ConnectionID, actor string) error {
	_, err := s.DB.Update(ctx, t, store.Connections, connectionKey(id), store.Update{
		Set: map[string]any{
			aImport: string(ImportRunning), aKnown: int64(0), aRequested: int64(0),
			aImportAt: store.Millis(s.Clock.Now()), aActor: actor,
		},
		If: []store.Cond{store.Eq(aState, string(Active)), store.Ne(aImport, string(ImportRunning))},
	})
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: it is running already
		return fmt.Errorf("connect: mark import: %w", err)
	}
	if err := s.Importer.RequestImport(ctx, t, id); err != nil {
		return fmt.Errorf("connect: start import: %w", err)
	}
	return nil
}

// ImportProgress tells how many of the requested offers are known. News of an
// import that nobody asked for (the daily one) or that has ended (they come
// from a worker that was replaced) are dropped.
func (s *Service) ImportProgress(ctx context.Context, t tenant.ID, id price.ConnectionID, known, requested int64) error {
	return s.importNews(ctx, t, id, store.Eq(aImport, string(ImportRunning)), map[string]any{aKnown: known, aRequested: requested})
}

// ImportDone ends the import. Repeating it changes nothing but the time.
func (s *Service) ImportDone(ctx context.Context, t tenant.ID, id price.ConnectionID, known int64) error {
	return s.importNews(ctx, t, id, store.Exists(), map[string]any{
		aImport: string(ImportDone), aKnown: known, aRequested: known, aActor: laneActor,
	})
}

// ImportFailed ends an import that is running without a result.
func (s *Service) ImportFailed(ctx context.Context, t tenant.ID, id price.ConnectionID) error {
	return s.importNews(ctx, t, id, store.Eq(aImport, string(ImportRunning)), map[string]any{
		aImport: string(ImportFailed), aActor: laneActor,
	})
}

func (s *Service) importNews(ctx context.Context, t tenant.ID, id price.ConnectionID, cond store.Cond, set map[string]any) error {
	set[aImportAt] = store.Millis(s.Clock.Now())
	_, err := s.DB.Update(ctx, t, store.Connections, connectionKey(id), store.Update{Set: set, If: []store.Cond{cond}})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("connect: import news: %w", err)
	}
	return nil
}

// maxReason bounds what is kept of Amazon's words.
const maxReason = 500

// MarkReauthorise records that Amazon no longer accepts the authorisation that
// a was used with. A later authorisation is not touched: a refusal may be
// older than the consent that has repaired it.
func (s *Service) MarkReauthorise(ctx context.Context, a amazon.Account, reason string) error {
	_, err := s.DB.Update(ctx, a.Tenant, store.Connections, connectionKey(a.Connection), store.Update{
		Set: map[string]any{aState: string(Reauthorise), aReason: clip(reason), aActor: laneActor},
		If:  []store.Cond{store.Eq(aState, string(Active)), store.Eq(aGrant, a.Grant)},
	})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("connect: mark reauthorise: %w", err)
	}
	return nil
}

// Owner returns the tenant and the connection that a seller account belongs to.
// It is for notifications of Amazon, which name a seller and no tenant; an
// account that nobody has connected is ErrNotFound.
func (s *Service) Owner(ctx context.Context, r price.Region, seller string) (tenant.ID, price.ConnectionID, error) {
	it, err := s.DB.Get(ctx, store.Directory, store.Connections, claimKey(r, seller))
	if errors.Is(err, store.ErrNotFound) {
		return "", "", ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("connect: owner: %w", err)
	}
	return tenant.ID(it.Str(aTenant)), price.ConnectionID(it.Str(aConnection)), nil
}
