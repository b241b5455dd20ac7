package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// names is where the tests' fields rest.
var names = envelope.Place{Purpose: envelope.Members, Table: store.Identity, PK: "member", Field: "name"}

// field writes a name of tenant A sealed by s, as a room does.
func field(tb testing.TB, w *world, s *envelope.Sealer, sk, plain string) {
	tb.Helper()
	key := store.Key{PK: names.PK, SK: sk}
	b, err := s.Seal(ctx, tenantA, names.Purpose, envelope.Where{Table: names.Table, Key: key, Field: names.Field}, []byte(plain))
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.db.Put(ctx, tenantA, names.Table, store.Item{Key: key, Attrs: map[string]any{names.Field: b}}); err != nil {
		tb.Fatal(err)
	}
}

// read opens every name of tenant A in a process of its own.
func read(tb testing.TB, w *world) map[string]string {
	tb.Helper()
	page, err := w.db.Query(ctx, tenantA, names.Table, store.Query{PK: names.PK})
	if err != nil {
		tb.Fatal(err)
	}
	got, s := map[string]string{}, w.sealer()
	for _, item := range page.Items {
		plain, err := s.Open(ctx, tenantA, names.Purpose, envelope.Where{Table: names.Table, Key: item.Key, Field: names.Field}, item.Bytes(names.Field))
		if err != nil {
			tb.Fatalf("%s: %v", item.SK, err)
		}
		got[item.SK] = string(plain)
	}
	return got
}

func TestOpeningAndSealingAreOneKMSCallTogether(t *testing.T) {
	t.Parallel()
	w := newWorld()
	sealed := seal(t, w.sealer(), "x")
	s := w.sealer()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := s.Open(ctx, tenantA, envelope.Members, here, sealed); err != nil {
				t.Error(err)
			}
			seal(t, s, "y")
		})
	}
	wg.Wait()
	if g, d := w.kms.Calls("generate"), w.kms.Calls("decrypt"); g != 1 || d != 1 {
		t.Errorf("%d generate and %d decrypt calls, want the writer's 1 and the reader's 1", g, d)
	}
}

