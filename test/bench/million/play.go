package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"time"
)

// How long each part may take before the run is given up: an hour and more is
// the local AWS's own time for a million rows.
const (
	planWithin  = time.Hour
	applyWithin = 2 * time.Hour
	sendWithin  = 5 * time.Minute
)

// play runs the whole and checks the promises. What it started has ended when it
// returns.
func play(ctx context.Context, rows int, out io.Writer) (r Result, err error) {
	r.Rows = rows
	begun := time.Now()
	defer func() { r.Seconds = since(begun) }()
	w, err := open(ctx, rows, out)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.streamOff(ctx); err != nil {
		return r, err
	}
	seeding := time.Now()
	if err := w.seed(ctx, rows); err != nil {
		return r, err
	}
	r.SeedSeconds = since(seeding)
	w.say("%d offers are known", rows)
	watching, stop := context.WithCancel(ctx)
	memory, ended := w.watchMemory(watching)
	err = w.drive(ctx, &r)
	stop()
	<-ended
	return r, errors.Join(err, w.weigh(ctx, &r, memory), w.log.inTime())
}

// drive does what a seller does.
func (w *world) drive(ctx context.Context, r *Result) error {
	p, err := w.plan(ctx, r)
	if err != nil {
		return err
	}
	b, err := w.apply(ctx, r, p)
	if err != nil {
		return err
	}
	return until(ctx, sendWithin, "the lane sends", func() (bool, error) {
		b, err := ask[batchDoc](ctx, w.api, "GET", "/batches/"+b.ID, nil)
		r.Sent = int64(r.Rows) - b.Counts["desired"] - b.Counts["held"]
		fed := len(b.Feeds) > 0 && b.Feeds[0].State == "running"
		if r.Sent > 0 || fed {
			w.say("the lane sends: %v, %d feeds", b.Counts, len(b.Feeds))
		}
		return r.Sent > 0 || fed, err
	})
}

// plan uploads the file and waits for its plan.
func (w *world) plan(ctx context.Context, r *Result) (p planDoc, err error) {
	u, err := ask[uploadDoc](ctx, w.api, "POST", "/uploads", map[string]string{"file": "million.csv", "contentType": "text/csv"})
	if err != nil {
		return p, err
	}
	if err := send(ctx, u, file(r.Rows)); err != nil {
		return p, err
	}
	w.say("uploaded")
	begun := time.Now()
	if p, err = ask[planDoc](ctx, w.api, "POST", "/plans", map[string]string{"upload": u.Upload}); err != nil {
		return p, err
	}
	var last int64
	err = until(ctx, planWithin, "the plan is made", func() (bool, error) {
		if p, err = ask[planDoc](ctx, w.api, "GET", "/plans/"+p.ID, nil); err != nil {
			return false, err
		}
		if p.Progress == nil {
			return true, nil
		}
		switch n := p.Progress.RowsRead; {
		case n < last:
			return false, broken("the plan went back from %d rows to %d", last, n)
		case n > last:
			last = n
			if r.ProgressReports++; r.ProgressReports%10 != 1 {
				break
			}
			w.say("plan: %d of %d rows, %d planned", n, p.Progress.Rows, p.Progress.RowsPlanned)
		}
		return false, nil
	})
	if err != nil {
		return p, err
	}
	r.PlanSeconds = since(begun)
	if s := p.Summary; p.State != "ready" || s.Rows != int64(r.Rows) || s.Planned != s.Rows {
		return p, broken("the plan is %s with %+v, problem %+v; want all %d rows planned", p.State, s, p.Problem, r.Rows)
	}
	w.say("planned")
	return p, nil
}

// apply applies the plan and waits for the commit.
func (w *world) apply(ctx context.Context, r *Result, p planDoc) (b batchDoc, err error) {
	begun := time.Now()
	if b, err = ask[batchDoc](ctx, w.api, "POST", "/batches", map[string]string{"plan": p.ID, "token": p.Token}); err != nil {
		return b, err
	}
	var last int64
	err = until(ctx, applyWithin, "the batch is committed", func() (bool, error) {
		if b, err = ask[batchDoc](ctx, w.api, "GET", "/batches/"+b.ID, nil); err != nil {
			return false, err
		}
		if b.State != "staging" {
			return true, nil
		}
		if b.Staged == nil || *b.Staged < last {
			return false, broken("a batch that is being staged tells %v after %d", b.Staged, last)
		}
		if *b.Staged > last {
			last = *b.Staged
			if r.StagedReports++; r.StagedReports%10 == 1 {
				w.say("batch: %d of %d rows staged", last, b.Rows)
			}
		}
		return false, nil
	})
	if err != nil {
		return b, err
	}
	r.ApplySeconds = since(begun)
	var total int64
	for _, n := range b.Counts {
		total += n
	}
	if b.State != "sending" || total != int64(r.Rows) || b.Counts["held"] != 0 {
		return b, broken("the batch is %s (%s) with %v; want all %d rows committed", b.State, b.Reason, b.Counts, r.Rows)
	}
	w.say("committed")
	return b, nil
}

// reported is how many rows take long enough for progress to be seen.
const reported = 50_000

// weigh compares what the functions took with what they have.
func (w *world) weigh(ctx context.Context, r *Result, p *peaks) error {
	r.PlanRuns, r.LongestRunSeconds = w.log.of("plan")
	r.ApplyRuns, r.LongestApplyRunSeconds = w.log.of("apply")
	p.mu.Lock()
	defer p.mu.Unlock()
	r.PeaksMiB = maps.Clone(p.most)
	r.CPUSeconds = map[string]float64{}
	errs := []error{p.err}
	for _, f := range functions() {
		r.CPUSeconds[f] = p.seconds(f)
		has, err := w.limits(ctx, f)
		if err != nil {
			return err
		}
		r.PeaksMiB[f] = tenths(r.PeaksMiB[f])
		longest := 0.0
		switch f {
		case "price-plan":
			r.MemoryMiB, longest = has.memoryMiB, r.LongestRunSeconds
		case "price-sync":
			longest = r.LongestApplyRunSeconds
		}
		if r.PeaksMiB[f] == 0 || r.PeaksMiB[f] > float64(has.memoryMiB) {
			errs = append(errs, broken("%s took %.1f MiB of its %d", f, r.PeaksMiB[f], has.memoryMiB))
		}
		if longest >= has.timeout {
			errs = append(errs, broken("a run of %s took %.1f s of its %.0f", f, longest, has.timeout))
		}
	}
	r.PeakMiB = r.PeaksMiB["price-plan"]
	if r.PlanRuns == 0 || r.ApplyRuns == 0 {
		errs = append(errs, broken("the log tells of %d runs that planned and %d that applied", r.PlanRuns, r.ApplyRuns))
	}
	if r.Rows >= reported && (r.ProgressReports == 0 || r.StagedReports == 0) {
		errs = append(errs, broken("the API told of progress %d times while planning and %d times while staging", r.ProgressReports, r.StagedReports))
	}
	return errors.Join(errs...)
}

func since(t time.Time) float64 { return tenths(time.Since(t).Seconds()) }

func tenths(x float64) float64 { return math.Round(10*x) / 10 }
