package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// byName records every change of an item under the item's name; an item called
// "bad" makes it panic, "silent" means nothing.
func byName(r store.Record) []ledger.Event {
	switch r.New.Str("name") {
	case "bad":
		panic("an item that cannot be")
	case "silent":
		return nil
	}
	return []ledger.Event{{Type: ledger.ChangeDesired, Target: r.New.Str("name")}}
}

func pump(l *ledger.Log) *ledger.Pump {
	return &ledger.Pump{Log: l, Mappers: map[store.Table]ledger.Mapper{store.Offers: byName}}
}

func put(tb testing.TB, db *memory.DB, t tenant.ID, table store.Table, pk, sk, name string) {
	tb.Helper()
	item := store.Item{Key: store.Key{PK: pk, SK: sk}, Attrs: map[string]any{"name": name}}
	if err := db.Put(context.Background(), t, table, item); err != nil {
		tb.Fatal(err)
	}
}

func TestThePumpRecordsEachChangeOnceHoweverOftenDelivered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		want := map[tenant.ID][]string{}
		tenants := []tenant.ID{tenantA, tenantB}
		for i := range rapid.IntRange(1, 30).Draw(rt, "changes") {
			id := rapid.SampledFrom(tenants).Draw(rt, "tenant")
			name := fmt.Sprintf("n%d", i)
			put(t, w.db, id, store.Offers, "p1", "s", name)
			want[id] = append(want[id], name)
		}
		records := w.db.Records(store.Offers, "")
		p := pump(w.log())
		for pos := 0; pos < len(records); {
			from := rapid.IntRange(0, pos).Draw(rt, "from")
			to := rapid.IntRange(pos+1, len(records)).Draw(rt, "to")
			failed, err := p.Handle(context.Background(), records[from:to])
			if err != nil || len(failed) != 0 {
				rt.Fatalf("handle: %v, %v", failed, err)
			}
			pos = to
		}
		for _, id := range tenants {
			if got := targets(t, w.log(), id); !slices.Equal(got, want[id]) {
				rt.Fatalf("%s: %v, want %v", id, got, want[id])
			}
		}
	})
}

func TestItemsOfOnePKMayArriveInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put(t, w.db, tenantA, store.Offers, "p1", "x", "x1")
	put(t, w.db, tenantA, store.Offers, "p1", "y", "y1")
	put(t, w.db, tenantA, store.Offers, "p1", "x", "x2")
	r := w.db.Records(store.Offers, "")
	for _, batch := range [][]store.Record{{r[1]}, {r[0], r[2]}} {
		if failed, err := pump(w.log()).Handle(context.Background(), batch); err != nil || len(failed) != 0 {
			t.Fatalf("handle: %v, %v", failed, err)
		}
	}
	if got := targets(t, w.log(), tenantA); !slices.Equal(got, []string{"y1", "x1", "x2"}) {
		t.Errorf("events of %v", got)
	}
}

func TestABadRecordIsReportedAndHoldsBackOnlyItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put(t, w.db, tenantA, store.Offers, "p1", "s", "a1")
	put(t, w.db, tenantA, store.Offers, "p1", "s", "bad")
	put(t, w.db, tenantB, store.Offers, "p1", "s", "b1")
	put(t, w.db, tenantA, store.Offers, "p1", "s", "a2")
	records := w.db.Records(store.Offers, "")
	failed, err := pump(w.log()).Handle(context.Background(), records)
	if err == nil || !slices.Equal(failed, []string{records[1].Seq}) {
		t.Fatalf("failed %v (%v), want the second record", failed, err)
	}
	if got := targets(t, w.log(), tenantA); !slices.Equal(got, []string{"a1"}) {
		t.Errorf("tenant A: %v: order past a failed record", got)
	}
	if got := targets(t, w.log(), tenantB); !slices.Equal(got, []string{"b1"}) {
		t.Errorf("tenant B: %v", got)
	}
	// Delivered again from the failed record on, now mapped: nothing twice.
	good := &ledger.Pump{Log: w.log(), Mappers: map[store.Table]ledger.Mapper{
		store.Offers: func(r store.Record) []ledger.Event {
			return []ledger.Event{{Type: ledger.ChangeDesired, Target: r.New.Str("name")}}
		},
	}}
	if failed, err := good.Handle(context.Background(), records[1:]); err != nil || len(failed) != 0 {
		t.Fatalf("second delivery: %v, %v", failed, err)
	}
	if got := targets(t, w.log(), tenantA); !slices.Equal(got, []string{"a1", "bad", "a2"}) {
		t.Errorf("tenant A: %v", got)
	}
}

