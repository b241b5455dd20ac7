package privacy_test

import (
	"errors"
	"testing"

	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestTheDoorsCloseWithTheStartOfAnErasureAndStayClosed(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	doors := privacy.Doors{DB: w.db}
	late := func(id tenant.ID) error {
		return w.db.Transact(ctx, doors.Open(id), store.Write{Tenant: id, Table: store.Offers, Put: &store.Item{Key: store.Key{PK: "late", SK: "x"}}})
	}
	closed := func(id tenant.ID, want bool) {
		t.Helper()
		if is, err := doors.Closed(ctx, id); err != nil || is != want {
			t.Errorf("closed for %s: %t, %v; want %t", id, is, err, want)
		}
		if err := late(id); errors.Is(err, store.ErrConflict) != want || err != nil && !want {
			t.Errorf("a write for %s: %v; want it refused: %t", id, err, want)
		}
	}
	e := w.request(t, tenantA)
	closed(tenantA, false) // it can still be taken back
	w.clock.Advance(privacy.CoolingOff)
	states := map[privacy.State]bool{}
	w.db.Hook = func(memory.Op) (bool, error) {
		if now, err := w.Get(ctx, e.ID); err == nil && now.State != privacy.Cooling && !states[now.State] {
			states[now.State] = true
			if is, err := doors.Closed(ctx, tenantA); err != nil || !is {
				t.Errorf("%s: the doors are open, %v", now.State, err)
			}
		}
		return true, nil
	}
	w.finish(t, e.ID)
	w.db.Hook = nil
	for _, s := range []privacy.State{privacy.Closing, privacy.Revoking, privacy.Deleting, privacy.Shredding, privacy.Settling} {
		if !states[s] {
			t.Errorf("state %s was not seen", s)
		}
	}
	closed(tenantA, true)
	closed(tenantB, false)

	restored := memory.New(w.clock) // of a time before the request
	if _, err := w.over(restored).Replay(ctx); err != nil {
		t.Fatal(err)
	}
	if is, err := (privacy.Doors{DB: restored}).Closed(ctx, tenantA); err != nil || !is {
		t.Errorf("after a restore and a replay the doors are open: %v", err)
	}
}
