package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Buckets runtime.Buckets
	Queues  runtime.Queues
	Secrets runtime.Secrets
	// Visibility is how long a price usually takes from accepted to readable:
	// part of a plan's ETA.
	Visibility time.Duration `env:"VISIBILITY, default=10m"`
	Local      localHost
}

// localHost has one host stand on this machine, for the tests of the local stage.
type localHost struct {
	Host  string `env:"FETCH_LOCAL"`       // files.example.com:443=127.0.0.1:8443
	Roots string `env:"FETCH_LOCAL_ROOTS"` // PEM of who signs its certificate
}

// client is what fetches files. At no other stage than local is there an exception
// to whom it calls: a function that is told of one does not start.
func (c config) client() (*fetch.Client, error) {
	if c.Local == (localHost{}) {
		return &fetch.Client{}, nil
	}
	name, address, _ := strings.Cut(c.Local.Host, "=")
	to, err := netip.ParseAddrPort(address)
	roots := x509.NewCertPool()
	if c.Stage != runtime.Local || err != nil || !roots.AppendCertsFromPEM([]byte(c.Local.Roots)) {
		return nil, errors.New("price-pull: FETCH_LOCAL and FETCH_LOCAL_ROOTS are for STAGE=local, and go together")
	}
	return &fetch.Client{Local: map[string]netip.AddrPort{name: to}, Roots: roots}, nil
}

// deps are what the handler works with.
type deps struct {
	app        *runtime.App
	db         store.DB
	blobs      store.Blobs
	files      store.Large
	planQueue  store.Queue
	fetch      pull.Fetcher
	sealer     pull.Sealer
	visibility time.Duration
}

type handler struct {
	deps
	plans       *plan.Store
	connections *connect.Service
	judged      func(context.Context, *plan.Input) error // by the tenant's guards
	runner      *pull.Runner
}

func newHandler(d deps) *handler {
	h := &handler{deps: d,
		plans:       &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock},
		connections: &connect.Service{DB: d.db, Clock: d.app.Clock},
		// Without a history: price-plan judges, here they are only named.
		judged: plan.Judged(&guard.Store{DB: d.db, Clock: d.app.Clock}, nil),
	}
	h.runner = &pull.Runner{DB: d.db, Sealer: d.sealer, Files: d.files, Plans: h.plans, Bell: plan.Bell{Queue: d.planQueue, Trace: trace.Header},
		Rates: &fx.Store{DB: d.db, Clock: d.app.Clock}, Fetch: d.fetch, Input: h.input, Clock: d.app.Clock,
		Failure: func(ctx context.Context, f *fault.Fault) {
			d.app.Log.WarnContext(ctx, "a source failed", "type", f.Type, "cause", f.Err)
		}}
	return h
}

// input fills in what a plan of a file is made with.
func (h *handler) input(ctx context.Context, in *plan.Input) (err error) {
	if in.Connections, err = h.connections.Serving(ctx, in.Tenant); err != nil {
		return err
	}
	if in.Mappings, err = h.plans.Mappings(ctx, in.Tenant); err != nil {
		return err
	}
	if in.Visibility, err = lane.Visible(ctx, h.db, in.Tenant, h.visibility); err != nil {
		return err
	}
	return h.judged(ctx, in)
}

// message fetches a source that is due.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	job, err := pull.ParseJob(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	start := h.app.Clock.Now()
	deadline, ok := ctx.Deadline()
	if !ok { // Lambda gives one
		deadline = start.Add(runFor)
	}
	out, err := h.runner.Run(ctx, job.Tenant, job.Pull, deadline)
	took := h.app.Clock.Now().Sub(start)
	h.app.Log.InfoContext(ctx, "source run", "pull", job.Pull, "outcome", string(out), "took", took, "ok", err == nil)
	if err != nil {
		return fmt.Errorf("price-pull: %s: %w", job.Pull, err)
	}
	h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Outcome: string(out)}, metrics.Count("Pulls", 1), metrics.Millis("PullTime", took))
	if out == pull.GaveUp {
		h.app.Metrics.Emit(nil, metrics.Count("PullsPaused", 1)) // an alarm watches it
	}
	return nil
}

// runFor is as long as an invocation.
const runFor = 3 * time.Minute
