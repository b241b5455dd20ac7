package envelope_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	tenantA tenant.ID = "t_aaaaaa"
	tenantB tenant.ID = "t_bbbbbb"
)

var (
	ctx   = context.Background()
	here  = envelope.Where{Table: store.Identity, Key: store.Key{PK: "member", SK: "m1"}, Field: "name"}
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

type world struct {
	kms   *memkms.KMS
	db    *memory.DB
	clock *clock.Manual
}

func newWorld() *world {
	clk := clock.NewManual(start)
	return &world{kms: memkms.New(rand.Reader), db: memory.New(clk), clock: clk}
}

func (w *world) sealer() *envelope.Sealer { return envelope.New(w.kms, w.db, w.clock) }

func seal(tb testing.TB, s *envelope.Sealer, plain string) []byte {
	tb.Helper()
	b, err := s.Seal(ctx, tenantA, envelope.Members, here, []byte(plain))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestWhatWasSealedOpensInAnyProcess(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a, b := w.sealer(), w.sealer()
	rapid.Check(t, func(rt *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "plain")
		at := envelope.Where{
			Table: rapid.SampledFrom(store.Tables()).Draw(rt, "table"),
			Key:   store.Key{PK: rapid.String().Draw(rt, "pk"), SK: rapid.String().Draw(rt, "sk")},
			Field: rapid.String().Draw(rt, "field"),
		}
		sealed, err := a.Seal(ctx, tenantA, envelope.Members, at, plain)
		if err != nil {
			rt.Fatal(err)
		}
		if len(sealed) != len(plain)+envelope.Overhead {
			rt.Fatalf("%d bytes sealed are %d", len(plain), len(sealed))
		}
		got, err := b.Open(ctx, tenantA, envelope.Members, at, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			rt.Fatalf("opened %x, %v; want %x", got, err, plain)
		}
	})
}

func TestEveryTamperedByteIsRefused(t *testing.T) {
	t.Parallel()
	s := newWorld().sealer()
	sealed := seal(t, s, "Erika Mustermann")
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := s.Open(ctx, tenantA, envelope.Members, here, bad); err != envelope.ErrOpen { //nolint:errorlint // the very sentinel: nothing may be wrapped in it
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
		}
	}
}

func TestCutAndOverlongInputIsRefused(t *testing.T) {
	t.Parallel()
	s := newWorld().sealer()
	sealed := seal(t, s, "Erika Mustermann")
	for n := range len(sealed) {
		if _, err := s.Open(ctx, tenantA, envelope.Members, here, sealed[:n]); !errors.Is(err, envelope.ErrOpen) {
			t.Fatalf("first %d bytes: %v", n, err)
		}
	}
	long := append(bytes.Clone(sealed), 0)
	huge := append(bytes.Clone(sealed), make([]byte, envelope.MaxPlaintext)...)
	for _, b := range [][]byte{long, huge} {
		if _, err := s.Open(ctx, tenantA, envelope.Members, here, b); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	if _, err := s.Seal(ctx, tenantA, envelope.Members, here, make([]byte, envelope.MaxPlaintext+1)); !errors.Is(err, envelope.ErrTooLarge) {
		t.Errorf("oversized plaintext: %v", err)
	}
}

func TestAFieldOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	sealed := seal(t, s, "Erika Mustermann")
	// The other tenant and purpose have keys of their own, so that what refuses
	// is not their absence.
	for _, o := range []struct {
		t tenant.ID
		p envelope.Purpose
	}{{tenantB, envelope.Members}, {tenantA, envelope.Tokens}} {
		if _, err := s.Seal(ctx, o.t, o.p, here, nil); err != nil {
			t.Fatal(err)
		}
	}
	move := func(f func(*envelope.Where)) envelope.Where { at := here; f(&at); return at }
	for name, c := range map[string]struct {
		t  tenant.ID
		p  envelope.Purpose
		at envelope.Where
	}{
		"tenant":   {tenantB, envelope.Members, here},
		"purpose":  {tenantA, envelope.Tokens, here},
		"table":    {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Table = store.Offers })},
		"PK":       {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Key.PK = "other" })},
		"SK":       {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Key.SK = "m2" })},
		"field":    {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Field = "email" })},
		"boundary": {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Key = store.Key{PK: "memberm", SK: "1"} })},
		"swapped":  {tenantA, envelope.Members, move(func(w *envelope.Where) { w.Key = store.Key{PK: "m1", SK: "member"} })},
		"no id":    {"", envelope.Members, here},
	} {
		if _, err := s.Open(ctx, c.t, c.p, c.at, sealed); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	if got, err := s.Open(ctx, tenantA, envelope.Members, here, sealed); err != nil || string(got) != "Erika Mustermann" {
		t.Errorf("own place: %q, %v", got, err)
	}
}

