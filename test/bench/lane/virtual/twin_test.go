//go:build bench

package virtual

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/ddblocal"
)

// twin does every call twice, in memory and in DynamoDB Local, one call after
// the other so that both see the same, and books what each says it costs. The
// answer is DynamoDB Local's.
type twin struct {
	memory  *memory.DB
	dynamo  *dynamo.DB // counts in reported
	probe   *dynamo.DB // looks without being counted
	outside *outside
	clock   clock.Clock
	lagging bool // a write takes its time, see world.lag

	mu       sync.Mutex
	reported *reported
	book     book
}

var _ store.DB = (*twin)(nil)

// newTwin makes the tables that template.yaml declares on a server. It is called
// outside the bubble.
func newTwin(t *testing.T, s *ddblocal.Server) *twin {
	cfg := s.Config()
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	client := dynamodb.NewFromConfig(cfg)
	names, err := ddblocal.Tables(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	r := newReported(client, names)
	w := &twin{dynamo: dynamo.New(r, names), probe: dynamo.New(client, names), outside: newOutside(), clock: clock.Real{}, reported: r, book: book{}}
	t.Cleanup(w.outside.close)
	return w
}

// over takes the memory of a world as the other half.
func (w *twin) over(m *memory.DB) store.DB {
	w.memory = m
	return w
}

// call makes one call of both. What it writes, if anything, is charged also when
// it fails.
func (w *twin) call(ctx context.Context, kind string, do func(context.Context, store.DB) error, writes ...store.Write) error {
	if len(writes) > 0 && w.lagging {
		_ = w.clock.Sleep(context.WithoutCancel(ctx), dynamoWrite)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.modelled()
	inMemory := do(context.WithoutCancel(ctx), w.memory)
	after := w.modelled()
	var answer error
	var ruled map[store.Table]store.Units
	w.outside.run(func() {
		// The bubble's time is not the network's: nothing of ctx goes there.
		if answer = do(context.Background(), w.dynamo); errors.Is(answer, store.ErrConflict) {
			ruled = w.rule(kind, writes)
		}
	})
	outcome := "done"
	switch {
	case errors.Is(answer, store.ErrConflict):
		outcome = "failed"
	case errors.Is(answer, store.ErrNotFound):
		outcome = "nothing"
	}
	if !alike(inMemory, answer) {
		w.book.breach("%s: memory answers %v and DynamoDB Local %v", kind, inMemory, answer)
	}
	told := w.reported.take()
	for _, table := range store.Tables() {
		l := line{kind: kind, table: table, outcome: outcome}
		e := entry{calls: 1, modelled: after[table].Minus(before[table]), reported: told[table].all, index: told[table].index, ruled: ruled[table]}
		if e != (entry{calls: 1}) {
			w.book.add(l, e)
		}
	}
	return answer
}

func (w *twin) modelled() map[store.Table]store.Units {
	units := map[store.Table]store.Units{}
	for _, t := range store.Tables() {
		units[t] = w.memory.Units(t)
	}
	return units
}

// rule is what writes that failed cost by DynamoDB's documentation: DynamoDB
// Local reports nothing of them. It reads the items that are there, which the
// failure has left as they were.
func (w *twin) rule(kind string, writes []store.Write) map[store.Table]store.Units {
	units := map[store.Table]store.Units{}
	for _, one := range writes {
		var current *store.Item
		item, err := w.probe.Get(context.Background(), one.Tenant, one.Table, one.On())
		switch {
		case err == nil:
			current = &item
		case !errors.Is(err, store.ErrNotFound):
			w.book.breach("look at an item after a failed write: %v", err)
		}
		cost := one.WriteUnits(current)
		if kind == "transact" {
			cost *= 2
		}
		units[one.Table] = units[one.Table].Plus(store.Units{Write: cost})
	}
	return units
}

// alike reports whether two answers mean the same to a caller.
func alike(a, b error) bool {
	for _, kind := range []error{store.ErrNotFound, store.ErrConflict, store.ErrInvalid} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

func (w *twin) Get(ctx context.Context, t tenant.ID, table store.Table, key store.Key) (item store.Item, err error) {
	err = w.call(ctx, "get", func(ctx context.Context, db store.DB) (err error) {
		item, err = db.Get(ctx, t, table, key)
		return err
	})
	return item, err
}

func (w *twin) BatchGet(ctx context.Context, t tenant.ID, table store.Table, keys []store.Key) (items []store.Item, err error) {
	err = w.call(ctx, "batchGet", func(ctx context.Context, db store.DB) (err error) {
		items, err = db.BatchGet(ctx, t, table, keys)
		return err
	})
	return items, err
}

func (w *twin) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (page store.Page, err error) {
	err = w.call(ctx, "query", func(ctx context.Context, db store.DB) (err error) {
		page, err = db.Query(ctx, t, table, q)
		return err
	})
	return page, err
}

func (w *twin) Put(ctx context.Context, t tenant.ID, table store.Table, item store.Item, conds ...store.Cond) error {
	return w.call(ctx, "put", func(ctx context.Context, db store.DB) error {
		return db.Put(ctx, t, table, item, conds...)
	}, store.Write{Tenant: t, Table: table, Put: &item, If: conds})
}

func (w *twin) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (item store.Item, err error) {
	err = w.call(ctx, "update", func(ctx context.Context, db store.DB) (err error) {
		item, err = db.Update(ctx, t, table, key, u)
		return err
	}, store.Write{Tenant: t, Table: table, Key: key, Update: &u})
	return item, err
}

func (w *twin) Delete(ctx context.Context, t tenant.ID, table store.Table, key store.Key, conds ...store.Cond) error {
	return w.call(ctx, "delete", func(ctx context.Context, db store.DB) error {
		return db.Delete(ctx, t, table, key, conds...)
	}, store.Write{Tenant: t, Table: table, Key: key, Delete: true, If: conds})
}

func (w *twin) Transact(ctx context.Context, writes ...store.Write) error {
	return w.call(ctx, "transact", func(ctx context.Context, db store.DB) error {
		return db.Transact(ctx, writes...)
	}, writes...)
}

// startDynamo runs DynamoDB Local, or fails the test with what to install.
func startDynamo(t *testing.T) *ddblocal.Server {
	t.Helper()
	begun := time.Now()
	s, err := ddblocal.Start(t.Context(), ddblocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("DynamoDB Local is up after %.1f s", time.Since(begun).Seconds())
	return s
}
