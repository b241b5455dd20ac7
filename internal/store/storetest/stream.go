package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Stream holds the stream of a backend's Offers table to the promises of
// store.Record. records returns all records so far, in the stream's order; those
// of other tests are told apart by their tenant.
func Stream(t *testing.T, db store.DB, records func(t *testing.T) []store.Record) {
	ctx, a, b := t.Context(), newTenant(), newTenant()
	k := key("p#q", "s")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Put(ctx, a, store.Offers, item(k.PK, k.SK, everything())))
	must(db.Put(ctx, a, store.Offers, item(k.PK, k.SK, everything()))) // changes nothing
	_, err := db.Update(ctx, a, store.Offers, k, store.Update{Set: attrs{"yes": false}})
	must(err)
	_, err = db.Update(ctx, a, store.Offers, k, store.Update{Set: attrs{"yes": false}, Remove: []string{"never there"}})
	must(err)
	if err := db.Put(ctx, a, store.Offers, item(k.PK, k.SK, attrs{}), store.Absent()); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	must(db.Put(ctx, b, store.Offers, item(k.PK, k.SK, attrs{"of": "b"})))
	must(db.Transact(ctx,
		put(a, item(k.PK, "s2", attrs{"v": int64(1)})),
		check(a, key(k.PK, "s3"), store.Absent()),
		remove(a, key(k.PK, "s4")),
	))
	must(db.Delete(ctx, a, store.Offers, k))
	must(db.Delete(ctx, a, store.Offers, k)) // of nothing

	changed := everything()
	changed["yes"] = false
	at := func(sk string, a attrs) *store.Item { return &store.Item{Key: key(k.PK, sk), Attrs: a} }
	record := func(id tenant.ID, sk string, old, now *store.Item) store.Record {
		return store.Record{Table: store.Offers, Tenant: id, Key: key(k.PK, sk), Old: old, New: now}
	}
	want := map[tenant.ID][]store.Record{
		a: {
			record(a, "s", nil, at("s", everything())),
			record(a, "s", at("s", everything()), at("s", changed)),
			record(a, "s2", nil, at("s2", attrs{"v": int64(1)})),
			record(a, "s", at("s", changed), nil),
		},
		b: {record(b, "s", nil, at("s", attrs{"of": "b"}))},
	}
	got := map[tenant.ID][]store.Record{}
	for _, r := range records(t) {
		if r.Tenant == a || r.Tenant == b {
			got[r.Tenant] = append(got[r.Tenant], r)
		}
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Record{}, "Seq", "At")); d != "" {
		t.Fatalf("records (-want +got):\n%s", d)
	}
	for i, r := range got[a] {
		if r.At.IsZero() {
			t.Errorf("record %d has no time", i)
		}
		if i > 0 && store.CompareSeq(got[a][i-1].Seq, r.Seq) >= 0 {
			t.Errorf("record %d has number %s after %s", i, r.Seq, got[a][i-1].Seq)
		}
	}
}
