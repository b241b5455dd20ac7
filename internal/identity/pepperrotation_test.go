package identity_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
)

const pepperName = "pm/pepper"

// rotating is a world whose peppers rotate in a vault. Each of its keys stands
// for an instance that keeps the peppers for five minutes.
type rotating struct {
	*world
	vault    *vault.Vault
	rotation identity.PepperRotation
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	r := &rotating{world: setup(t), vault: &vault.Vault{}}
	if err := r.vault.Put(t.Context(), pepperName, oldPepper); err != nil {
		t.Fatal(err)
	}
	r.rotation = identity.PepperRotation{Vault: r.vault, Name: pepperName, Clock: r.clock, Random: rand.Reader}
	return r
}

func (r *rotating) instance() *identity.Keys {
	return identity.NewKeys(r.db, identity.PeppersFrom(secret.NewCached(r.vault, r.clock, 5*time.Minute), pepperName), r.clock, rand.Reader).Sealing(r.sealer)
}

func (r *rotating) peppers(t *testing.T) []string {
	t.Helper()
	v, err := r.vault.Get(t.Context(), pepperName)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(v.Reveal())
}

func TestEveryInstanceAcceptsEveryKeyWhilePeppersRotate(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	a, b := r.instance(), r.instance()
	var keys []secret.Value
	for range 20 {
		for _, k := range []*identity.Keys{a, b} {
			_, key, err := k.Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead})
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		if err := r.rotation.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(time.Second)
		// One instance hears of the new pepper, moves keys to it, and the other
		// one has to go on accepting them.
		c := r.instance()
		for i, key := range keys {
			for n, k := range []*identity.Keys{c, a, b} {
				if _, err := k.Authenticate(t.Context(), key); err != nil {
					t.Fatalf("key %d at instance %d: %v", i, n, err)
				}
			}
		}
	}
	if n := len(r.peppers(t)); n != 21 {
		t.Errorf("%d peppers", n)
	}
}

func TestAKeyThatIsUsedMovesToTheNewestPepper(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	_, key, err := r.instance().Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rotation.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.instance().Authenticate(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	newest := secret.New(r.peppers(t)[0])
	r.world.peppers = []secret.Value{newest}
	if _, err := r.keys.Authenticate(t.Context(), key); err != nil {
		t.Errorf("under the newest pepper alone: %v", err)
	}
	r.world.peppers = []secret.Value{oldPepper}
	_, err = r.keys.Authenticate(t.Context(), key)
	wantKind(t, err, fault.Unauthenticated)
}

func TestAPepperIsDroppedOnlyWhenEveryKeyUnderItHasExpired(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	if err := r.rotation.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// An instance that has not heard of the rotation makes keys under the old one.
	r.clock.Advance(5 * time.Minute)
	r.clock.Advance(identity.KeyLife)
	if err := r.rotation.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := r.peppers(t); len(list) != 3 || list[2] != oldPepper.Reveal() {
		t.Fatalf("%d peppers: the first went too early", len(list))
	}
	r.clock.Advance(24 * time.Hour)
	if err := r.rotation.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := r.peppers(t); len(list) != 3 || list[2] == oldPepper.Reveal() {
		t.Errorf("%d peppers, the first is still there", len(list))
	}
}

func TestPeppersRotateByThemselvesOnceAQuarter(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	for day, want := range map[int]bool{0: true, 1: false} {
		r := newRotating(t)
		if day == 1 {
			if _, err := r.rotation.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.clock.Advance(identity.PepperEvery - time.Second)
		}
		if did, err := r.rotation.Tick(t.Context()); err != nil || did != want {
			t.Errorf("day %d: %v, %v", day, did, err)
		}
	}
	for want := 2; want < 5; want++ {
		if did, err := r.rotation.Tick(t.Context()); err != nil || !did || len(r.peppers(t)) != want {
			t.Errorf("%v, %v, %d peppers", did, err, len(r.peppers(t)))
		}
		r.clock.Advance(identity.PepperEvery)
	}
}

func TestAPepperRotationThatIsKilledAnywhereIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for _, applied := range []bool{false, true} {
		for point := 0; ; point++ {
			r := newRotating(t)
			_, key, err := r.instance().Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			r.vault.Hook = func(op, _ string) (bool, error) {
				if n++; n == point+1 {
					return applied, killed
				}
				return true, nil
			}
			err = r.rotation.Rotate(t.Context())
			r.vault.Hook = nil
			if err == nil {
				if point < 5 {
					t.Fatalf("only %d operations", n)
				}
				break
			}
			if _, err := r.instance().Authenticate(t.Context(), key); err != nil {
				t.Errorf("killed at %d: %v", point, err)
			}
			r.clock.Advance(time.Second)
			if _, err := r.rotation.Tick(t.Context()); err != nil {
				t.Fatalf("killed at %d, applied %v: the next one: %v", point, applied, err)
			}
			if _, err := r.instance().Authenticate(t.Context(), key); err != nil {
				t.Errorf("killed at %d, then finished: %v", point, err)
			}
			if list := r.peppers(t); len(list) != 2 || list[1] != oldPepper.Reveal() {
				t.Errorf("killed at %d, applied %v: %d peppers", point, applied, len(list))
			}
		}
	}
}

func TestTwoPepperRotationsAtOnceLoseNone(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	version := func(n int) string { return fmt.Sprintf("%032d", n) }
	// Both make their list from the same one; the second finishes after the first.
	for n := 1; n <= 2; n++ {
		if err := r.rotation.Step(t.Context(), secret.Create, version(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.rotation.Step(t.Context(), secret.Finish, version(2)); err != nil {
		t.Fatal(err)
	}
	first := r.peppers(t)[0]
	if err := r.rotation.Step(t.Context(), secret.Finish, version(1)); !errors.Is(err, secret.ErrMoved) {
		t.Errorf("finished over a list it had not seen: %v", err)
	}
	if list := r.peppers(t); list[0] != first {
		t.Error("the pepper in use is gone")
	}
	if _, err := clockless(r).Tick(t.Context()); err != nil {
		t.Error(err)
	}
}

func clockless(r *rotating) identity.PepperRotation {
	later := r.rotation
	later.Clock = clock.NewManual(r.clock.Now().Add(identity.PepperEvery))
	return later
}
