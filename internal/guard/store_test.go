package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	seller   = tenant.ID("t_seller0001")
	stranger = tenant.ID("t_stranger01")
)

func newStore() *guard.Store {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	return &guard.Store{DB: keeps{memory.New(clk)}, Clock: clk}
}

// keeps refuses to delete, as the role of who changes guards and costs does.
type keeps struct{ *memory.DB }

func (keeps) Delete(context.Context, tenant.ID, store.Table, store.Key, ...store.Cond) error {
	return errors.New("not allowed")
}

func tight() guard.Settings {
	s := guard.Default()
	s.Rules = []guard.Rule{{Limits: drops(5)}}
	return s
}

func TestSettingsAreReplacedOnlyByWhoSawThem(t *testing.T) {
	t.Parallel()
	s := newStore()
	first, err := s.Put(t.Context(), seller, "key:a", tight(), guard.Default().Hash())
	if err != nil || first.Version != 1 {
		t.Fatal(first, err)
	}
	if _, err := s.Put(t.Context(), seller, "key:b", guard.Default(), guard.Default().Hash()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("settings that were not seen were replaced: %v", err)
	}
	got, err := s.Get(t.Context(), seller)
	if err != nil || got.Hash() != tight().Hash() || got.Actor != "key:a" {
		t.Errorf("got %+v, %v", got, err)
	}
	set, err := s.Load(t.Context(), seller)
	if err != nil || set.For(key(de, "A")).HoldDropPercent != 5 {
		t.Errorf("loaded %+v, %v", set, err)
	}
	if set, err := s.Load(t.Context(), stranger); err != nil || set.For(key(de, "A")).HoldDropPercent != 30 {
		t.Errorf("another tenant has %+v, %v", set, err)
	}
	again, err := s.Put(t.Context(), seller, "key:b", guard.Default(), first.Hash())
	if err != nil || again.Version != 2 {
		t.Fatal(again, err)
	}
	if set, err := s.Load(t.Context(), seller); err != nil || set.For(key(de, "A")).HoldDropPercent != 30 {
		t.Errorf("loaded the settings before: %+v, %v", set, err)
	}
}

func TestOfManyWritersOneReplacesTheSettings(t *testing.T) {
	t.Parallel()
	s := newStore()
	var won sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			next := guard.Default()
			next.Rules = []guard.Rule{{Limits: drops(int64(i))}}
			if _, err := s.Put(t.Context(), seller, "key:a", next, guard.Default().Hash()); err == nil {
				won.Store(i, true)
			} else if fault.KindOf(err) != fault.Conflict {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 8 writers replaced the same settings", n)
	}
}

func TestSettingsThatCannotBeReadAreNotTheDefaults(t *testing.T) {
	t.Parallel()
	s := newStore()
	for _, bad := range []string{`{`, `{"breaker":{"drop_percent":-1}}`} {
		err := s.DB.Put(t.Context(), seller, store.Offers, store.Item{Key: store.Key{PK: "guards", SK: "settings"}, Attrs: map[string]any{"settings": []byte(bad), "ver": int64(1)}})
		if err != nil {
			t.Fatal(err)
		}
		if set, err := s.Load(t.Context(), seller); err == nil {
			t.Errorf("%s was loaded as %+v", bad, set)
		}
	}
}

