package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/incident"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// one is a table with one tenant in it.
type one tenant.ID

func (o one) Tenants(context.Context, store.Table) ([]tenant.ID, error) {
	return []tenant.ID{tenant.ID(o)}, nil
}

func TestAnIncidentIsOpenedFilledToldAndClosed(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	in := incidents{log: &incident.Log{DB: db, Clock: clk, Rand: rand.Reader}, db: db, holders: one(owner), now: clk.Now}
	do := func(line ...string) (string, error) {
		t.Helper()
		for _, a := range incidentActions() {
			if a.name != line[0] {
				continue
			}
			f := newIncidentFlags(a.name)
			operands, err := parse(f.set, append(line[1:], "--actor", "ann"))
			if err != nil || len(operands) != a.operands {
				t.Fatal(operands, err)
			}
			var out bytes.Buffer
			err = a.do(t.Context(), in, operands, f, &out)
			return out.String(), err
		}
		t.Fatal(line)
		return "", nil
	}
	ok := func(want string, line ...string) string {
		t.Helper()
		out, err := do(line...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v\n%s\nwant %q", line, err, out, want)
		}
		return out
	}
	out := ok("Amazon by 2026-11-23T08:00:00Z, the authority by 2026-11-25T08:00:00Z", "open", "--nature", "a key leaked", "--aware", "2026-11-22T08:00:00Z",
		"--from", "2026-11-20T00:00:00Z", "--tables", "offers, connections")
	id := strings.TrimSuffix(strings.Fields(out)[1], ".")
	clk.Advance(time.Hour)
	ok("known for 2 hours, still to be told: [amazon authority tenants]", "list")
	ok("changed", "change", id, "--contact", "Ann, +39 000", "--purposes", "price maintenance")
	ok(string(owner)+"  [offers connections]  active: false\n1 tenants", "affected", id)
	ok("Ann, +39 000", "notice", id, "authority")
	ok("application amzn1.x", "notice", id, "amazon", "--application", "amzn1.x")
	ok("Account "+string(owner), "notice", id, "tenants")
	for _, p := range incident.Parties() {
		ok("noted", "tell", id, string(p), "--note", "mail 1")
	}
	ok("closed 2026-11-22T10:00:00Z  a key leaked", "list")
	for _, wrong := range [][]string{
		{"change", id, "--aware", "2026-11-22T09:00:00Z"}, {"change", id, "--to", "yesterday"}, {"tell", id, "amazon"}, {"tell", "inc_missing", "amazon", "--note", "x"}, {"open", "--nature", "x"},
	} {
		if out, err := do(wrong...); err == nil {
			t.Errorf("%v was taken: %s", wrong, out)
		}
	}
}

func TestAddressesAreBlockedListedAndFreed(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	hashes := func(_ context.Context, text string) ([]string, error) {
		sum := sha256.Sum256([]byte(text))
		return []string{hex.EncodeToString(sum[:16])}, nil
	}
	known, _ := hashes(t.Context(), "192.0.2.7/32")
	list := edge.New(memory.New(clk), hashes, clk, slog.New(slog.DiscardHandler))
	do := func(what, address string) (string, error) {
		var out bytes.Buffer
		err := blocking{what, address, "ann", "guesses keys", time.Hour}.do(t.Context(), list, clk.Now(), &out)
		return out.String(), err
	}
	for _, c := range []struct{ what, address, want string }{
		{"add", "192.0.2.7", "blocked: source:" + known[0] + " for 1h0m0s"}, {"allow", "198.51.100.0/24", "(IPv4/24) is not blocked for a year"},
		{"list", "", "source:" + known[0] + "  blocked until 2026-11-22T10:00:00Z  by operator:ann on 2026-11-22T09:00:00Z: guesses keys"}, {"remove", "198.51.100.0/24", "removed"},
	} {
		if out, err := do(c.what, c.address); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s %s: %v %s", c.what, c.address, err, out)
		}
	}
	clk.Advance(time.Hour)
	if out, err := do("list", ""); err != nil || !strings.Contains(out, "was blocked until") {
		t.Error(out, err)
	}
	if _, err := do("remove", "198.51.100.0/24"); !errors.Is(err, errVerdict) {
		t.Error(err)
	}
	if _, err := do("add", "0.0.0.0/0"); !errors.Is(err, edge.ErrPrefix) {
		t.Error(err)
	}
	if _, err := do("party", "192.0.2.7"); err == nil {
		t.Error("an unknown word is taken")
	}
}
