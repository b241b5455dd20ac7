package identity_test

import (
	"context"
	crand "crypto/rand"
	"encoding/base32"
	encbinary "encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	alpha tenant.ID = "t_alpha00001"
	beta  tenant.ID = "t_beta000001"
)

var (
	oldPepper = secret.New(strings.Repeat("a", 32))
	newPepper = secret.New(strings.Repeat("b", 32))
)

// counter is a deterministic source of bytes, different on each read.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n += 7
		p[i] = c.n ^ byte(i)
	}
	return len(p), nil
}

type world struct {
	db      *memory.DB
	clock   *clock.Manual
	peppers []secret.Value
	err     error
	keys    *identity.Keys
	sealer  *envelope.Sealer
}

func setup(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	w := &world{db: memory.New(clk), clock: clk, peppers: []secret.Value{oldPepper}}
	w.sealer = envelope.New(memkms.New(crand.Reader), w.db, clk)
	w.keys = identity.NewKeys(w.db, func(context.Context, bool) ([]secret.Value, error) { return w.peppers, w.err }, clk, &counter{}).Sealing(w.sealer)
	tenants := identity.NewTenants(w.db, w.sealer, clk)
	for _, id := range []tenant.ID{alpha, beta} {
		if err := tenants.Create(t.Context(), id, "operator", "Firm "+string(id)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) create(t *testing.T, id tenant.ID, scopes ...identity.Scope) (identity.Key, secret.Value) {
	t.Helper()
	k, text, err := w.keys.Create(t.Context(), id, "member:ann", "till", scopes)
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Fatalf("error = %v, want one of kind %s", err, want)
	}
}

func TestKeyStandsForItsTenantAndScopesOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, text := w.create(t, alpha, identity.PlansRead, identity.OffersRead, identity.PlansRead)
	w.create(t, beta, identity.PlansWrite)
	p, err := w.keys.Authenticate(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Principal{
		Tenant: alpha, Actor: "key:" + k.ID, KeyID: k.ID, Role: identity.Machine,
		Scopes: []identity.Scope{identity.OffersRead, identity.PlansRead}, MadeBy: "member:ann",
	}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	for _, s := range identity.Scopes() {
		if got, want := p.May(s), s == identity.OffersRead || s == identity.PlansRead; got != want {
			t.Errorf("May(%s) = %v, want %v", s, got, want)
		}
	}
	if p.May("") || (identity.Principal{}).May(identity.PlansRead) {
		t.Error("an empty scope or principal was allowed something")
	}
}

func TestEveryRefusalIsTheSameAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, good := w.create(t, alpha, identity.PlansRead)
	revokedKey, revoked := w.create(t, alpha, identity.PlansRead)
	if err := w.keys.Revoke(t.Context(), alpha, "member:ann", revokedKey.ID); err != nil {
		t.Fatal(err)
	}
	other := setup(t) // the same ids and secrets under other peppers
	other.peppers = []secret.Value{newPepper}
	_, wrong := other.create(t, alpha, identity.PlansRead)

	elsewhere := setup(t) // makes the same keys in turn; the third was never made here
	elsewhere.create(t, alpha, identity.PlansRead)
	elsewhere.create(t, alpha, identity.PlansRead)
	_, unknown := elsewhere.create(t, alpha, identity.PlansRead)

	texts := map[string]string{}
	note := func(name string, err error) { // what the caller is told; the cause is for us
		var f *fault.Fault
		if !errors.As(err, &f) {
			t.Fatalf("%s: %v", name, err)
		}
		texts[fmt.Sprint(f.Kind, f.Type, f.Public, f.Extra)] = name
	}
	for name, key := range map[string]secret.Value{
		"revoked": revoked, "unknown": unknown,
		"empty": secret.New(""), "text": secret.New("hello"),
		"typing error": secret.New(flip(good.Reveal(), 40)), "cut": secret.New(good.Reveal()[:60]),
	} {
		_, err := w.keys.Authenticate(t.Context(), key)
		wantKind(t, err, fault.Unauthenticated)
		note(name, err)
	}
	// The wrong secret for a known id: same bytes, other pepper in force.
	w.peppers = []secret.Value{newPepper}
	_, err := w.keys.Authenticate(t.Context(), wrong)
	wantKind(t, err, fault.Unauthenticated)
	note("wrong pepper", err)
	w.peppers = []secret.Value{oldPepper}
	w.clock.Advance(identity.KeyLife)
	_, err = w.keys.Authenticate(t.Context(), good)
	wantKind(t, err, fault.Unauthenticated)
	note("expired", err)
	if len(texts) != 1 {
		t.Errorf("refusals can be told apart: %v", texts)
	}
}

