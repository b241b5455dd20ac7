package privacy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// left are the users of a tenant that the sign-in provider has.
func (w *erasing) left(t tenant.ID) (ids []string) {
	for id, of := range w.users {
		if of == t {
			ids = append(ids, id)
		}
	}
	return ids
}

// The item goes after its user: with a provider that fails again and again, none is
// forgotten. Whoever joins while the erasure goes on is found too.
func TestAnErasureDeletesEveryUserAtTheSignInProvider(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	if len(w.left(tenantA)) != 3 || len(w.left(tenantB)) != 3 {
		t.Fatal(w.users)
	}
	w.CoolingOff = 0
	calls, remove := 0, w.DeleteUser
	w.DeleteUser = func(ctx context.Context, member string) error {
		if calls++; calls%2 == 1 {
			return errors.New("the provider is down")
		}
		if calls == 4 { // a last request, that was let in before
			w.users["m-late"] = tenantA
			if err := w.db.Put(ctx, tenantA, store.Identity, store.Item{Key: store.Key{PK: "members", SK: "m-late"}}); err != nil {
				t.Error(err)
			}
		}
		return remove(ctx, member)
	}
	e := w.request(t, tenantA)
	done, failures := w.finish(t, e.ID)
	if done.State != privacy.Done || failures == 0 || len(w.left(tenantA)) != 0 {
		t.Errorf("%s after %d failures, users %v", done.State, failures, w.left(tenantA))
	}
	if got := w.left(tenantB); len(got) != 3 {
		t.Errorf("of the other tenant there are %v", got)
	}
	if found := traces(t, w.db, w.blobs, w.queue, tenantA); len(found) > 0 {
		t.Error(found)
	}
}

func TestAnErasureWithoutTheSignInProviderDoesNotBegin(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	w.DeleteUser = nil
	e := w.request(t, tenantA)
	w.clock.Advance(privacy.CoolingOff)
	if err := w.Run(t.Context(), tenantA, e.ID); err == nil {
		t.Error("ran")
	}
	if got := w.left(tenantA); len(got) != 3 || !slices.Contains(got, "m-"+plain(tenantA, "removed")) {
		t.Error(got)
	}
}
