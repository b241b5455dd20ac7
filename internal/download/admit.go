package download

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// AtOnce is how many downloads of a tenant are made at a time. One of a million
	// offers occupies a function for minutes; whoever asks again and again, because
	// the first answer has no file yet, would keep the others waiting.
	AtOnce = 5
	// admissions is how often somebody else may be admitted in between.
	admissions = 5
)

// admittedKey is the item that names those which were admitted last. Nothing takes a
// download off when it ends: whether it is being made its own item says.
func admittedKey() store.Key { return store.Key{PK: "downloads-running", SK: "now"} }

const aIDs = "ids"

// admit keeps a new download, unless enough are being made. The two items are one
// write, so that of many who ask at once AtOnce are admitted.
func (s *Store) admit(ctx context.Context, t tenant.ID, it store.Item) error {
	for range admissions {
		running, unchanged, err := s.running(ctx, t)
		if err != nil {
			return err
		}
		if len(running) >= AtOnce {
			return fault.New(fault.Conflict, "downloads-running", "%d downloads are being made, the most at a time: %s. Wait until one of them is done, and ask for this one then.",
				len(running), strings.Join(running, ", ")).With("downloads", running)
		}
		ids, err := json.Marshal(append(running, it.SK))
		if err != nil {
			return fmt.Errorf("download: encode: %w", err)
		}
		err = s.DB.Transact(ctx,
			store.Write{Tenant: t, Table: store.Offers, Put: &it, If: []store.Cond{store.Absent()}},
			store.Write{Tenant: t, Table: store.Offers, Put: &store.Item{Key: admittedKey(), Attrs: map[string]any{aIDs: ids, aTTL: s.Clock.Now().Add(Keep).Unix()}},
				If: []store.Cond{unchanged}})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("download: keep request: %w", err)
		}
		return nil
	}
	return fault.New(fault.Unavailable, "", "Too many downloads are being asked for at this moment. Try again.")
}

// running returns which downloads are being made, and what holds as long as none was
// admitted since. One that is not there after a day never will be.
func (s *Store) running(ctx context.Context, t tenant.ID) (ids []string, unchanged store.Cond, err error) {
	it, err := s.DB.Get(ctx, t, store.Offers, admittedKey())
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.Absent(), nil
	}
	if err != nil {
		return nil, store.Cond{}, fmt.Errorf("download: read what is being made: %w", err)
	}
	var last []string
	if err := json.Unmarshal(it.Bytes(aIDs), &last); err != nil {
		return nil, store.Cond{}, fmt.Errorf("download: what is being made: %w", err)
	}
	for _, id := range last {
		d, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, store.Cond{}, fmt.Errorf("download: read %s: %w", id, err)
		case State(d.Str(aState)) == Running && s.Clock.Now().Before(d.Time(aAt).Add(Keep)):
			ids = append(ids, id)
		}
	}
	return ids, store.Eq(aIDs, it.Bytes(aIDs)), nil
}