func TestAWrappedKeyMovedToAnotherTenantIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	sealed := seal(t, w.sealer(), "secret")
	item := keys(t, w, tenantA)[0]
	if err := w.db.Put(ctx, tenantB, store.Keys, item); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sealer().Open(ctx, tenantB, envelope.Members, here, sealed); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("with the stolen key: %v", err)
	}
	if n := w.kms.Calls("decrypt"); n != 1 {
		t.Errorf("%d calls: the context was not what refused", n)
	}
}

func keys(tb testing.TB, w *world, t tenant.ID) []store.Item {
	tb.Helper()
	page, err := w.db.Query(ctx, t, store.Keys, store.Query{PK: "datakey"})
	if err != nil {
		tb.Fatal(err)
	}
	return page.Items
}

func TestAnOldKeyVersionStillOpens(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	old := seal(t, s, "old")
	w.clock.Advance(31 * 24 * time.Hour)
	young := seal(t, s, "young")
	if n := len(keys(t, w, tenantA)); n != 2 {
		t.Fatalf("%d key versions, want 2", n)
	}
	if bytes.Equal(old[:8], young[:8]) {
		t.Error("both frames name the same key version")
	}
	for want, sealed := range map[string][]byte{"old": old, "young": young} {
		if got, err := w.sealer().Open(ctx, tenantA, envelope.Members, here, sealed); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
}

func TestRacingCreatorsAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const n = 16
	sealed := make([][]byte, n)
	var wg sync.WaitGroup
	for i := range n { // each with a cache of its own
		wg.Go(func() { sealed[i] = seal(t, w.sealer(), "x") })
	}
	wg.Wait()
	if got := len(keys(t, w, tenantA)); got != 1 {
		t.Errorf("%d keys", got)
	}
	s := w.sealer()
	for i, b := range sealed {
		if _, err := s.Open(ctx, tenantA, envelope.Members, here, b); err != nil {
			t.Errorf("sealed by %d: %v", i, err)
		}
	}
}