func TestCostsOfManyPiecesAreReplacedWhole(t *testing.T) {
	t.Parallel()
	s := newStore()
	file := func(minor int) []byte {
		var b bytes.Buffer
		b.WriteString("sku,cost,currency\n")
		for i := range 40_000 {
			fmt.Fprintf(&b, "SKU-%d,%d.00,EUR\n", i, minor)
		}
		return b.Bytes()
	}
	margin := guard.Default()
	margin.Rules = []guard.Rule{{Limits: guard.Limits{MarginPercent: ptr[int64](0)}}}
	if _, err := s.Put(t.Context(), seller, "key:a", margin, guard.Default().Hash()); err != nil {
		t.Fatal(err)
	}
	was := ""
	for _, cost := range []int{3, 4, 3} {
		c, err := s.PutCosts(t.Context(), seller, "key:a", file(cost), was)
		if err != nil || c.Len() != 40_000 {
			t.Fatal(c.Len(), err)
		}
		if _, err := s.PutCosts(t.Context(), seller, "key:a", file(9), "stale"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("costs that were not seen were replaced: %v", err)
		}
		was = c.Hash()
		body, hash, err := s.CostsFile(t.Context(), seller)
		if err != nil || hash != was || !bytes.Equal(body, file(cost)) {
			t.Fatalf("read %d bytes with hash %s, %v", len(body), hash, err)
		}
		set, err := s.Load(t.Context(), seller)
		if err != nil {
			t.Fatal(err)
		}
		if g := set.For(key(de, "SKU-39999")); g.Cost == nil || g.Cost.Minor() != int64(cost)*100 {
			t.Errorf("the last SKU costs %v, want %d.00", g.Cost, cost)
		}
	}
	s.Clock.(*clock.Manual).Advance(time.Second)
	if n, pieces := s.DB.(keeps).Expire(), (len(file(3))+300<<10-1)/(300<<10); n != 2*pieces {
		t.Errorf("%d pieces of costs that were replaced went, want %d twice", n, pieces)
	}
	if body, _, err := s.CostsFile(t.Context(), seller); err != nil || !bytes.Equal(body, file(3)) {
		t.Errorf("the costs that stand went too: %d bytes, %v", len(body), err)
	}
	if body, hash, err := s.CostsFile(t.Context(), stranger); err != nil || body != nil || hash != "" {
		t.Errorf("another tenant reads %d bytes, %v", len(body), err)
	}
}

// reads counts what is read one by one, as the pieces of costs are.
type reads struct {
	store.DB
	n int
}

func (r *reads) Get(ctx context.Context, t tenant.ID, table store.Table, k store.Key) (store.Item, error) {
	r.n++
	return r.DB.Get(ctx, t, table, k)
}

func TestNoMoreCostsAreRememberedThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	for most, again := range map[int]int{3: 1, 4: 0} { // two tenants have two costs each
		s := newStore()
		s.MostCosts = most
		for _, who := range []tenant.ID{seller, stranger} {
			if _, err := s.PutCosts(t.Context(), who, "key:a", []byte("sku,cost,currency\nA,1.00,EUR\nB,2.00,EUR\n"), ""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load(t.Context(), who); err != nil {
				t.Fatal(err)
			}
		}
		counted := &reads{DB: s.DB}
		s.DB = counted
		for _, who := range []tenant.ID{stranger, seller} { // the latest first
			if set, err := s.Load(t.Context(), who); err != nil || set.Costs.Len() != 2 {
				t.Fatal(err)
			}
		}
		if counted.n != again {
			t.Errorf("with room for %d, costs were read %d times anew, want %d", most, counted.n, again)
		}
	}
}

// Changing a tenant's guards tells who, from what and to what.
func TestAChangeOfGuardsIsALedgerEvent(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	s := &guard.Store{DB: db, Clock: clk}
	if _, err := s.Put(t.Context(), seller, "key:a", tight(), guard.Default().Hash()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutCosts(t.Context(), seller, "key:b", []byte("sku,cost,currency\nA,1,EUR\n"), ""); err != nil {
		t.Fatal(err)
	}
	var got []ledger.Event
	for _, r := range db.Records(store.Offers, "") {
		got = append(got, guard.Events(r)...)
	}
	if len(got) != 2 || got[0].Type != ledger.GuardsChanged || got[0].Actor != "key:a" || got[1].Actor != "key:b" {
		t.Fatalf("events: %+v", got)
	}
	var before, after guard.Settings
	if err := json.Unmarshal(got[0].Before, &before); err != nil || before.Hash() != guard.Default().Hash() {
		t.Errorf("before: %s, %v", got[0].Before, err)
	}
	if err := json.Unmarshal(got[0].After, &after); err != nil || after.Hash() != tight().Hash() {
		t.Errorf("after: %s, %v", got[0].After, err)
	}
	if got[1].Target != "guards:costs" || !bytes.Contains(got[1].After, []byte(`"costs":1`)) {
		t.Errorf("costs: %+v %s", got[1], got[1].After)
	}
}
