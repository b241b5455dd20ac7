package edge_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/edge"
	"pricemanager/internal/store/memory"
)

// misuse is BlockForMisuse where it does not matter who was first.
func (w world) misuse(t *testing.T, address string, lasting time.Duration, reason, by string) error {
	t.Helper()
	_, err := w.BlockForMisuse(t.Context(), address, lasting, reason, by)
	return err
}

func TestAMisusedAddressIsBlockedUntilItsTime(t *testing.T) {
	t.Parallel()
	w := setup()
	for _, a := range []string{"192.0.2.1", "2001:db8:1:2::/64"} {
		if err := w.misuse(t, a, time.Hour, "floods", "flood"); err != nil {
			t.Fatal(err)
		}
	}
	for a, want := range map[string]bool{"192.0.2.1": true, "192.0.2.2": false, "2001:db8:1:2:3::4": true, "2001:db8:1:3::1": false} {
		if w.blocked(t, a) != want || w.Allowed(t.Context(), a) {
			t.Errorf("%s blocked: %t", a, !want)
		}
	}
	w.clock.Advance(30 * time.Minute)
	if added, err := w.BlockForMisuse(t.Context(), "192.0.2.1", time.Hour, "floods", "flood"); added || err != nil {
		t.Errorf("a block is prolonged: %t, %v", added, err)
	}
	w.clock.Advance(30 * time.Minute)
	if w.blocked(t, "192.0.2.1") || w.blocked(t, "2001:db8:1:2:3::4") {
		t.Error("it does not end")
	}
	if added, err := w.BlockForMisuse(t.Context(), "192.0.2.1", time.Hour, "floods", "flood"); !added || err != nil {
		t.Errorf("no second block: %t, %v", added, err)
	}
	for what, err := range map[string]error{
		"nothing": w.misuse(t, "x", time.Hour, "r", "flood"), "no time": w.misuse(t, "192.0.2.1", 0, "r", "flood"),
		"no reason": w.misuse(t, "192.0.2.1", time.Hour, "", "flood"), "no rule": w.misuse(t, "192.0.2.1", time.Hour, "r", ""),
		"half the world": w.misuse(t, "10.0.0.0/8", time.Hour, "r", "flood"),
	} {
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

func TestRulesLeaveAloneWhatPeopleSaid(t *testing.T) {
	t.Parallel()
	w := setup()
	if err := w.Allow(t.Context(), w.target(t, "192.0.2.1"), "the office", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.Block(t.Context(), w.target(t, "192.0.2.2"), 48*time.Hour, "known for it", "operator:ann"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, a := range []string{"192.0.2.1", "192.0.2.2"} {
			if err := w.misuse(t, a, time.Hour, "floods", "flood"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !w.Allowed(t.Context(), "192.0.2.1") || w.Allowed(t.Context(), "192.0.2.2") {
		t.Error("what was allowed is not any more, or something else is")
	}
	w.clock.Advance(2 * time.Hour)
	if w.blocked(t, "192.0.2.1") || !w.blocked(t, "192.0.2.2") {
		t.Error("a rule wrote over a person")
	}
	// What a person said is over at some time.
	w.clock.Advance(366 * 24 * time.Hour)
	if err := w.misuse(t, "192.0.2.1", time.Hour, "floods", "flood"); err != nil || !w.blocked(t, "192.0.2.1") {
		t.Error("not blocked after a year", err)
	}
}

func TestRulesLeavePeopleTheirHalfOfTheList(t *testing.T) {
	t.Parallel()
	w := setup()
	misuse := func(i int) error {
		return w.misuse(t, fmt.Sprintf("2001:db8:%x::/64", i), time.Hour, "floods", "flood")
	}
	for i := range edge.MaxAutomatic {
		if err := misuse(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := misuse(9999); !errors.Is(err, edge.ErrFull) {
		t.Errorf("one more: %v", err)
	}
	if err := misuse(0); err != nil { // it is there already
		t.Error(err)
	}
	for i := range edge.MaxEntries - edge.MaxAutomatic {
		if err := w.Block(t.Context(), w.target(t, fmt.Sprintf("2001:db8:ffff:%x::1", i)), time.Hour, "guesses keys", "operator:ann"); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(time.Hour)
	// People see their own ended entries for a month; those of rules make room.
	if err := misuse(9999); err != nil || !w.blocked(t, "2001:db8:270f::1") {
		t.Error("ended entries keep a new one out", err)
	}
	entries, err := w.Entries(t.Context())
	people := 0
	for _, e := range entries {
		if strings.HasPrefix(e.By, "operator:") {
			people++
		}
	}
	if err != nil || people != edge.MaxEntries-edge.MaxAutomatic {
		t.Errorf("%d entries of people are left, %v", people, err)
	}
}

func TestARuleTriesAgainWhenTheListChangesMeanwhile(t *testing.T) {
	t.Parallel()
	w := setup()
	meddled := 0
	w.db.Hook = func(memory.Op) (bool, error) {
		if meddled++; meddled%2 == 1 && meddled < 6 { // somebody else is faster, three times
			if err := w.Block(t.Context(), w.target(t, fmt.Sprintf("192.0.2.%d", meddled)), time.Hour, "r", "operator:bob"); err != nil {
				t.Error(err)
			}
		}
		return true, nil
	}
	if err := w.misuse(t, "198.51.100.7", time.Hour, "floods", "flood"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"198.51.100.7", "192.0.2.1", "192.0.2.3", "192.0.2.5"} {
		if !w.blocked(t, a) {
			t.Errorf("%s is not blocked", a)
		}
	}
}
