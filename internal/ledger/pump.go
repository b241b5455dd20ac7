package ledger

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Mapper says which events a change of a table's item means; none is fine. It
// is a pure function of the record: called again it says the same. It may panic
// on an item that cannot be: the record is then reported as failed.
type Mapper func(store.Record) []Event

// Pump moves stream records into the ledgers.
type Pump struct {
	Log     *Log
	Mappers map[store.Table]Mapper
}

// Handle appends what the records mean, in their order, each tenant by itself.
// failed is empty, or holds the sequence number of the first record in the
// batch that did not get into its ledger: a stream is resumed from there, and
// what is delivered again without need is recognised and dropped. err says what
// was wrong with every tenant that failed. A tenant's records after a failed
// one are left for the next delivery, so that its order stays.
func (p *Pump) Handle(ctx context.Context, records []store.Record) (failed []string, err error) {
	type group struct {
		work  []pending
		first int // index of the first record that work comes from
		stuck bool
	}
	groups := map[tenant.ID]*group{}
	var order []tenant.ID
	first := len(records) // index of the first failed record
	var errs []error
	fail := func(i int, err error) {
		first = min(first, i)
		errs = append(errs, fmt.Errorf("record %s of %s in %s: %w", records[i].Seq, records[i].Tenant, records[i].Table, err))
	}
	for i, r := range records {
		if r.Tenant == store.Directory {
			continue // look-ups that repeat what an item of the tenant says
		}
		g := groups[r.Tenant]
		if g == nil {
			g = &group{}
			groups[r.Tenant] = g
			order = append(order, r.Tenant)
		}
		if g.stuck {
			continue
		}
		work, err := p.work(ctx, r)
		if err != nil && p.Log.erased(ctx, r.Tenant, err) {
			continue
		}
		if err != nil {
			g.stuck = true
			fail(i, err)
			continue
		}
		if len(g.work) == 0 {
			g.first = i
		}
		if len(work.events) > 0 {
			g.work = append(g.work, work)
		}
	}
	for _, t := range order {
		g := groups[t]
		if _, err := p.Log.append(ctx, t, g.work); err != nil && !p.Log.erased(ctx, t, err) {
			fail(g.first, err)
		}
	}
	if first < len(records) {
		failed = []string{records[first].Seq}
	}
	return failed, errors.Join(errs...)
}

// work maps one record. Whatever is wrong with it is found here, so that the
// record itself is blamed and not the batch.
func (p *Pump) work(ctx context.Context, r store.Record) (_ pending, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("ledger: mapper panicked: %v", v)
		}
	}()
	mapper := p.Mappers[r.Table]
	if mapper == nil {
		return pending{}, fmt.Errorf("ledger: no mapper for table %q", r.Table)
	}
	e := Entry{Source: sourceOf(r.Table, r.Key), Seq: r.Seq, At: r.At, Events: mapper(r)}
	if err := p.locate(ctx, r, e.Events); err != nil {
		return pending{}, err
	}
	for i := range e.Events {
		if e.Events[i].At.IsZero() {
			e.Events[i].At = r.At
		}
		if e.Events[i].Source == "" {
			e.Events[i].Source = string(r.Table)
		}
	}
	return prepare(e)
}
