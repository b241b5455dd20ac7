package soak

import (
	"context"
	"fmt"
	"io"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// The adapters between the engine and the memory stores: each call gives way
// before and after its effect, and may fail at either.

// call runs a call of a store with its time and its mishaps.
func (w *world) call(p *process, what string, writes bool, do func() error) error {
	d := w.between(500*time.Microsecond, 5*time.Millisecond)
	if !w.calm && w.hit(w.rates.slow) {
		w.fault(StoreSlow)
		p.slowAt = w.s.now
		d = w.between(time.Second, 6*time.Second)
	}
	w.step(p, what, d)
	if !w.calm && w.hit(w.rates.throttled) {
		w.fault(StoreThrottled)
		return fmt.Errorf("%s: %w", what, store.ErrThrottled)
	}
	err := do()
	w.step(p, what+" done", w.between(200*time.Microsecond, 3*time.Millisecond))
	if !w.calm && writes && w.hit(w.rates.lost) {
		w.fault(StoreLost)
		w.canaries.planted()
		return fmt.Errorf("%s: %w", what, errReset)
	}
	return err
}

type dbOf struct {
	w *world
	p *process
}

var _ store.DB = dbOf{}

func (d dbOf) Get(ctx context.Context, t tenant.ID, tab store.Table, k store.Key) (it store.Item, err error) {
	err = d.w.call(d.p, "get", false, func() (err error) { d.w.readStops(k); it, err = d.w.db.Get(ctx, t, tab, k); return })
	return it, err
}

func (d dbOf) BatchGet(ctx context.Context, t tenant.ID, tab store.Table, keys []store.Key) (its []store.Item, err error) {
	err = d.w.call(d.p, "batch get", false, func() (err error) { its, err = d.w.db.BatchGet(ctx, t, tab, keys); return })
	return its, err
}

func (d dbOf) Query(ctx context.Context, t tenant.ID, tab store.Table, q store.Query) (pg store.Page, err error) {
	err = d.w.call(d.p, "query", false, func() (err error) {
		d.w.readStops(store.Key{PK: q.PK})
		pg, err = d.w.db.Query(ctx, t, tab, q)
		return err
	})
	return pg, err
}

func (d dbOf) Put(ctx context.Context, t tenant.ID, tab store.Table, it store.Item, conds ...store.Cond) error {
	return d.w.call(d.p, "put", true, func() error { return d.w.db.Put(ctx, t, tab, it, conds...) })
}

func (d dbOf) Update(ctx context.Context, t tenant.ID, tab store.Table, k store.Key, u store.Update) (it store.Item, err error) {
	err = d.w.call(d.p, "update", true, func() (err error) {
		it, err = d.w.db.Update(ctx, t, tab, k, u)
		if d.w.tracing {
			d.w.trace(d.p, "update %s %s set %s add %v remove %v: %v", k.PK, k.SK, show(u.Set), u.Add, u.Remove, err)
		}
		return err
	})
	return it, err
}

func (d dbOf) Delete(ctx context.Context, t tenant.ID, tab store.Table, k store.Key, conds ...store.Cond) error {
	return d.w.call(d.p, "delete", true, func() error { return d.w.db.Delete(ctx, t, tab, k, conds...) })
}

func (d dbOf) Transact(ctx context.Context, writes ...store.Write) error {
	return d.w.call(d.p, "transact", true, func() error { return d.w.db.Transact(ctx, writes...) })
}

func show(set map[string]any) string {
	out := map[string]any{}
	for k, v := range set {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		out[k] = v
	}
	return fmt.Sprint(out)
}

type blobsOf struct {
	w *world
	p *process
}

var _ store.Blobs = blobsOf{}

func (b blobsOf) Put(ctx context.Context, t tenant.ID, bk store.Bucket, name, typ string, body []byte) error {
	return b.w.call(b.p, "put blob", true, func() error { return b.w.blobs.Put(ctx, t, bk, name, typ, body) })
}

func (b blobsOf) Get(ctx context.Context, t tenant.ID, bk store.Bucket, name string) (body []byte, err error) {
	err = b.w.call(b.p, "get blob", false, func() (err error) { body, err = b.w.blobs.Get(ctx, t, bk, name); return })
	return body, err
}

func (b blobsOf) Read(ctx context.Context, t tenant.ID, bk store.Bucket, name string) (body io.ReadCloser, size int64, err error) {
	err = b.w.call(b.p, "read blob", false, func() (err error) { body, size, err = b.w.blobs.Read(ctx, t, bk, name); return })
	return body, size, err
}

func (b blobsOf) Form(ctx context.Context, t tenant.ID, bk store.Bucket, name string, u store.Upload) (store.Form, error) {
	return b.w.blobs.Form(ctx, t, bk, name, u)
}

func (b blobsOf) Delete(ctx context.Context, t tenant.ID, bk store.Bucket, name string) error {
	return b.w.call(b.p, "delete blob", true, func() error { return b.w.blobs.Delete(ctx, t, bk, name) })
}

func (b blobsOf) List(ctx context.Context, t tenant.ID, bk store.Bucket, prefix string) (names []string, err error) {
	err = b.w.call(b.p, "list blobs", false, func() (err error) { names, err = b.w.blobs.List(ctx, t, bk, prefix); return })
	return names, err
}

func (b blobsOf) Link(ctx context.Context, t tenant.ID, bk store.Bucket, name string, valid time.Duration) (string, error) {
	return b.w.blobs.Link(ctx, t, bk, name, valid)
}

// queueOf loses, doubles and delays messages, and so delivers them in any order.
type queueOf struct {
	w *world
	p *process
}

var _ store.Queue = queueOf{}

func (q queueOf) Send(_ context.Context, body []byte, delay time.Duration) error {
	return q.w.call(q.p, "send", true, func() error { //nolint:contextcheck // what follows happens in a process of its own
		if d, err := lane.ParseDoorbell(body); err == nil && d.Kind == lane.KindLane {
			if q.p.rang == nil {
				q.p.rang = map[price.ConnectionID]bool{}
			}
			q.p.rang[d.Connection] = true
		}
		q.w.enqueue(body, delay)
		return nil
	})
}

func (w *world) enqueue(body []byte, delay time.Duration) {
	w.canaries.sent(body)
	at := delay + w.between(5*time.Millisecond, 80*time.Millisecond)
	switch n := w.s.rng.IntN(1000); {
	case w.calm:
	case n < 20:
		w.fault(BellLost)
		return
	case n < 60:
		w.fault(BellDoubled)
		again := at + w.between(0, 20*time.Second)
		w.s.after(again, func() { w.deliver(body, 1) })
	case n < 100:
		w.fault(BellLate)
		at += w.between(5*time.Second, 90*time.Second)
	}
	w.s.after(at, func() { w.deliver(body, 1) })
}