func TestAMistypedKeyIsRefusedWithoutAskingAnybody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, good := w.create(t, alpha, identity.PlansRead)
	w.err = errors.New("nobody may be asked")
	for i := range good.Reveal() {
		_, err := w.keys.Authenticate(t.Context(), secret.New(flip(good.Reveal(), i)))
		wantKind(t, err, fault.Unauthenticated)
	}
}

func flip(s string, i int) string {
	b := []byte(s)
	if b[i]++; b[i] == '{' {
		b[i] = 'a'
	}
	return string(b)
}

func TestAKeyChangedInAnyCharacterIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, good := w.create(t, alpha, identity.PlansRead)
	rapid.Check(t, func(rt *rapid.T) {
		b := []byte(good.Reveal())
		i := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
		c := rapid.Byte().Filter(func(c byte) bool { return c != b[i] }).Draw(rt, "byte")
		b[i] = c
		if _, err := w.keys.Authenticate(context.Background(), secret.New(string(b))); fault.KindOf(err) != fault.Unauthenticated {
			rt.Fatalf("changed key gave %v", err)
		}
	})
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("pmk_aaaaaaaaaaaaaaaa_" + strings.Repeat("a", 59))
	binary := "pmk_aaaaaaaaaaaaaaa\xff_" + strings.Repeat("a", 52) // with the checksum that fits
	f.Add(binary + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(
		encbinary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(binary)))))
	f.Add("")
	clk := clock.NewManual(time.Unix(0, 0))
	keys := identity.NewKeys(memory.New(clk), func(context.Context, bool) ([]secret.Value, error) { return []secret.Value{oldPepper}, nil }, clk, &counter{})
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := keys.Authenticate(context.Background(), secret.New(s)); fault.KindOf(err) != fault.Unauthenticated {
			t.Fatalf("%q gave %v", s, err)
		}
	})
}

