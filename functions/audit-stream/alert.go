package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
)

const (
	// watchEvery is how many changes of offers and lanes of a tenant this process
	// sees before the detectors look at them. Any other change is looked at at once.
	watchEvery = 2_000
	// maxWatched bounds how many tenants a process counts changes of.
	maxWatched = 10_000
	// watchFor bounds what the detectors take of an invocation, and spareFor is what
	// they leave of it: the ledger's records have to be answered.
	watchFor, spareFor = 10 * time.Second, 15 * time.Second
)

// alert has the detectors follow the ledgers. The ledger does not wait for them: it
// was written before, and whatever goes wrong here is noted and nothing more. What was
// not looked through now is looked through with the tenant's next change, from where
// it was left.
type alert struct {
	follow func(context.Context, tenant.ID) error
	seen   map[tenant.ID]int // changes since the detectors last looked
}

func (a *alert) note(ctx context.Context, app *runtime.App, records []store.Record) {
	if a.follow == nil {
		return
	}
	raised := map[watch.Kind]int64{}
	for _, r := range records {
		// Counted from the stream, so that an alarm is not lost with the process
		// that found it.
		if k, ok := watch.Raised(r); ok {
			raised[k]++
			app.Log.WarnContext(ctx, "suspicion raised", "tenant", r.Tenant, "kind", k, "suspicion", r.Key.SK)
		}
	}
	for _, k := range watch.Kinds() {
		if raised[k] > 0 {
			app.Metrics.Emit(nil, metrics.Count(k.Metric(), raised[k]))
		}
	}
	if end, ok := ctx.Deadline(); ok && end.Sub(app.Clock.Now()) < watchFor+spareFor {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	for _, t := range a.due(records) {
		if err := a.look(ctx, t); err != nil {
			app.Log.WarnContext(ctx, "the detectors did not see all of a ledger", "tenant", t, "cause", err)
			app.Metrics.Emit(nil, metrics.Count("DetectorsFailed", 1))
		}
	}
}

// look turns a panic of a rule into an error.
func (a *alert) look(ctx context.Context, t tenant.ID) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("audit-stream: detectors panicked: %v", v)
		}
	}()
	return a.follow(ctx, t)
}

// due are the tenants whose ledgers are to be looked at now, each once.
func (a *alert) due(records []store.Record) (now []tenant.ID) {
	if a.seen == nil || len(a.seen) > maxWatched {
		a.seen = map[tenant.ID]int{}
	}
	urgent := map[tenant.ID]bool{}
	var order []tenant.ID
	for _, r := range records {
		// Not for their own notes, nor for what is deleted: no rule counts that, and
		// of a tenant who is being erased nothing can be read any more.
		if r.Tenant == store.Directory || r.Key.PK == "watch" || r.New == nil {
			continue
		}
		if _, ok := urgent[r.Tenant]; !ok {
			order = append(order, r.Tenant)
		}
		a.seen[r.Tenant]++
		bulk := r.Table == store.Offers && (strings.HasPrefix(r.Key.PK, "offer#") || strings.HasPrefix(r.Key.PK, "lane#"))
		urgent[r.Tenant] = urgent[r.Tenant] || !bulk
	}
	for _, t := range order {
		if urgent[t] || a.seen[t] >= watchEvery {
			a.seen[t] = 0
			now = append(now, t)
		}
	}
	return now
}
