package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"pricemanager/internal/clock"
	"pricemanager/test/fakeamazon"
)

// options of play: what goes wrong, how many offers a seller has, and who hears
// about it.
type options struct {
	seed, skus int
	out        io.Writer
}

// setting is a number from the environment.
func setting(name string, otherwise int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %q: want a whole number from 1", name, text)
	}
	return n, nil
}

// play runs the soak and judges it. What it started has ended when it returns.
func play(ctx context.Context, o options) (r Result, err error) {
	r.Seed = o.seed
	begun := time.Now()
	w, err := open(ctx, o.out)
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, w.close())
		r.Seconds = time.Since(begun).Round(100 * time.Millisecond).Seconds()
	}()
	if err := w.watch.Plant(ctx); err != nil {
		return r, err
	}
	all, err := w.cast(ctx, o.skus)
	if err != nil {
		return r, err
	}
	w.say("%d sellers with %d offers each are connected", len(all), o.skus)
	var files []*series
	for _, s := range all {
		files = append(files, s.split()...)
	}
	c := newChaos(w, all, o.seed)
	if err := w.disturbed(ctx, c, all, files, &r); err != nil {
		return r, err
	}
	w.say("calm")
	if err := w.settle(ctx, files); err != nil {
		return r, err
	}
	w.say("all batches are done")
	if err := w.gather(ctx, c, all, files, &r); err != nil {
		return r, err
	}
	for _, c := range r.contradictions[:min(20, len(r.contradictions))] {
		w.say("contradiction: %s", c)
	}
	var leaks error
	r.Canary, leaks = w.search(ctx)
	w.say("canaries: %d planted, searched for in %d bytes, found in clear: %d", r.Canary.Planted, r.Canary.Scanned, r.Canary.Found)
	return r, errors.Join(r.verdict(), leaks)
}

// cast makes the sellers.
func (w *world) cast(ctx context.Context, skus int) ([]*seller, error) {
	all := make([]*seller, sellers)
	var group errgroup.Group
	for i := range all {
		group.Go(func() (err error) {
			all[i], err = w.seller(ctx, string(rune('A'+i)), skus)
			return err
		})
	}
	return all, group.Wait()
}

