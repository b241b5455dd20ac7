package edge_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

type world struct {
	*edge.List
	db    *memory.DB
	clock *clock.Manual
}

func setup() world {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	return world{edge.New(db, hashed, clk, slog.New(slog.DiscardHandler)), db, clk}
}

func (w world) blocked(t *testing.T, address string) bool {
	t.Helper()
	// A list of its own, so that no earlier reading counts.
	err := edge.New(w.db, hashed, w.clock, slog.New(slog.DiscardHandler)).Admit(t.Context(), address)
	if err != nil && (fault.KindOf(err) != fault.Forbidden || strings.Contains(err.Error(), "192.0.2")) {
		t.Fatal(err)
	}
	return err != nil
}

func (w world) target(t *testing.T, s string) edge.Target {
	t.Helper()
	p, err := w.Target(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hashed stands for identity.Keys.Hashes under two keys, the newer one first.
func hashed(_ context.Context, text string) ([]string, error) {
	all := make([]string, 2)
	for i := range all {
		sum := sha256.Sum256(fmt.Appendf(nil, "key %d %s", i, text))
		all[i] = hex.EncodeToString(sum[:16])
	}
	return all, nil
}

func TestABlockHoldsForItsAddressesUntilItsTime(t *testing.T) {
	t.Parallel()
	w := setup()
	for p, d := range map[string]time.Duration{"192.0.2.0/24": time.Hour, "2001:db8::/48": 2 * time.Hour, "198.51.100.7": time.Hour} {
		if err := w.Block(t.Context(), w.target(t, p), d, "guesses keys", "operator:ann"); err != nil {
			t.Fatal(err)
		}
	}
	for address, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.255": true, "192.0.3.1": false, "::ffff:192.0.2.1": true, "198.51.100.7": true, "198.51.100.8": false,
		"2001:db8::1": true, "2001:db8:1::1": false, "": false, "nonsense": false, "192.0.2.1, 10.0.0.1": false,
	} {
		if got := w.blocked(t, address); got != want {
			t.Errorf("%q blocked: %t", address, got)
		}
	}
	w.clock.Advance(time.Hour)
	if w.blocked(t, "192.0.2.1") || !w.blocked(t, "2001:db8::1") {
		t.Error("a block does not end at its time, or another one with it")
	}
	if list, err := w.Entries(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%v, %v: an ended block is not shown any more", list, err)
	}
}

func TestWhatIsAllowedIsNeverBlocked(t *testing.T) {
	t.Parallel()
	w := setup()
	if err := w.Allow(t.Context(), w.target(t, "192.0.2.7"), "the office", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.Block(t.Context(), w.target(t, "192.0.2.0/24"), time.Hour, "guesses keys", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	if w.blocked(t, "192.0.2.7") || !w.blocked(t, "192.0.2.8") {
		t.Error("the office is blocked, or its neighbours are not")
	}
	for i := range 2 {
		err := w.Remove(t.Context(), w.target(t, "192.0.2.7"))
		if i == 0 && err != nil || i == 1 && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removal %d: %v", i, err)
		}
	}
	if !w.blocked(t, "192.0.2.7") {
		t.Error("what is no longer allowed is not blocked")
	}
}

func TestAListThatCannotBeReadLetsInOrStaysAsItWas(t *testing.T) {
	t.Parallel()
	w := setup()
	if err := w.Block(t.Context(), w.target(t, "192.0.2.1"), time.Hour, "guesses keys", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.Admit(t.Context(), "192.0.2.1"); err == nil {
		t.Fatal("not blocked")
	}
	it, err := w.db.Get(t.Context(), store.Directory, store.Identity, store.Key{PK: "edge", SK: "addresses"})
	if err != nil {
		t.Fatal(err)
	}
	it.Attrs["entries"] = []byte("damaged")
	if err := w.db.Put(t.Context(), store.Directory, store.Identity, it); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if err := w.Admit(t.Context(), "192.0.2.1"); err == nil {
		t.Error("the last list known does not count")
	}
	if w.blocked(t, "192.0.2.1") {
		t.Error("without any list somebody is blocked")
	}
	if err := w.Block(t.Context(), w.target(t, "192.0.2.2"), time.Hour, "guesses keys", "operator:ann"); err == nil {
		t.Error("a damaged list was written over")
	}
}

func TestOnlyNarrowPrefixesWithAReasonAreListed(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "0.0.0.0/0", "10.0.0.0/15", "2001::/31", "::ffff:1.2.3.4/120", "fe80::1%eth0", "1.2.3.4/33", "1.2.3.4 "} {
		if p, err := edge.Parse(bad); !errors.Is(err, edge.ErrPrefix) {
			t.Errorf("%q is %v", bad, p)
		}
	}
	w := setup()
	one := w.target(t, "192.0.2.1")
	for name, err := range map[string]error{
		"no reason": w.Block(t.Context(), one, time.Hour, "", "operator:ann"), "nobody": w.Allow(t.Context(), one, "r", ""),
		"no time": w.Block(t.Context(), one, 0, "r", "operator:ann"), "for ever": w.Block(t.Context(), one, 366*24*time.Hour, "r", "operator:ann"),
		"long": w.Allow(t.Context(), one, strings.Repeat("x", 201), "operator:ann"),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A full list fits its item, and what ended long ago makes room by itself.
func TestAFullListFitsAndForgetsWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	w := setup()
	for i := range edge.MaxEntries {
		p := w.target(t, fmt.Sprintf("2001:db8:%x:ffff:ffff:ffff:ffff:ffff", i))
		if err := w.Block(t.Context(), p, time.Hour, strings.Repeat("ü", 100), "operator:somebody-with-a-name"); err != nil {
			t.Fatal(err)
		}
	}
	one := w.target(t, "192.0.2.1")
	if err := w.Block(t.Context(), one, time.Hour, "r", "operator:ann"); err == nil {
		t.Error("one more was taken")
	}
	w.clock.Advance(32 * 24 * time.Hour)
	if err := w.Block(t.Context(), one, time.Hour, "r", "operator:ann"); err != nil || !w.blocked(t, "192.0.2.1") {
		t.Error(err)
	}
}

// The list is of addresses, which are personal data, and has none: the log's word for
// one is enough to block it, and what was listed under an earlier key still counts.
func TestTheListHoldsNoAddress(t *testing.T) {
	t.Parallel()
	w := setup()
	const address = "198.51.100.7"
	named := w.Source(t.Context(), address)
	all, _ := hashed(t.Context(), address+"/32")
	if named != all[0] || w.Source(t.Context(), "::ffff:"+address) != named || w.Source(t.Context(), "nonsense") != "" {
		t.Errorf("logs call it %q", named)
	}
	for _, target := range []string{"192.0.2.0/24", "2001:db8::/48", "source:" + named} {
		if err := w.Block(t.Context(), w.target(t, target), time.Hour, "guesses keys", "operator:ann"); err != nil {
			t.Fatal(err)
		}
	}
	it, err := w.db.Get(t.Context(), store.Directory, store.Identity, store.Key{PK: "edge", SK: "addresses"})
	if err != nil {
		t.Fatal(err)
	}
	for _, clear := range []string{"192.0.2", "2001:db8", address, "198.51"} {
		if strings.Contains(string(it.Bytes("entries")), clear) {
			t.Errorf("the table has %s: %s", clear, it.Bytes("entries"))
		}
	}
	if !w.blocked(t, address) || w.blocked(t, "198.51.100.8") || !w.blocked(t, "192.0.2.9") || !w.blocked(t, "2001:db8::9") {
		t.Error("the wrong ones are blocked")
	}
	// A prefix is taken off by what the list calls it, and found again by itself.
	list, err := w.Entries(t.Context())
	if err != nil || len(list) != 3 || list[0].String() != "source:"+list[0].Source+" (IPv4/24)" {
		t.Fatal(list, err)
	}
	if err := w.Remove(t.Context(), w.target(t, "source:"+list[0].Source)); err != nil || w.blocked(t, "192.0.2.9") {
		t.Error(err)
	}
	// Listed before the key was replaced.
	if err := w.Block(t.Context(), w.target(t, "source:"+all[1]), time.Hour, "r", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(t.Context(), w.target(t, address)); err != nil || w.blocked(t, address) {
		t.Errorf("%v: still blocked under the earlier key", err)
	}
	for _, bad := range []string{"source:", "source:12", "source:" + strings.Repeat("G", 32), "source:" + strings.Repeat("A", 32)} {
		if _, err := w.Target(t.Context(), bad); !errors.Is(err, edge.ErrPrefix) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// Without the key nobody is blocked, and nothing is listed.
	none := edge.New(w.db, func(context.Context, string) ([]string, error) { return nil, errors.New("no key") }, w.clock, slog.New(slog.DiscardHandler))
	if err := none.Admit(t.Context(), "2001:db8::9"); err != nil || none.Source(t.Context(), address) != "" {
		t.Error(err)
	}
	if _, err := none.Target(t.Context(), address); err == nil {
		t.Error("an address is listed without a hash")
	}
}

// What is allowed is an address as well, and is not kept for ever.
func TestAnAllowanceEndsAfterAYear(t *testing.T) {
	t.Parallel()
	w := setup()
	if err := w.Allow(t.Context(), w.target(t, "192.0.2.7"), "the office", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(edge.Longest - time.Hour)
	if err := w.Block(t.Context(), w.target(t, "192.0.2.0/24"), 2*time.Hour, "guesses keys", "operator:ann"); err != nil || w.blocked(t, "192.0.2.7") {
		t.Error("blocked within the year", err)
	}
	w.clock.Advance(time.Hour)
	if !w.blocked(t, "192.0.2.7") {
		t.Error("allowed for longer than a year")
	}
}

func TestOfTwoChangesAtOnceOneIsRefused(t *testing.T) {
	t.Parallel()
	w := setup()
	one := w.target(t, "192.0.2.1")
	for range 2 {
		var other error
		w.db.Hook = func(memory.Op) (bool, error) {
			w.db.Hook = nil
			other = w.Block(t.Context(), w.target(t, "192.0.2.2"), time.Hour, "r", "operator:bob")
			return true, nil
		}
		if err := w.Block(t.Context(), one, time.Hour, "r", "operator:ann"); !errors.Is(err, store.ErrConflict) || other != nil {
			t.Errorf("%v, %v", err, other)
		}
	}
}
