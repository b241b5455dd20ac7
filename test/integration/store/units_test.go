package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// The simulations count cost in memory, so memory must count what DynamoDB does.
// The two servers know most of the rules but not all; where they differ from
// DynamoDB's documentation ("Read and write capacity", "Transactions: capacity
// management") the other server, at least, agrees with it.

func TestMemoryCountsTheUnitsOfTheLocalAWS(t *testing.T) {
	t.Parallel()
	compareUnits(t, cloudConfig(t), map[string]store.Units{
		"a get of 5 KB":           {Read: 1},
		"a query of 5 KB":         {Read: 1},
		"a batch, each by itself": {},
	})
}

func TestMemoryCountsTheUnitsOfDynamoDBLocal(t *testing.T) {
	t.Parallel()
	compareUnits(t, dynamoLocalConfig(t), map[string]store.Units{
		"a transaction":           {Write: 2 * (1 + 4 + 6)}, // the check of nothing is free
		"a query of nothing":      {},
		"a batch, each by itself": {Read: 2}, // the missing item is free
	})
}

func compareUnits(t *testing.T, cfg aws.Config, differs map[string]store.Units) {
	t.Helper()
	client := dynamodb.NewFromConfig(cfg)
	server := dynamo.New(client, tables(t, client, "units"), dynamo.CountUnits())
	mem := memory.New(clock.NewManual(time.Unix(0, 0)))
	const id = tenant.ID("t_unitcount")
	ctx, k := t.Context(), func(sk string) store.Key { return store.Key{PK: "p", SK: sk} }
	kb := func(sk string, n int) store.Item {
		return store.Item{Key: k(sk), Attrs: map[string]any{"b": make([]byte, n<<10), "n": int64(n)}}
	}
	resize := func(n int) store.Update { return store.Update{Set: map[string]any{"b": make([]byte, n<<10)}} }
	write := func(w store.Write) store.Write { w.Tenant, w.Table = id, store.Offers; return w }
	item := func(sk string, n int) *store.Item { it := kb(sk, n); return &it }

	for _, step := range []struct {
		what string
		do   func(store.DB) error
		want store.Units
	}{
		{"a small put", func(db store.DB) error { return db.Put(ctx, id, store.Offers, kb("s", 0)) }, store.Units{Write: 1}},
		{"a growing put", func(db store.DB) error { return db.Put(ctx, id, store.Offers, kb("s", 2)) }, store.Units{Write: 3}},
		{"a shrinking put", func(db store.DB) error { return db.Put(ctx, id, store.Offers, kb("s", 0)) }, store.Units{Write: 3}},
		{"a growing update", func(db store.DB) error {
			_, err := db.Update(ctx, id, store.Offers, k("s"), resize(5))
			return err
		}, store.Units{Write: 6}},
		{"a get of 5 KB", func(db store.DB) error { _, err := db.Get(ctx, id, store.Offers, k("s")); return err }, store.Units{Read: 2}},
		{"a get of nothing", func(db store.DB) error { _, err := db.Get(ctx, id, store.Offers, k("none")); return err }, store.Units{Read: 1}},
		{"a failed condition", func(db store.DB) error { return db.Put(ctx, id, store.Offers, kb("s", 9), store.Absent()) }, store.Units{Write: 10}},
		{"a failed condition on nothing", func(db store.DB) error { return db.Put(ctx, id, store.Offers, kb("none", 9), store.Exists()) }, store.Units{Write: 10}},
		{"a failed update", func(db store.DB) error {
			_, err := db.Update(ctx, id, store.Offers, k("s"), store.Update{
				Set: map[string]any{"b": make([]byte, 7<<10)}, Add: map[string]int64{"more": 5}, Remove: []string{"n"}, If: []store.Cond{store.Missing("n")},
			})
			return err
		}, store.Units{Write: 8}},
		{"a failed delete", func(db store.DB) error { return db.Delete(ctx, id, store.Offers, k("s"), store.Missing("n")) }, store.Units{Write: 6}},
		{"a transaction", func(db store.DB) error {
			u := resize(1)
			return db.Transact(ctx, write(store.Write{Put: item("t1", 0)}), write(store.Write{Put: item("t2", 3)}),
				write(store.Write{Key: k("s"), Update: &u}),
				write(store.Write{Key: k("none"), Check: true, If: []store.Cond{store.Absent()}}))
		}, store.Units{Write: 2 * (1 + 4 + 6 + 1)}},
		{"a failed transaction", func(db store.DB) error {
			return db.Transact(ctx, write(store.Write{Put: item("t2", 0), If: []store.Cond{store.Absent()}}))
		}, store.Units{Write: 2 * 4}},
		{"a query of 5 KB", func(db store.DB) error {
			_, err := db.Query(ctx, id, store.Offers, store.Query{PK: "p"})
			return err
		}, store.Units{Read: 2}},
		{"a query of nothing", func(db store.DB) error {
			_, err := db.Query(ctx, id, store.Offers, store.Query{PK: "unknown"})
			return err
		}, store.Units{Read: 1}},
		{"a batch, each by itself", func(db store.DB) error {
			_, err := db.BatchGet(ctx, id, store.Offers, []store.Key{k("t1"), k("t2"), k("none")})
			return err
		}, store.Units{Read: 3}},
		{"a delete", func(db store.DB) error { return db.Delete(ctx, id, store.Offers, k("t2")) }, store.Units{Write: 4}},
		{"a delete of nothing", func(db store.DB) error { return db.Delete(ctx, id, store.Offers, k("t2")) }, store.Units{Write: 1}},
	} {
		beforeReal, beforeMem := server.Units(), mem.Units()
		errReal, errMem := step.do(server), step.do(mem)
		if (errReal == nil) != (errMem == nil) || errors.Is(errReal, store.ErrConflict) != errors.Is(errMem, store.ErrConflict) {
			t.Fatalf("%s: errors are %v and %v", step.what, errReal, errMem)
		}
		wantReal, known := differs[step.what]
		if !known {
			wantReal = step.want
		}
		if got := server.Units().Minus(beforeReal); got != wantReal {
			t.Errorf("%s costs %+v in DynamoDB, want %+v", step.what, got, wantReal)
		}
		if got := mem.Units().Minus(beforeMem); got != step.want {
			t.Errorf("%s costs %+v in memory, want %+v", step.what, got, step.want)
		}
	}
	if got := mem.Units(store.Ledger, store.Keys); got != (store.Units{}) {
		t.Errorf("other tables cost %+v", got)
	}
}