func TestAStoreFailureReportsTheTenantsFirstRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put(t, w.db, tenantA, store.Offers, "p1", "s", "silent")
	put(t, w.db, tenantB, store.Offers, "p1", "s", "b1")
	put(t, w.db, tenantA, store.Offers, "p1", "s", "a1")
	put(t, w.db, tenantA, store.Offers, "p1", "s", "a2")
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Writes[0].Table == store.Ledger && op.Writes[0].Tenant == tenantA {
			return false, errors.New("down")
		}
		return true, nil
	}
	records := w.db.Records(store.Offers, "")
	failed, err := pump(w.log()).Handle(context.Background(), records)
	if !slices.Equal(failed, []string{records[2].Seq}) || err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("failed %v, %v; want the record of a1", failed, err)
	}
	if got := targets(t, w.log(), tenantB); !slices.Equal(got, []string{"b1"}) {
		t.Errorf("tenant B: %v", got)
	}
}

func TestARecordOfATableWithoutMapperFailsAndTheDirectoryIsSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put(t, w.db, store.Directory, store.Identity, "key", "s", "x")
	put(t, w.db, tenantA, store.Identity, "member", "s", "x")
	records := w.db.Records(store.Identity, "")
	failed, err := pump(w.log()).Handle(context.Background(), records)
	if !slices.Equal(failed, []string{records[1].Seq}) || err == nil {
		t.Errorf("failed %v, %v; want the tenant's record", failed, err)
	}
}

func TestAnEventTakesTimeAndSourceFromItsRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put(t, w.db, tenantA, store.Offers, "p1", "s", "a1")
	if _, err := pump(w.log()).Handle(context.Background(), w.db.Records(store.Offers, "")); err != nil {
		t.Fatal(err)
	}
	leaves, err := w.log().Events(context.Background(), tenantA, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"v":1,"type":"change.desired","at":"2026-03-01T12:00:00Z","target":"a1","source":"offers"}`
	if string(leaves[0].Event) != want {
		t.Errorf("event %s, want %s", leaves[0].Event, want)
	}
}

// A table's stream, cut into shards, is worked off at once by processes
// that know nothing of each other; shards deliver again what they delivered, and
// whole deliveries overtake each other between shards.
func TestConcurrentStreamsGiveEachChangeOnceInItsItemsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		const items, changes = 4, 60
		want := map[string][]string{} // by item
		for i := range changes {
			item := rapid.IntRange(0, items-1).Draw(rt, "item")
			sk := fmt.Sprintf("s%d", item)
			name := fmt.Sprintf("%s-%03d", sk, i)
			put(t, w.db, tenantA, store.Offers, "p1", sk, name)
			want[sk] = append(want[sk], name)
		}
		shards := make([][]store.Record, items) // an item's changes are of one shard
		for _, r := range w.db.Records(store.Offers, "") {
			s := int(r.Key.SK[1]-'0') % len(shards)
			shards[s] = append(shards[s], r)
		}
		var wg sync.WaitGroup
		for _, shard := range shards {
			var batches [][]store.Record
			for pos := 0; pos < len(shard); {
				from := rapid.IntRange(0, pos).Draw(rt, "from")
				to := rapid.IntRange(pos+1, len(shard)).Draw(rt, "to")
				batches = append(batches, shard[from:to])
				pos = to
			}
			for range 2 { // the same shard by two processes at once
				wg.Go(func() {
					for _, b := range batches {
						// A lost race is tried again, as the stream does.
						for failed := b; len(failed) > 0; {
							seqs, _ := pump(w.log()).Handle(context.Background(), failed)
							if len(seqs) == 0 {
								break
							}
							i := slices.IndexFunc(failed, func(r store.Record) bool { return r.Seq == seqs[0] })
							failed = failed[i:]
						}
					}
				})
			}
		}
		wg.Wait()
		got := map[string][]string{}
		for _, name := range targets(t, w.log(), tenantA) {
			sk, _, _ := strings.Cut(name, "-")
			got[sk] = append(got[sk], name)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("recorded %v, want %v", got, want)
		}
	})
}
