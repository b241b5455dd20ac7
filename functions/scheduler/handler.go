package main

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/audit"
	"pricemanager/internal/incident"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Buckets runtime.Buckets
	Queues  runtime.Queues
	Secrets runtime.Secrets
}

// event is what a schedule sends.
type event struct {
	Job string `json:"job"`
}

// result says how much a job did.
type result struct {
	Job  string `json:"job"`
	Done int    `json:"done"`
}

type handler struct {
	app   *runtime.App
	db    store.DB
	blobs store.Blobs
	bell  lane.Bell
	pulls pull.Bell
	log   *ledger.Log
	audit *audit.Reconciler
}

// job runs one scheduled job. Every job can be run again at any time.
func (h *handler) job(ctx context.Context, e event) (result, error) {
	jobs := map[string]func(context.Context) (int, error){
		"sweep": h.sweep, "refresh": h.refresh, "checkpoint": h.checkpoints, "incidents": h.incidents, "reconcile": h.reconcile,
	}
	run := jobs[e.Job]
	if run == nil {
		return result{}, fmt.Errorf("scheduler: there is no job %q", e.Job)
	}
	start := h.app.Clock.Now()
	n, err := run(ctx)
	h.app.Log.InfoContext(ctx, "job ended", "job", e.Job, "done", n, "ok", err == nil)
	h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Kind: e.Job},
		metrics.Count("JobDone", int64(n)), metrics.Millis("JobTime", h.app.Clock.Now().Sub(start)))
	return result{Job: e.Job, Done: n}, err
}

// sweep rings for what nobody drives, and for what has come due. What keeps one
// from it does not keep the other.
func (h *handler) sweep(ctx context.Context) (int, error) {
	due, derr := h.bell.Due(ctx)
	n, err := h.bell.Sweep(ctx)
	pulls, perr := h.pulls.Due(ctx) // last: prices come first
	return due + pulls + n, errors.Join(err, derr, perr)
}

// refresh has every catalogue read again, and Amazon's notifications looked
// after. What keeps one from it does not keep the other. It returns the number
// of catalogues.
func (h *handler) refresh(ctx context.Context) (int, error) {
	n, err := h.bell.Refresh(ctx)
	_, serr := h.bell.RefreshSubscriptions(ctx)
	return n, errors.Join(err, serr)
}

// checkpoints archives a signed checkpoint, and the leaves below it, of every tenant's ledger that grew
// since the last one. A tenant whose checkpoint fails does not keep the others
// from theirs.
func (h *handler) checkpoints(ctx context.Context) (int, error) {
	var done int
	var failed []error
	var last tenant.ID
	archive := ledger.Archive{Log: h.log, Blobs: h.blobs}
	err := lane.Registered(ctx, h.db, func(t tenant.ID, _ price.ConnectionID) error {
		if t == last {
			return nil
		}
		last = t
		archived, err := archive.Run(ctx, t)
		if err != nil {
			failed = append(failed, fmt.Errorf("tenant %s: %w", t, err))
		} else if archived {
			done++
		}
		return nil
	})
	return done, errors.Join(append(failed, err)...)
}

// incidents tells how long open incidents have been known, for alarms to look at. It
// returns how many there are.
func (h *handler) incidents(ctx context.Context) (int, error) {
	r, err := (&incident.Log{DB: h.db, Clock: h.app.Clock}).Running(ctx)
	if err == nil && r.Open > 0 {
		h.app.Metrics.Emit(nil, metrics.Count("IncidentHours", r.Hours), metrics.Count("IncidentAmazonHours", r.Amazon))
	}
	return r.Open, err
}