func TestOneKMSCallForATenantAndPurposeInFiveMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				b := seal(t, s, fmt.Sprint(i))
				if _, err := s.Open(ctx, tenantA, envelope.Members, here, b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if g, d := w.kms.Calls("generate"), w.kms.Calls("decrypt"); g != 1 || d != 0 {
		t.Errorf("%d generate and %d decrypt calls, want 1 and 0", g, d)
	}
	w.clock.Advance(5*time.Minute - time.Millisecond)
	seal(t, s, "still cached")
	w.clock.Advance(time.Millisecond)
	seal(t, s, "loaded again")
	if g, d := w.kms.Calls("generate"), w.kms.Calls("decrypt"); g != 1 || d != 1 {
		t.Errorf("after expiry %d generate and %d decrypt calls, want 1 and 1", g, d)
	}
	// A process that only reads: a cold cache under load is one call as well.
	reader := w.sealer()
	b := seal(t, s, "x")
	for range 50 {
		wg.Go(func() {
			if _, err := reader.Open(ctx, tenantA, envelope.Members, here, b); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d := w.kms.Calls("decrypt"); d != 2 {
		t.Errorf("%d decrypt calls, want 2", d)
	}
}

func TestKeysAreWipedWhenTheyLeaveTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	seal(t, s, "x")
	plain := w.kms.Given()[0]
	if bytes.Equal(plain, make([]byte, 32)) {
		t.Fatal("the key is zero while in use")
	}
	w.clock.Advance(5 * time.Minute)
	// Any access sweeps, another tenant's too.
	if _, err := s.Seal(ctx, tenantB, envelope.Members, here, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, make([]byte, 32)) {
		t.Error("an expired key was not wiped")
	}
	s.Close()
	for i, k := range w.kms.Given() {
		if !bytes.Equal(k, make([]byte, 32)) {
			t.Errorf("key %d was not wiped by Close", i)
		}
	}
}

func TestShreddingClosesEverythingOfTheTenantAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.sealer()
	mine := seal(t, s, "mine")
	token, err := s.Seal(ctx, tenantA, envelope.Tokens, here, []byte("token"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Seal(ctx, tenantB, envelope.Members, here, []byte("other"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Shred(ctx, tenantA); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range keys(t, w, tenantA) {
		if !k.Bool("erased") || k.Bytes("wrapped") != nil {
			t.Errorf("a wrapped key is left: %s", k.SK)
		}
	}
	for _, s := range []*envelope.Sealer{s, w.sealer()} {
		if _, err := s.Open(ctx, tenantA, envelope.Members, here, mine); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("member field: %v", err)
		}
		if _, err := s.Open(ctx, tenantA, envelope.Tokens, here, token); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("token: %v", err)
		}
		if got, err := s.Open(ctx, tenantB, envelope.Members, here, other); err != nil || string(got) != "other" {
			t.Errorf("other tenant: %q, %v", got, err)
		}
	}
	// Nothing makes a new key for it, whatever the purpose and the process.
	for _, s := range []*envelope.Sealer{s, w.sealer()} {
		for _, p := range envelope.Purposes() {
			if _, err := s.Seal(ctx, tenantA, p, here, []byte("new")); !errors.Is(err, envelope.ErrErased) {
				t.Errorf("seal for %s: %v", p, err)
			}
		}
	}
}

func TestAFailingKeyServiceIsUnavailableAndNotAVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld()
	sealed := seal(t, w.sealer(), "x")
	down := errors.New("throttled")
	w.kms.Fail = func(string) error { return down }
	s := w.sealer()
	if _, err := s.Open(ctx, tenantA, envelope.Members, here, sealed); !errors.Is(err, envelope.ErrUnavailable) || errors.Is(err, envelope.ErrOpen) {
		t.Errorf("open: %v", err)
	}
	if b, err := s.Seal(ctx, tenantA, envelope.Members, here, []byte("x")); !errors.Is(err, envelope.ErrUnavailable) || b != nil {
		t.Errorf("seal: %x, %v", b, err)
	}
	if b, err := s.Seal(ctx, tenantB, envelope.Members, here, []byte("x")); !errors.Is(err, envelope.ErrUnavailable) || b != nil {
		t.Errorf("seal with no key yet: %x, %v", b, err)
	}
	w.kms.Fail = nil
	if got, err := s.Open(ctx, tenantA, envelope.Members, here, sealed); err != nil || string(got) != "x" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

func TestALostAnswerOfTheStoreLosesNoData(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.db.Hook = func(memory.Op) (bool, error) { return true, errors.New("answer lost") }
	s := w.sealer()
	if _, err := s.Seal(ctx, tenantA, envelope.Members, here, []byte("x")); err == nil {
		t.Fatal("sealed with a key that may not be stored")
	}
	w.db.Hook = nil
	sealed := seal(t, s, "x")
	if _, err := w.sealer().Open(ctx, tenantA, envelope.Members, here, sealed); err != nil {
		t.Errorf("open elsewhere: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld()
	s := w.sealer()
	good := seal(f, s, "Erika Mustermann")
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte("PME\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// Every fuzzing process has its own keys, so the input is tried both as it
		// is and as a change to what this process sealed.
		changed := bytes.Clone(good)
		for i := range changed {
			if i < len(b) {
				changed[i] ^= b[i]
			}
		}
		for _, in := range [][]byte{b, changed} {
			plain, err := s.Open(ctx, tenantA, envelope.Members, here, in)
			if bytes.Equal(in, good) != (err == nil) {
				t.Errorf("opened %x as %q, %v", in, plain, err)
			}
			if err != nil && !errors.Is(err, envelope.ErrOpen) {
				t.Errorf("error %v", err)
			}
		}
	})
}
