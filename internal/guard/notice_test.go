package guard_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// deaf takes no transaction, or takes it and loses the answer.
type deaf struct {
	store.DB
	takes bool
}

var errDeaf = errors.New("no answer")

func (d deaf) Transact(ctx context.Context, w ...store.Write) error {
	if d.takes {
		return errors.Join(errDeaf, d.DB.Transact(ctx, w...))
	}
	return errDeaf
}

// There is no change without its notice, and no notice without its change.
func TestAChangeOfGuardsAndItsNoticeAreOneWrite(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	s := &guard.Store{DB: db, Clock: clk}
	notices := func() (got []string) {
		t.Helper()
		list, next, err := s.Notices(t.Context(), seller, "", 50)
		if err != nil || next != "" {
			t.Fatal(next, err)
		}
		for _, n := range list {
			got = append(got, n.What+" "+n.Actor+" "+n.Before+" "+n.After)
		}
		return got
	}
	costs := []byte("sku,cost,currency\nA,1,EUR\n")
	was := guard.Default().Hash()
	for _, takes := range []bool{false, true} {
		broken := &guard.Store{DB: deaf{db, takes}, Clock: clk}
		if _, err := broken.Put(t.Context(), seller, "key:a", tight(), was); !errors.Is(err, errDeaf) {
			t.Fatal(err)
		}
		if _, err := broken.PutCosts(t.Context(), seller, "key:b", costs, ""); !errors.Is(err, errDeaf) {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), seller)
		_, hash, err2 := s.CostsFile(t.Context(), seller)
		if err := errors.Join(err, err2); err != nil || (got.Version > 0) != takes || (hash != "") != takes || len(notices()) != map[bool]int{true: 2}[takes] {
			t.Errorf("takes %t: version %d, costs %q, notices %q, %v", takes, got.Version, hash, notices(), err)
		}
	}
	clk.Advance(time.Minute)
	if _, err := s.Put(t.Context(), seller, "key:c", guard.Default(), was); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	if _, err := s.PutCosts(t.Context(), seller, "key:c", costs, ""); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	_, hash, _ := s.CostsFile(t.Context(), seller)
	if _, err := s.PutCosts(t.Context(), seller, "key:d", nil, hash); err == nil {
		t.Error("costs without a heading were taken")
	}
	none := []byte("sku,cost,currency\n")
	c, err := s.PutCosts(t.Context(), seller, "key:d", none, hash)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"costs key:d " + hash + " " + c.Hash(), "settings key:a " + was + " " + tight().Hash(), "costs key:b  " + hash}
	if got := notices(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	first, last := clk.Now().Add(-time.Minute), clk.Now()
	for _, c := range []struct {
		from, until time.Time
		want        int
	}{{first, last, 2}, {first.Add(time.Millisecond), last, 0}, {first, last.Add(time.Millisecond), 3}, {last, last.Add(time.Hour), 1}, {time.Time{}, first, 0}} {
		if list, err := s.Between(t.Context(), seller, c.from, c.until); err != nil || len(list) != c.want || (c.want > 1 && (list[0].What != guard.ChangedCosts || list[0].Actor != "key:b")) {
			t.Errorf("between %s and %s: %+v, %v, want %d", c.from, c.until, list, err, c.want)
		}
	}
	if list, _, err := s.Notices(t.Context(), stranger, "", 50); err != nil || len(list) != 0 {
		t.Errorf("another tenant: %v, %v", list, err)
	}
}
