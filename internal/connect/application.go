package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
)

// What is known about the application's own credentials, in the directory: it
// is nobody's. The role of amazon-events may write this one partition key.
const (
	applicationPK = "application"
	secretSK      = "client-secret"

	aEnds, aNoticed = "ends", "noticed"
	aAsked          = "asked" // when Amazon was asked for a new secret that has not come yet
)

func applicationKey() store.Key { return store.Key{PK: applicationPK, SK: secretSK} }

// SecretEnds records that Amazon will refuse the application's client secret
// from a time on. It reports false for a notice that is older than what is
// known; the same one again is no older.
func (s *Service) SecretEnds(ctx context.Context, at time.Time) (bool, error) {
	_, err := s.DB.Update(ctx, store.Directory, store.Connections, applicationKey(), store.Update{
		Set: map[string]any{aEnds: store.Millis(at), aNoticed: store.Millis(s.Clock.Now())},
		If:  []store.Cond{store.AnyOf(store.Missing(aEnds), store.Le(aEnds, store.Millis(at)))},
	})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("connect: record the secret's end: %w", err)
	}
	return true, nil
}

// SecretEnd returns when Amazon will refuse the client secret, and whether it
// has said so.
func (s *Service) SecretEnd(ctx context.Context) (time.Time, bool, error) {
	it, err := s.DB.Get(ctx, store.Directory, store.Connections, applicationKey())
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("connect: read the secret's end: %w", err)
	}
	return it.Time(aEnds), true, nil
}