func TestRotationIsDoneOnceAndOldFieldsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld()
	field(t, w, w.sealer(), "m1", "old")
	w.clock.Advance(time.Hour)
	since := w.clock.Now()
	var wg sync.WaitGroup
	for range 8 { // operators at once, each repeated
		wg.Go(func() {
			s := w.sealer()
			for range 2 {
				if v, err := s.Rotate(ctx, tenantA, envelope.Members, since); err != nil || v != 2 {
					t.Errorf("version %d, %v", v, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(keys(t, w, tenantA)); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
	if got := read(t, w); got["m1"] != "old" {
		t.Errorf("read %v", got)
	}
	if v, err := w.sealer().Rotate(ctx, tenantB, envelope.Members, since); v != 0 || err != nil {
		t.Errorf("a tenant without keys: version %d, %v", v, err)
	}
}

func TestRewrappedKeysOpenWhenTheOldKMSKeyIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	field(t, w, s, "m1", "one")
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, start); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	field(t, w, s, "m2", "two")
	w.clock.Advance(time.Hour)
	before := w.clock.Now()
	w.kms.Renew()
	// Killed at the first write, then at the second, before and after its effect.
	for cut := range 4 {
		n := 0
		w.db.Hook = func(memory.Op) (bool, error) {
			if n++; n > cut/2 {
				return cut%2 == 1, errors.New("killed")
			}
			return true, nil
		}
		_, _ = w.sealer().Rewrap(ctx, w.kms, tenantA, before)
		w.db.Hook = nil
		if got := read(t, w); got["m1"] != "one" || got["m2"] != "two" {
			t.Fatalf("killed at write %d: %v", cut/2, got)
		}
	}
	if _, err := w.sealer().Rewrap(ctx, w.kms, tenantA, before); err != nil {
		t.Fatal(err)
	}
	calls := w.kms.Calls("rewrap")
	if n, err := w.sealer().Rewrap(ctx, w.kms, tenantA, before); n != 0 || err != nil || w.kms.Calls("rewrap") != calls {
		t.Errorf("a second run rewrapped %d keys, %v", n, err)
	}
	w.kms.Retire()
	if got := read(t, w); got["m1"] != "one" || got["m2"] != "two" {
		t.Errorf("without the old KMS key: %v", got)
	}
	versions, err := s.Versions(ctx, tenantA)
	if err != nil || len(versions) == 0 || versions[0].KMSKey != "memory-1" || versions[0].Current || !versions[len(versions)-1].Current {
		t.Errorf("versions %+v, %v", versions, err)
	}
}

func TestRewrappingBringsNoErasedKeyBack(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	seal(t, s, "x")
	w.clock.Advance(time.Hour)
	erase := rewrapper(func(wrapped []byte) ([]byte, string, error) {
		return wrapped, "anew", w.sealer().Shred(ctx, tenantA)
	})
	if n, err := s.Rewrap(ctx, erase, tenantA, w.clock.Now()); n != 0 || err != nil {
		t.Errorf("rewrapped %d, %v", n, err)
	}
	if left, err := s.Versions(ctx, tenantA); !errors.Is(err, envelope.ErrErased) {
		t.Errorf("keys left: %+v, %v", left, err)
	}
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); !errors.Is(err, envelope.ErrErased) {
		t.Errorf("rotating an erased tenant: %v", err)
	}
}

type rewrapper func([]byte) ([]byte, string, error)

func (f rewrapper) Rewrap(_ context.Context, wrapped []byte, _ map[string]string) ([]byte, string, error) {
	return f(wrapped)
}

func TestAVersionIsDestroyedOnlyWhenNothingNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	places := []envelope.Place{names}
	field(t, w, s, "m1", "one")
	w.clock.Advance(time.Minute)
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	destroyed := func() int {
		t.Helper()
		gone, err := w.sealer().Destroy(ctx, tenantA, places)
		if err != nil {
			t.Fatal(err)
		}
		return len(gone)
	}
	w.clock.Advance(envelope.Settled + envelope.Kept - time.Millisecond)
	if n, err := w.sealer().Reseal(ctx, tenantA, names); n != 1 || err != nil {
		t.Fatalf("resealed %d, %v", n, err)
	}
	if destroyed() != 0 {
		t.Error("gone although a restored table may need it")
	}
	w.clock.Advance(time.Millisecond)
	if destroyed() != 1 || destroyed() != 0 {
		t.Error("the old version is not destroyed once")
	}
	if got := read(t, w); got["m1"] != "one" {
		t.Errorf("read %v", got)
	}
	// A place that cannot be written again keeps its versions for good.
	fixed := names
	fixed.Fixed = true
	places = []envelope.Place{fixed}
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * (envelope.Settled + envelope.Kept))
	if n, err := s.Reseal(ctx, tenantA, fixed); n != 0 || err != nil {
		t.Errorf("resealed %d of a fixed place, %v", n, err)
	}
	destroyed()
	if got := read(t, w); got["m1"] != "one" {
		t.Errorf("read %v from a fixed place", got)
	}
	uses, err := s.Usage(ctx, tenantA, places)
	if err != nil || !slices.ContainsFunc(uses, func(u envelope.Use) bool { return u.Fields == 1 && u.Fixed && !u.Current }) {
		t.Errorf("uses %+v, %v", uses, err)
	}
}

func TestAVersionWithFieldsStaysHoweverOld(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	field(t, w, s, "m1", "one")
	w.clock.Advance(time.Minute)
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(100 * envelope.Kept)
	if gone, err := s.Destroy(ctx, tenantA, []envelope.Place{names}); len(gone) != 0 || err != nil {
		t.Errorf("destroyed %+v, %v", gone, err)
	}
	if got := read(t, w); got["m1"] != "one" {
		t.Errorf("read %v", got)
	}
}

// TestNoFieldIsEverLost: whatever order processes write, rotate, rewrap, reseal,
// destroy and are killed in, every field that was written opens to what was
// written last.
func TestNoFieldIsEverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		want := map[string]string{}
		processes := []*envelope.Sealer{w.sealer(), w.sealer(), w.sealer()}
		process := func() *envelope.Sealer { return rapid.SampledFrom(processes).Draw(rt, "process") }
		n := 0
		// killed runs a job that dies at one of its next writes, or does not.
		killed := func(job func(s *envelope.Sealer) error) {
			left, after := rapid.IntRange(0, 6).Draw(rt, "writes"), rapid.Bool().Draw(rt, "after")
			died := errors.New("killed")
			w.db.Hook = func(memory.Op) (bool, error) {
				if left--; left < 0 {
					return after && left == -1, died
				}
				return true, nil
			}
			err := job(process())
			w.db.Hook = nil
			if err != nil && !errors.Is(err, died) {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				n++
				sk := rapid.SampledFrom([]string{"m1", "m2", "m3", "m4"}).Draw(rt, "member")
				want[sk] = fmt.Sprint("name ", n)
				field(t, w, process(), sk, want[sk])
			},
			"rotate": func(*rapid.T) {
				killed(func(s *envelope.Sealer) error {
					_, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now())
					return err
				})
			},
			"renew the KMS key": func(*rapid.T) { w.kms.Renew() },
			"rewrap": func(*rapid.T) {
				killed(func(s *envelope.Sealer) error {
					_, err := s.Rewrap(ctx, w.kms, tenantA, w.clock.Now())
					return err
				})
			},
			"reseal": func(*rapid.T) {
				killed(func(s *envelope.Sealer) error { _, err := s.Reseal(ctx, tenantA, names); return err })
			},
			"destroy": func(*rapid.T) {
				killed(func(s *envelope.Sealer) error {
					_, err := s.Destroy(ctx, tenantA, []envelope.Place{names})
					return err
				})
			},
			"time passes": func(rt *rapid.T) {
				w.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, envelope.Settled, envelope.Kept}).Draw(rt, "by"))
			},
			"": func(rt *rapid.T) {
				got := read(t, w)
				for sk, plain := range want {
					if got[sk] != plain {
						rt.Fatalf("%s is %q, want %q", sk, got[sk], plain)
					}
				}
			},
		})
	})
}

