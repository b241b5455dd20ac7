package memory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/store/storetest"
	"pricemanager/internal/tenant"
)

const seller = tenant.ID("t_aaaaaa")

var epoch = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func key(sk string) store.Key { return store.Key{PK: "p", SK: sk} }

func item(sk string, v int64) store.Item {
	return store.Item{Key: key(sk), Attrs: map[string]any{"v": v}}
}

func put(sk string, v int64, conds ...store.Cond) store.Write {
	it := item(sk, v)
	return store.Write{Tenant: seller, Table: store.Offers, Put: &it, If: conds}
}

func open() (*memory.DB, *clock.Manual) {
	clk := clock.NewManual(epoch)
	return memory.New(clk), clk
}

func TestMemoryKeepsThePromisesOfDB(t *testing.T) {
	t.Parallel()
	storetest.DB(t, func(*testing.T) store.DB { db, _ := open(); return db })
}

func TestMemoryStreamsReportEveryChange(t *testing.T) {
	t.Parallel()
	db, _ := open()
	storetest.Stream(t, db, func(*testing.T) []store.Record { return db.Records(store.Offers, "") })
}

func TestTheHookFailsWritesBeforeOrAfterTheirEffect(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for what, c := range map[string]struct {
		apply        bool
		answer, want error
		written      bool
	}{
		"nothing happens":     {true, nil, nil, true},
		"fails before":        {false, boom, boom, false},
		"fails after":         {true, boom, boom, true},
		"dropped in silence":  {false, nil, memory.ErrDropped, false},
		"throttled before it": {false, store.ErrThrottled, store.ErrThrottled, false},
	} {
		db, _ := open()
		var ops []memory.Op
		db.Hook = func(op memory.Op) (bool, error) { ops = append(ops, op); return c.apply, c.answer }
		_, updateErr := db.Update(t.Context(), seller, store.Offers, key("update"), store.Update{Set: map[string]any{"v": int64(1)}})
		for kind, err := range map[string]error{
			"put": db.Put(t.Context(), seller, store.Offers, item("put", 1)), "update": updateErr,
			"transact": db.Transact(t.Context(), put("t1", 1), put("t2", 1)),
			"delete":   db.Delete(t.Context(), seller, store.Offers, key("none")),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: error is %v, want %v", what, kind, err, c.want)
			}
		}
		items, err := db.BatchGet(t.Context(), seller, store.Offers, []store.Key{key("put"), key("update"), key("t1"), key("t2")})
		if err != nil || (len(items) == 4) != c.written || (len(items) == 0) == c.written {
			t.Errorf("%s: %d items are there, %v", what, len(items), err)
		}
		if len(ops) != 4 || ops[0].Kind != memory.Update || len(ops[0].Writes) != 1 || ops[0].Writes[0].On() != key("update") {
			t.Errorf("%s: the hook saw %v", what, ops)
		}
	}
}

func TestTheHookIsNotAskedAboutMalformedWrites(t *testing.T) {
	t.Parallel()
	db, _ := open()
	db.Hook = func(memory.Op) (bool, error) { t.Error("asked"); return true, nil }
	if err := db.Delete(t.Context(), seller, store.Offers, store.Key{}); !errors.Is(err, store.ErrInvalid) {
		t.Error(err)
	}
}

func TestALostAnswerHidesAConflict(t *testing.T) {
	t.Parallel()
	db, _ := open()
	lost := errors.New("connection reset")
	db.Hook = func(memory.Op) (bool, error) { return true, lost }
	if err := db.Put(t.Context(), seller, store.Offers, item("s", 1), store.Exists()); !errors.Is(err, lost) || errors.Is(err, store.ErrConflict) {
		t.Errorf("error is %v, want only %v", err, lost)
	}
}

func TestAReaderSeesWhatComesAfterItInOrder(t *testing.T) {
	t.Parallel()
	db, _ := open()
	must(t, db.Transact(t.Context(), put("before", 0)))
	r := db.Subscribe(store.Offers)
	if got := r.Poll(10); len(got) != 0 {
		t.Errorf("a new reader sees %v", got)
	}
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				must(t, db.Transact(t.Context(), put(fmt.Sprint(w), int64(i+1))))
			}
		})
	}
	last, seq := map[string]int64{}, ""
	for n := 0; n < writers*each; {
		recs, err := r.Read(t.Context(), 7) // waits for the writers
		if err != nil || len(recs) == 0 || len(recs) > 7 {
			t.Fatalf("Read = %d records, %v", len(recs), err)
		}
		for _, rec := range recs {
			if v := rec.New.Int("v"); v != last[rec.Key.SK]+1 || store.CompareSeq(seq, rec.Seq) >= 0 {
				t.Fatalf("record %+v comes after version %d and number %s", rec, last[rec.Key.SK], seq)
			}
			last[rec.Key.SK], seq = rec.New.Int("v"), rec.Seq
		}
		n += len(recs)
	}
	wg.Wait()
	if got := r.Poll(10); len(got) != 0 {
		t.Errorf("records from nowhere: %v", got)
	}
}