func TestNewPepperKeepsOldKeysAndMakesNewOnes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, before := w.create(t, alpha, identity.PlansRead)
	_, unused := w.create(t, alpha, identity.PlansRead)
	w.peppers = []secret.Value{newPepper, oldPepper}
	_, after := w.create(t, alpha, identity.PlansRead)
	for _, k := range []secret.Value{before, after} {
		if _, err := w.keys.Authenticate(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	w.peppers = []secret.Value{newPepper}
	for _, k := range []secret.Value{before, after} { // before moved to the new one when it was used
		if _, err := w.keys.Authenticate(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.keys.Authenticate(t.Context(), unused)
	wantKind(t, err, fault.Unauthenticated)
}

// oneSecret is a vault with one secret.
type oneSecret string

func (s oneSecret) Get(_ context.Context, name string) (secret.Value, error) {
	if name != "pm/pepper" {
		return secret.Value{}, secret.ErrNotFound
	}
	return secret.New(string(s)), nil
}

func TestSeveralPeppersFitInOneSecret(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, before := w.create(t, alpha, identity.PlansRead) // under oldPepper
	both := oneSecret(newPepper.Reveal() + "\n" + oldPepper.Reveal() + "\n")
	keys := identity.NewKeys(w.db, identity.PeppersFrom(both, "pm/pepper"), w.clock, &counter{n: 99}).Sealing(w.sealer)
	_, after, err := keys.Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Authenticate(t.Context(), before); err != nil {
		t.Errorf("a key under the old pepper: %v", err)
	}
	w.peppers = []secret.Value{newPepper}
	if _, err := w.keys.Authenticate(t.Context(), after); err != nil {
		t.Errorf("a new key is not under the first pepper: %v", err)
	}
	_, err = identity.NewKeys(w.db, identity.PeppersFrom(both, "other"), w.clock, &counter{}).Authenticate(t.Context(), before)
	wantKind(t, err, fault.Unavailable)
}

func TestNobodyIsLetInWhenPeppersAreMissingOrWeak(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, good := w.create(t, alpha, identity.PlansRead)
	for _, c := range []struct {
		peppers []secret.Value
		err     error
	}{{nil, nil}, {[]secret.Value{secret.New("short")}, nil}, {[]secret.Value{oldPepper}, errors.New("vault is down")}} {
		w.peppers, w.err = c.peppers, c.err
		_, err := w.keys.Authenticate(t.Context(), good)
		wantKind(t, err, fault.Unavailable)
		_, _, err = w.keys.Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead})
		wantKind(t, err, fault.Unavailable)
	}
}

func TestKeyOfAnotherTenantCannotBeSeenOrRevoked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, text := w.create(t, alpha, identity.PlansRead)
	err := w.keys.Revoke(t.Context(), beta, "member:bob", k.ID)
	wantKind(t, err, fault.NotFound)
	missing := w.keys.Revoke(t.Context(), beta, "member:bob", strings.Repeat("a", 16))
	if missing == nil || err.Error() != missing.Error() {
		t.Errorf("foreign key %q and missing key %q can be told apart", err, missing)
	}
	list, _, err := w.keys.List(t.Context(), beta, "", 10)
	if err != nil || len(list) != 0 {
		t.Errorf("beta sees %v, %v", list, err)
	}
	if _, err := w.keys.Authenticate(t.Context(), text); err != nil {
		t.Errorf("the key stopped working: %v", err)
	}
}

func TestItemMovedToAnotherTenantProvesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, text := w.create(t, alpha, identity.PlansRead)
	item, err := w.db.Get(t.Context(), alpha, store.Identity, store.Key{PK: "apikey", SK: k.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Put(t.Context(), beta, store.Identity, item); err != nil {
		t.Fatal(err)
	}
	pointer := store.Item{Key: store.Key{PK: "apikey#" + k.ID, SK: "tenant"}, Attrs: map[string]any{"tenant": string(beta)}}
	if err := w.db.Put(t.Context(), store.Directory, store.Identity, pointer); err != nil {
		t.Fatal(err)
	}
	_, err = w.keys.Authenticate(t.Context(), text)
	wantKind(t, err, fault.Unauthenticated)
}

func TestRevokeIsFinalAndRepeatable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, _ := w.create(t, alpha, identity.PlansRead)
	if err := w.keys.Revoke(t.Context(), alpha, "member:ann", k.ID); err != nil {
		t.Fatal(err)
	}
	first := w.clock.Now()
	w.clock.Advance(time.Minute)
	if err := w.keys.Revoke(t.Context(), alpha, "member:eve", k.ID); err != nil {
		t.Fatal(err)
	}
	list, _, err := w.keys.List(t.Context(), alpha, "", 10)
	if err != nil || len(list) != 1 || !list[0].Revoked.Equal(first) {
		t.Errorf("list = %+v, %v, want one key revoked at %v", list, err, first)
	}
}

func TestKeyNeedsATenantANameAndKnownScopes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, _, err := w.keys.Create(t.Context(), "t_nobody001", "member:ann", "till", []identity.Scope{identity.PlansRead})
	wantKind(t, err, fault.NotFound)
	for _, c := range []struct {
		name   string
		scopes []identity.Scope
	}{{"", []identity.Scope{identity.PlansRead}}, {"till", nil}, {"till", []identity.Scope{"plans:*"}}, {strings.Repeat("n", 101), []identity.Scope{identity.PlansRead}}} {
		_, _, err := w.keys.Create(t.Context(), alpha, "member:ann", c.name, c.scopes)
		wantKind(t, err, fault.Invalid)
	}
	w.db.Each(func(id tenant.ID, _ store.Table, i store.Item) bool {
		if strings.HasPrefix(i.PK, "apikey") {
			t.Errorf("a refused key left %s %s", id, i.PK)
		}
		return true
	})
}