// disturbed plays the rounds while chaos reigns and the sweep runs every few
// seconds instead of every minute.
func (w *world) disturbed(ctx context.Context, c *chaos, all []*seller, files []*series, r *Result) error {
	group, ctx := errgroup.WithContext(ctx)
	trouble, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() error { return c.run(trouble) })
	group.Go(func() error { w.sweep(trouble); return nil })
	group.Go(func() error {
		defer stop()
		for round := 1; round <= rounds; round++ {
			c.more()
			if err := w.burst(ctx, files, fmt.Sprintf("20.%d0", round), round); err != nil {
				return err
			}
			if round == 2 {
				if err := w.stopAndLift(ctx, all[1], r); err != nil {
					return err
				}
			}
			// The next round begins in the midst of this one.
			if err := w.underWay(ctx, files); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(group.Wait(), c.calm(context.WithoutCancel(ctx)))
}

// burst has all files uploaded at the beginning of the same second.
func (w *world) burst(ctx context.Context, files []*series, to string, round int) error {
	now := time.Now()
	if err := (clock.Real{}).Sleep(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now)); err != nil {
		return err
	}
	w.say("round %d: %d files at once, for %s EUR", round, len(files), to)
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range files {
		group.Go(func() error { return f.change(ctx, to) })
	}
	return group.Wait()
}

// underWay waits until a third of a round is done: the next one then finds rows
// that are observed, on their way, and not sent yet.
func (w *world) underWay(ctx context.Context, files []*series) error {
	return until(ctx, 4*time.Minute, "a third of the rows have ended", func() (bool, error) {
		left, rows := 0, 0
		for _, f := range files {
			n, err := f.left(ctx)
			if err != nil {
				return false, err
			}
			left, rows = left+n, rows+len(f.skus)
		}
		return left*3 <= rows*2, nil
	})
}

// sweep does what the schedule does every minute. It may be killed or refused as
// anything else.
func (w *world) sweep(ctx context.Context) {
	for rested(ctx, 3*time.Second) {
		_ = w.invoke(ctx, "scheduler", `{"job":"sweep"}`)
	}
}

// settle waits, with the sweep and without faults, for the end of everything.
func (w *world) settle(ctx context.Context, files []*series) error {
	group, ctx := errgroup.WithContext(ctx)
	sweeping, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() error { w.sweep(sweeping); return nil })
	group.Go(func() error {
		defer stop()
		for _, f := range files {
			if err := f.done(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// A stop is effective within one request per lane. A request that was on its way
// gets grace to arrive, also when AWS was slow to answer before it.
const (
	grace     = 3 * time.Second
	stoppedOn = 5 * time.Second
)

// stopAndLift stops one seller's connection in the middle of a round and lets it
// go on after a while.
func (w *world) stopAndLift(ctx context.Context, s *seller, r *Result) error {
	stop, err := ask[stopDoc](ctx, s.api, "POST", "/stops", fmt.Sprintf(`{"scope":"connection","id":%q,"reason":"soak"}`, s.conn))
	if err != nil {
		return err
	}
	from := time.Now().Add(grace)
	if err := (clock.Real{}).Sleep(ctx, grace+stoppedOn); err != nil {
		return err
	}
	to := time.Now()
	var patches []fakeamazon.Request
	q := url.Values{"op": {"patchListingsItem"}, "seller": {s.account}}
	if err := w.amazon.do(ctx, "GET", "requests?"+q.Encode(), nil, &patches); err != nil {
		return err
	}
	for _, p := range patches {
		if p.Time.After(from) && p.Time.Before(to) {
			r.SentWhileStopped++
		}
	}
	r.Stops++
	w.say("  stopped %s for %s: %d prices were sent meanwhile", s.account, stoppedOn, r.SentWhileStopped)
	_, err = ask[struct{}](ctx, s.api, "DELETE", "/stops/"+url.PathEscape(stop.Name), "")
	var r404 *refusal
	if errors.As(err, &r404) && r404.status == http.StatusNotFound {
		return nil // an earlier try had lifted it, and its answer was lost
	}
	return err
}

// gather asks everybody what happened and adds it up.
func (w *world) gather(ctx context.Context, c *chaos, all []*seller, files []*series, r *Result) error {
	did := c.did()
	r.Kills, r.AmazonCuts, r.RepeatedMessages = did["kills"], did["amazonCuts"], did["repeatedMessages"]
	r.Killed = map[string]int{}
	for _, f := range victims {
		r.Killed[f] = did["killed "+f]
	}
	var err error
	if r.AWSFaultsByKind, err = w.proxy.fired(ctx); err != nil {
		return err
	}
	for _, n := range r.AWSFaultsByKind {
		r.AWSFaults += n
	}
	var violations []fakeamazon.Violation
	var effects []fakeamazon.Effect
	if err := errors.Join(w.amazon.do(ctx, "GET", "violations", nil, &violations), w.amazon.do(ctx, "GET", "effects", nil, &effects)); err != nil {
		return err
	}
	for _, v := range violations {
		if v.Kind == "over-budget" {
			r.OverBudget++
			continue
		}
		r.Violations++
		w.say("violation: %+v", v)
	}
	for _, s := range all {
		e := evidence{conn: s.conn, shown: map[string]string{}, effects: map[string]fakeamazon.Effect{}}
		var batches []string
		for _, f := range files {
			if f.seller != s {
				continue
			}
			e.series = append(e.series, f)
			for _, b := range f.batches {
				batches = append(batches, b.id)
			}
		}
		for _, sku := range s.skus {
			if e.shown[sku], err = s.shows(ctx, sku); err != nil {
				return err
			}
		}
		for _, effect := range effects {
			if effect.Seller == s.account {
				e.effects[string(effect.SKU)] = effect
			}
		}
		if e.events, err = s.history(ctx, batches); err != nil {
			return err
		}
		r.weigh(e)
	}
	r.LedgerVerified = true
	return nil
}