// TestRotationUnderLoadFailsNothing: keys rotate every second, are rewrapped and
// their fields resealed, while processes write and read all the time.
func TestRotationUnderLoadFailsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const writers, rounds = 4, 120
	var load, jobs sync.WaitGroup
	stop := make(chan struct{})
	job := func(f func(s *envelope.Sealer) error) {
		jobs.Go(func() {
			s := w.sealer()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	job(func(s *envelope.Sealer) error { _, err := s.Reseal(ctx, tenantA, names); return err })
	job(func(s *envelope.Sealer) error {
		_, err := s.Rewrap(ctx, w.kms, tenantA, w.clock.Now())
		return err
	})
	for i := range writers {
		load.Go(func() {
			s := w.sealer()
			key := store.Key{PK: names.PK, SK: fmt.Sprint("m", i)}
			at := envelope.Where{Table: names.Table, Key: key, Field: names.Field}
			for n := range rounds {
				if i == 0 { // a second passes and the key is rotated
					w.clock.Advance(time.Second)
					if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
						t.Error(err)
					}
				}
				want := fmt.Sprint(i, " ", n)
				field(t, w, s, key.SK, want)
				item, err := w.db.Get(ctx, tenantA, names.Table, key)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := s.Open(ctx, tenantA, names.Purpose, at, item.Bytes(names.Field))
				if err != nil || string(got) != want {
					t.Errorf("read %q, %v; want %q", got, err, want)
				}
			}
		})
	}
	load.Wait()
	close(stop)
	jobs.Wait()
	if n := len(keys(t, w, tenantA)); n < rounds {
		t.Errorf("%d versions after %d rotations", n, rounds)
	}
	if got := read(t, w); len(got) != writers {
		t.Errorf("read %v", got)
	}
}

func TestResealingKeepsWhatTheOwnerWroteMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	field(t, w, s, "m1", "old")
	w.clock.Advance(time.Second)
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	met := false
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Kind == memory.Update && !met {
			met = true
			field(t, w, s, "m1", "new")
		}
		return true, nil
	}
	if n, err := w.sealer().Reseal(ctx, tenantA, names); n != 0 || err != nil || !met {
		t.Errorf("resealed %d, %v; the owner wrote: %t", n, err, met)
	}
	w.db.Hook = nil
	if got := read(t, w); got["m1"] != "new" {
		t.Errorf("read %v", got)
	}
}

// TestResealingUsesTheNewestVersion although its process still seals with an
// older one: otherwise the job would say it is done and be where it was.
func TestResealingUsesTheNewestVersion(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	field(t, w, s, "m1", "x")
	w.clock.Advance(time.Second)
	if _, err := w.sealer().Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Reseal(ctx, tenantA, names); n != 1 || err != nil {
		t.Fatalf("resealed %d, %v", n, err)
	}
	uses, err := s.Usage(ctx, tenantA, []envelope.Place{names})
	if err != nil || len(uses) != 2 || uses[0].Fields != 0 || uses[1].Fields != 1 {
		t.Errorf("uses %+v, %v", uses, err)
	}
}

// TestAFieldOpensUnderItsOwnVersionOnly: the version in the frame is bound to the
// field, so that one cannot be passed off as sealed with an older key that leaked.
func TestAFieldOpensUnderItsOwnVersionOnly(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	old := seal(t, s, "old")
	w.clock.Advance(time.Second)
	if _, err := s.Rotate(ctx, tenantA, envelope.Members, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	young := seal(t, s, "young")
	for name, b := range map[string][]byte{
		"the old field in a new frame":  append(bytes.Clone(young[:8]), old[8:]...),
		"the new field in an old frame": append(bytes.Clone(old[:8]), young[8:]...),
	} {
		if _, err := s.Open(ctx, tenantA, envelope.Members, here, b); err != envelope.ErrOpen { //nolint:errorlint // the very sentinel: nothing may be wrapped in it
			t.Errorf("%s: %v", name, err)
		}
	}
}