func TestLastUsedIsWrittenOncePerHour(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, text := w.create(t, alpha, identity.PlansRead)
	// Units, since a write whose condition fails is paid for too.
	count := func() int64 { return w.db.Units(store.Identity).Write }
	before := count()
	for range 5 {
		if _, err := w.keys.Authenticate(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if got := count() - before; got != 1 {
		t.Errorf("5 uses in one hour made %d writes, want 1", got)
	}
	w.clock.Advance(time.Hour)
	if _, err := w.keys.Authenticate(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	list, _, _ := w.keys.List(t.Context(), alpha, "", 10)
	if want := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC); !list[0].LastUsed.Equal(want) {
		t.Errorf("lastUsed = %v, want the hour %v", list[0].LastUsed, want)
	}
}

// The names that people give to companies and keys rest sealed, go to the ledger in
// no event, and are shown to whoever lists the keys.
func TestNamesRestSealed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, _, err := w.keys.Create(t.Context(), alpha, "member:ann", "Annegret's till", []identity.Scope{identity.PlansRead})
	if err != nil || k.Name.Reveal() != "Annegret's till" {
		t.Fatal(k, err)
	}
	clean := func(where, text string) {
		t.Helper()
		for _, name := range []string{"Annegret", "Firm t_"} {
			if strings.Contains(text, name) {
				t.Errorf("%s has %q in clear: %s", where, name, text)
			}
		}
	}
	seen := 0
	w.db.Each(func(_ tenant.ID, table store.Table, i store.Item) bool {
		if _, sealed := i.Attrs["name"].([]byte); sealed {
			seen++
		}
		for _, v := range i.Attrs {
			clean(string(table), fmt.Sprintf("%s", v))
		}
		return true
	})
	if seen != 3 { // two companies, one key
		t.Errorf("%d names are kept, want three", seen)
	}
	for _, r := range w.db.Records(store.Identity, "") {
		for _, e := range identity.Events(r) {
			clean("the ledger", string(e.After))
		}
	}
	list, _, err := w.keys.List(t.Context(), alpha, "", 10)
	if err != nil || len(list) != 1 || list[0].Name.Reveal() != "Annegret's till" {
		t.Errorf("%v, %v", list, err)
	}
	// Without a sealer nothing is kept in clear instead.
	bare := identity.NewKeys(w.db, func(context.Context, bool) ([]secret.Value, error) { return w.peppers, nil }, w.clock, &counter{n: 5})
	if _, _, err := bare.Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{identity.PlansRead}); err == nil {
		t.Error("a key was made without its name being sealed")
	}
	if _, _, err := bare.List(t.Context(), alpha, "", 10); err == nil {
		t.Error("keys are listed without their names")
	}
}

func TestNoKeyOrPepperIsStoredOrPrinted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, text := w.create(t, alpha, identity.PlansRead)
	sec := text.Reveal()[21:]
	w.db.Each(func(id tenant.ID, table store.Table, i store.Item) bool {
		dump := fmt.Sprintf("%s %s %v", i.PK, i.SK, i.Attrs)
		for _, v := range i.Attrs {
			if b, ok := v.([]byte); ok {
				dump += string(b)
			}
		}
		if strings.Contains(dump, sec) || strings.Contains(dump, oldPepper.Reveal()) {
			t.Errorf("%s %s holds a credential", id, i.PK)
		}
		return true
	})
	if dump := fmt.Sprintf("%+v %v", k, text); strings.Contains(dump, sec) {
		t.Error("a key prints its secret")
	}
}