func TestATrimmedStreamGoesOnBehindTheGap(t *testing.T) {
	t.Parallel()
	db, clk := open()
	r := db.Subscribe(store.Offers)
	for i := range 10 {
		clk.Advance(time.Second)
		must(t, db.Transact(t.Context(), put("s", int64(i))))
	}
	all := db.Records(store.Offers, "")
	if len(all) != 10 || all[9].At != epoch.Add(10*time.Second) {
		t.Fatalf("records are %v", all)
	}
	db.Trim(store.Offers, all[5].Seq)
	db.Trim(store.Offers, all[2].Seq) // gone already
	if got := r.Poll(1); len(got) != 1 || got[0].Seq != all[6].Seq {
		t.Errorf("the reader goes on with %v, want number %s", got, all[6].Seq)
	}
	if got := db.Records(store.Offers, all[7].Seq); len(got) != 2 || got[0].Seq != all[8].Seq {
		t.Errorf("after %s come %v", all[7].Seq, got)
	}
	db.Trim(store.Offers, all[9].Seq)
	must(t, db.Transact(t.Context(), put("s", 99)))
	if got := db.Records(store.Offers, ""); len(got) != 1 || store.CompareSeq(got[0].Seq, all[9].Seq) <= 0 {
		t.Errorf("after trimming all, the stream has %v", got)
	}
}

func TestOnlyTheLedgerKeysAndLimitsHaveNoStream(t *testing.T) {
	t.Parallel()
	db, _ := open()
	for _, table := range store.Tables() {
		must(t, db.Put(t.Context(), seller, table, item("s", 1)))
	}
	for _, table := range store.Streamed() {
		if got := db.Records(table, ""); len(got) != 1 || got[0].Table != table {
			t.Errorf("the stream of %s has %v", table, got)
		}
	}
	quiet, _ := open()
	quiet.NoStreams = true
	must(t, quiet.Put(t.Context(), seller, store.Offers, item("s", 1)))
	if got := quiet.Records(store.Offers, ""); len(got) != 0 {
		t.Errorf("a DB without streams has recorded %v", got)
	}
}

func TestExpiryDeletesOnlyWhatHasPassedAndSaysSo(t *testing.T) {
	t.Parallel()
	db, clk := open()
	for sk, ttl := range map[string]int64{"now": 0, "later": 3600, "past": -1} {
		it := item(sk, 1)
		it.Attrs["ttl"] = epoch.Unix() + ttl
		must(t, db.Put(t.Context(), seller, store.Identity, it))
	}
	must(t, db.Put(t.Context(), seller, store.Identity, item("forever", 1)))
	if n := db.Expire(); n != 1 {
		t.Errorf("%d items expired, want the one of the past", n)
	}
	clk.Advance(time.Second)
	if n := db.Expire(); n != 1 {
		t.Errorf("%d items expired a second later, want one", n)
	}
	page, err := db.Query(t.Context(), seller, store.Identity, store.Query{PK: "p"})
	if err != nil || len(page.Items) != 2 || page.Items[0].SK != "forever" || page.Items[1].SK != "later" {
		t.Errorf("left are %v, %v", page.Items, err)
	}
	var gone []string
	for _, r := range db.Records(store.Identity, "") {
		if r.Expired && r.New == nil && r.Old != nil {
			gone = append(gone, r.Key.SK)
		}
	}
	if fmt.Sprint(gone) != "[past now]" {
		t.Errorf("the stream calls %v expired", gone)
	}
}

func TestEachFindsEveryItemOfEveryTenant(t *testing.T) {
	t.Parallel()
	db, _ := open()
	want := map[string]bool{}
	for i := range 300 {
		id, table := tenant.ID(fmt.Sprintf("t_many%02d", i%7)), store.Tables()[i%7]
		sk := fmt.Sprint(i)
		must(t, db.Put(t.Context(), id, table, item(sk, int64(i))))
		want[fmt.Sprint(id, table, sk, i)] = true
	}
	db.Each(func(id tenant.ID, table store.Table, it store.Item) bool {
		delete(want, fmt.Sprint(id, table, it.SK, it.Int("v")))
		return true
	})
	if len(want) != 0 {
		t.Errorf("not found: %v", want)
	}
	n := 0
	db.Each(func(tenant.ID, store.Table, store.Item) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("visited %d after being told to stop at 3", n)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// BenchmarkChange is one price change as the lane writes it: 4 updates under a
// condition, on a catalogue of 100,000 offers in one partition.
func BenchmarkChange(b *testing.B) {
	for _, streams := range []bool{false, true} {
		b.Run(fmt.Sprintf("streams=%t", streams), func(b *testing.B) {
			db, _ := open()
			db.NoStreams = !streams
			const offers = 100_000
			keys := make([]store.Key, offers)
			for i := range offers {
				keys[i] = key(fmt.Sprintf("SKU-%06d", i*7919%offers))
				must(b, db.Put(b.Context(), seller, store.Offers, store.Item{Key: keys[i], Attrs: map[string]any{
					"v": int64(0), "price": "19.99", "currency": "EUR", "state": "observed", "at": int64(1), "sent": int64(0), "body": make([]byte, 200),
				}}))
			}
			reader := db.Subscribe(store.Offers)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				v := int64(i/offers) * 4
				for step := range int64(4) {
					_, err := db.Update(b.Context(), seller, store.Offers, keys[i%offers], store.Update{
						Set: map[string]any{"v": v + step + 1, "state": "desired", "at": int64(i)}, If: []store.Cond{store.Eq("v", v+step)},
					})
					must(b, err)
				}
				if streams {
					if recs := reader.Poll(200); len(recs) > 0 {
						db.Trim(store.Offers, recs[len(recs)-1].Seq)
					}
				}
			}
		})
	}
}
