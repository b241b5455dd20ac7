package apply

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// errDied ends a worker.
var errDied = errors.New("the worker died")

// mortal is a worker that dies at one of its side effects: before it, or after it
// took effect. From then on nothing of it works.
type mortal struct {
	left  int // side effects until then
	after bool
	dead  bool
}

// does runs a side effect, unless the worker is dead.
func (m *mortal) does(effect func() error) error {
	if m.dead {
		return errDied
	}
	if m.left--; m.left > 0 {
		return effect()
	}
	m.dead = true
	if m.after {
		if err := effect(); err != nil {
			return err
		}
	}
	return errDied
}

type mortalDB struct {
	store.DB
	m *mortal
}

func (d mortalDB) Put(ctx context.Context, t tenant.ID, table store.Table, it store.Item, conds ...store.Cond) error {
	return d.m.does(func() error { return d.DB.Put(ctx, t, table, it, conds...) })
}

func (d mortalDB) Update(ctx context.Context, t tenant.ID, table store.Table, k store.Key, u store.Update) (out store.Item, err error) {
	err = d.m.does(func() error { out, err = d.DB.Update(ctx, t, table, k, u); return err })
	return out, err
}

func (d mortalDB) Delete(ctx context.Context, t tenant.ID, table store.Table, k store.Key, conds ...store.Cond) error {
	return d.m.does(func() error { return d.DB.Delete(ctx, t, table, k, conds...) })
}

func (d mortalDB) Transact(ctx context.Context, writes ...store.Write) error {
	return d.m.does(func() error { return d.DB.Transact(ctx, writes...) })
}

type mortalBlobs struct {
	store.Blobs
	m *mortal
}

func (b mortalBlobs) Put(ctx context.Context, t tenant.ID, bucket store.Bucket, name, typ string, body []byte) error {
	return b.m.does(func() error { return b.Blobs.Put(ctx, t, bucket, name, typ, body) })
}

type mortalQueue struct {
	store.Queue
	m *mortal
}

func (q mortalQueue) Send(ctx context.Context, body []byte, delay time.Duration) error {
	return q.m.does(func() error { return q.Queue.Send(ctx, body, delay) })
}

// TestABatchIsTakenBackOnceWhereverWorkersDie kills a worker at each of its side
// effects in turn, and then its successor at each of its own few first ones. Each
// doorbell is delivered twice besides.
func TestABatchIsTakenBackOnceWhereverWorkersDie(t *testing.T) {
	t.Parallel()
	const most = 40
	for first := 1; ; first++ {
		if first > most {
			t.Fatalf("a worker is still not done after %d side effects", most)
		}
		died := 0
		for _, second := range []int{0, 1, 2, 4} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%d/%t", first, second, after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { died += takenBackOnce(t, first, second, after) })
				})
			}
		}
		if died == 0 { // it had no more to do
			if first < 10 {
				t.Errorf("only %d side effects: the test has lost its teeth", first)
			}
			return
		}
	}
}

// takenBackOnce returns how many workers died.
func takenBackOnce(t *testing.T, first, second int, after bool) (died int) {
	w := newWorld(t)
	w.stock(3, de)
	w.apply(sale, "18.00", never(), w.clock.Now().Add(time.Hour), w.places()...)
	w.minutes(59 * time.Minute)
	healthy := w.worker
	mortals := []*mortal{{left: first, after: after}}
	if second > 0 {
		mortals = append(mortals, &mortal{left: second, after: after})
	}
	for range 20 {
		if w.batch(sale).Revert.State == lane.Reverted {
			break
		}
		w.worker = healthy
		if len(mortals) > 0 {
			m := mortals[0]
			w.worker = w.reverter(mortalDB{w.db, m}, mortalBlobs{w.blobs, m}, mortalQueue{w.queue, m}, mortalQueue{w.planQueue, m})
		}
		// The scheduler, and price-plan, are other workers.
		if _, err := healthy.Bell.Due(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := healthy.Bell.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_ = w.deliver(w.queue, []byte(`{"kind":"revert","tenant":"`+string(seller)+`","batch":"`+sale+`"}`))
		}
		w.pump(time.Minute)
		if len(mortals) > 0 && mortals[0].dead {
			died++
			mortals = mortals[1:]
		}
	}
	w.worker = healthy
	w.minutes(5 * time.Minute)
	b := w.wantReverted(lane.Reverted, "")
	if list := w.batches(); len(list) != 2 || b.Revert.Batch != revertID(seller, sale) {
		t.Errorf("%d batches, the way back is %s", len(list), b.Revert.Batch)
	}
	w.wantShown("20.00", w.places()...)
	for _, at := range w.places() {
		if n := w.shop.patches[at]; n != 2 {
			t.Errorf("%v was written %d times, want there and back", at, n)
		}
	}
	plans, _, err := healthy.Plans.List(t.Context(), seller, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	applied := 0
	for _, p := range plans {
		if p.Origin == plan.OfRollback && p.State == plan.Applied {
			applied++
		}
	}
	if applied != 1 {
		t.Errorf("%d of %d plans were applied to take it back", applied, len(plans))
	}
	if ev := w.events(); len(ev) != 1 {
		t.Errorf("events %q, want that it was reverted, once", ev)
	}
	w.quiet()
	return died
}
