package connect_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/store/memory"
)

// justBefore runs first once, just before the next write of that kind.
func (w *world) justBefore(kind memory.OpKind, first func()) {
	armed := true
	w.db.Hook = func(op memory.Op) (bool, error) {
		if armed && op.Kind == kind {
			armed = false
			first()
		}
		return true, nil
	}
}

func TestOfTwoTenantsWithOneSellerTheSecondToWriteIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ours, ourAddress := w.start(alpha)
	theirs, theirAddress := w.start(beta)
	r1, r2 := w.consent(ourAddress, seller1), w.consent(theirAddress, seller1)
	w.justBefore(memory.Transact, func() {
		if _, err := w.service.Callback(t.Context(), r2); err != nil {
			t.Error(err)
		}
	})
	_, err := w.service.Callback(t.Context(), r1)
	refused(t, err, fault.Conflict, "moved")
	if c := w.get(alpha, ours); c.State != connect.Pending {
		t.Errorf("the loser is %s", c.State)
	}
	w.works(beta, w.get(beta, theirs))
	if names := w.vault.Names(); !slices.Equal(names, []string{prefix + "t_beta22/" + string(theirs) + "/1"}) {
		t.Errorf("vault holds %v", names)
	}
}

func TestOfTwoConsentsForOneConnectionOneCountsAndItsTokenStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	_, other, err := w.service.StartAgain(t.Context(), "key:tester", alpha, id)
	if err != nil {
		t.Fatal(err)
	}
	r1, r2 := w.consent(address, seller1), w.consent(other, seller2)
	w.justBefore(memory.Transact, func() {
		if _, err := w.service.Callback(t.Context(), r2); err != nil {
			t.Error(err)
		}
	})
	_, err = w.service.Callback(t.Context(), r1)
	refused(t, err, fault.Conflict, "moved")
	c := w.get(alpha, id)
	if c.Seller != seller2 || c.Grant != 2 {
		t.Errorf("connection %+v", c)
	}
	w.works(alpha, c)
	if names := w.vault.Names(); !slices.Equal(names, []string{fmt.Sprintf("%st_alpha1/%s/2", prefix, id)}) {
		t.Errorf("vault holds %v", names)
	}
	w.connect(beta, seller1) // was not claimed by the one that lost
}

func TestAStateReadTwiceIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	r := w.consent(address, seller1)
	w.justBefore(memory.Delete, func() {
		if _, err := w.service.Callback(t.Context(), r); err != nil {
			t.Error(err)
		}
	})
	_, err := w.service.Callback(t.Context(), r)
	refused(t, err, fault.Invalid, "consent")
	w.works(alpha, w.get(alpha, id))
}

// The activation is written but its answer is lost: nobody knows, so the token
// must stay.
func TestAnActivationWithoutAnAnswerKeepsItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	r := w.consent(address, seller1)
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Kind == memory.Transact {
			return true, errors.New("answer lost")
		}
		return true, nil
	}
	_, err := w.service.Callback(t.Context(), r)
	refused(t, err, fault.Unavailable, "unsure")
	c := w.get(alpha, id)
	if c.State != connect.Active {
		t.Fatalf("connection is %s", c.State)
	}
	w.works(alpha, c)
}
