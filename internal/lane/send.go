package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/store"
)

// wire is longer than any call: a patch without an answer yet.
const wire = time.Hour

// minSend is the least time a patch is given: an intent with less left is
// announced anew instead of being sent in a hurry.
const minSend = 2 * time.Second

// launchSend sends the next row if Amazon's budget has a token for it. It
// announces rows first where that is needed.
func (d *driver) launchSend(ctx context.Context, now time.Time) (bool, error) {
	if d.inFlight >= d.cfg.InFlight || d.send.ready(now).After(now) {
		return false, nil
	}
	for _, w := range d.works {
		if d.halted(w) {
			continue
		}
		if len(w.ready) == 0 && w.hasMore(d.cfg.Window) {
			if err := d.announce(ctx, w); err != nil {
				return false, err
			}
			now = d.e.Clock.Now()
		}
		if r := d.pick(w, now); r != nil {
			d.send.take(now)
			rows := d.company(r, now)
			d.overtake(rows)
			d.patch(ctx, rows, now)
			return true, nil
		}
	}
	return false, nil
}

// pick takes the first ready row whose SKU is not on the wire already: two
// patches of one SKU may be applied in any order, so there is never more than
// one. Rows whose intent has run out go back to be announced.
func (d *driver) pick(w *work, now time.Time) *row {
	kept := w.ready[:0]
	var picked *row
	for _, r := range w.ready {
		switch {
		case picked != nil || d.busy[r.key].After(now):
			kept = append(kept, r)
		case d.stops.blocks(d.lease.conn, r.Marketplace, w.j.Batch):
			w.holdBack(r)
		case now.Add(minSend).After(r.notAfter):
			w.unsent(r)
			w.again = append(w.again, r)
		default:
			picked = r
		}
	}
	w.ready = kept
	return picked
}

// announce writes the intents of up to 25 rows. Only rows that are still wanted
// and pass the guards as they are now are announced.
//
// Crash points: before the journal write nothing was announced and nothing may
// be sent; after it the next owner finds the intents and reads back first.
func (d *driver) announce(ctx context.Context, w *work) error {
	// One write has room for so many; others are announced with the next one.
	most := d.group()
	n := min(len(w.again), most)
	rows := slices.Clone(w.again[:n])
	w.again = slices.Delete(w.again, 0, n)
	fresh := min(int64(most-n), w.j.Rows-w.j.High, d.cfg.Window-(w.j.High-w.j.Low))
	if w.j.Route.Kind == ByFeed {
		fresh = 0
	}
	for fresh > 0 {
		more, err := d.load(ctx, w, w.j.High, fresh)
		if err != nil {
			return err
		}
		for _, r := range more {
			w.rows[r.index] = r
		}
		rows = append(rows, more...)
		w.j.High += int64(len(more))
		fresh -= int64(len(more))
	}
	recs, err := d.records(ctx, rows)
	if err != nil {
		return err
	}
	if err := d.freshGuards(ctx); err != nil {
		return err
	}
	now := d.e.Clock.Now()
	// The last row of the group waits for the tokens of all before it.
	notAfter := now.Add(d.cfg.SendDeadline + minSend + time.Duration(float64(len(rows))/d.send.rate*float64(time.Second)))
	var sendable []*row
	for _, r := range rows {
		ok, err := d.admit(ctx, r, recs[r.key], now)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if r.attempt == 0 || r.state == Unknown {
			r.attempt++
		}
		r.notAfter = notAfter
		r.set(Sent)
		sendable = append(sendable, r)
		w.j.Intents = withoutRow(w.j.Intents, r.index)
		w.j.Intents = append(w.j.Intents, Intent{Row: r.index, N: r.N, Marketplace: r.Marketplace, SKU: r.SKU,
			Attempt: r.attempt, NotAfter: notAfter.UnixMilli(), Over: r.over, Apart: r.apart})
	}
	if err := d.writeJournal(ctx, w, now); err != nil {
		return err
	}
	w.ready = append(w.ready, sendable...)
	return nil
}

func withoutRow(in []Intent, row int64) []Intent {
	out := in[:0]
	for _, i := range in {
		if i.Row != row {
			out = append(out, i)
		}
	}
	return out
}

// admit decides whether a row may be sent now: still wanted, nothing newer, and
// within the guards as they are at this moment.
func (d *driver) admit(ctx context.Context, r *row, rec record, now time.Time) (bool, error) {
	c, staged := rec.wants(r.w.j.Batch, r.N)
	switch {
	case c == nil:
		r.set(Superseded)
		return false, nil
	case c.State.Terminal():
		r.set(c.State)
		return false, nil
	}
	if !staged && rec.staged != nil {
		counts, err := d.counts(ctx, rec.staged.Batch)
		if err != nil {
			return false, err
		}
		if counts { // a newer batch wants something else: this is never sent
			r.set(Superseded)
			return false, nil
		}
	}
	if d.stops.blocks(d.lease.conn, r.Marketplace, r.w.j.Batch) {
		r.w.holdBack(r)
		return false, nil
	}
	r.staged, r.old, r.kind = staged, rec.Known, rec.ProductType
	d.whole(r, rec)
	findings, err := d.weigh(ctx, r, rec, now)
	if err != nil {
		return false, err
	}
	if len(findings) == 0 {
		return true, nil
	}
	texts := make([]string, len(findings))
	for i, f := range findings {
		texts[i] = f.Message
	}
	ok, err := d.settle(ctx, r, verdict{state: Held, issue: "held before sending: " + strings.Join(texts, "; ")})
	if err != nil {
		return false, err
	}
	if ok {
		r.set(Held)
		d.note(r)
	} else {
		r.set(Superseded)
	}
	return false, nil
}

// counts reports whether a batch was committed, so that what it staged counts.
func (d *driver) counts(ctx context.Context, batch string) (bool, error) {
	if d.committed[batch] {
		return true, nil
	}
	it, err := d.e.DB.Get(ctx, d.lease.tenant, store.Offers, batchKey(batch))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	s := BatchState(it.Str(aBatchState))
	d.committed[batch] = s == Sending || s == Done
	return d.committed[batch], nil
}

// patch sends rows of one SKU in one request: one row, or one for each of several
// marketplaces. The deadline of the request is the intents' notAfter at the
// latest, so that no request is on the wire after the time at which another owner
// may act on these rows.
func (d *driver) patch(ctx context.Context, rows []*row, now time.Time) {
	r := rows[0]
	deadline := now.Add(d.cfg.SendDeadline)
	for _, r := range rows {
		d.busy[r.key] = now.Add(wire)
		deadline = earlier(deadline, r.notAfter)
	}
	d.inFlight++
	d.stats.Sent += int64(len(rows))
	r.w.j.Last = now.UnixMilli()
	call := d.radar.begin(now)
	d.flight.Go(func() func() {
		// The slice may end while the call is open; its answer is still wanted.
		sctx, cancel := clock.WithDeadline(context.WithoutCancel(ctx), d.e.Clock, deadline)
		// The kill switches are read before every single request.
		stops, err := Stops{DB: d.e.DB}.read(sctx, d.lease.tenant)
		if err != nil || slices.ContainsFunc(rows, d.blockedBy(stops)) {
			cancel()
			return func() {
				d.radar.forget(call)
				d.notSent(ctx, rows, stops, err)
			}
		}
		sub, err := d.e.Listings.Patch(sctx, d.account, patchOf(rows))
		cancel()
		v, out := judge(sub, err)
		apart := len(rows) > 1 && v.state == Rejected
		step := noStep
		if len(rows) == 1 {
			v, step = r.stepped(sub, v)
		}
		done := make([]settled, len(rows))
		for i, r := range rows {
			if done[i].ok = true; v.state != "" && !apart {
				done[i].ok, done[i].err = d.settle(context.WithoutCancel(ctx), r, v)
			}
		}
		return func() {
			d.obey(stops)
			dealt := 0
			if v.state != "" && !apart && step == noStep {
				dealt = len(rows)
			}
			began, ended := d.radar.end(call, d.e.Clock.Now(), dealt, d.send.pace, d.cfg.Burst, out, err)
			d.told(ctx, began, ended)
			if apart {
				d.sendApart(rows, sub.Call)
				return
			}
			if step != noStep {
				d.answeredStep(r, sub.Call, step)
				return
			}
			for i, r := range rows {
				d.answered(ctx, r, sub.Call, v, out, err, done[i].ok, done[i].err)
			}
		}
	})
}

// settled says how writing an outcome went.
type settled struct {
	ok  bool // the offer still wanted the row
	err error
}

// blockedBy tells whether a row is stopped.
func (d *driver) blockedBy(stops standing) func(*row) bool {
	return func(r *row) bool {
		return stops.blocks(d.lease.conn, r.Marketplace, r.w.j.Batch) || r.brings != "" && stops.blocks(d.lease.conn, r.Marketplace, r.brings)
	}
}

// notSent takes back rows one of which a stop forbade at the last moment, or for
// which the stops could not be read.
func (d *driver) notSent(ctx context.Context, rows []*row, stops []Stop, err error) {
	d.stats.Sent -= int64(len(rows))
	now := d.e.Clock.Now()
	if err != nil {
		d.log.ErrorContext(ctx, "stops cannot be read, nothing is sent", "error", err.Error())
		d.send.block(now, now.Add(time.Second))
	} else {
		d.obey(stops)
	}
	for _, r := range rows {
		delete(d.busy, r.key)
		switch {
		case err == nil && standing(stops).blocks(d.lease.conn, r.Marketplace, r.w.j.Batch):
			r.w.holdBack(r)
		case err == nil && d.blockedBy(stops)(r): // for what it brings along
			r.w.unsent(r)
			r.w.again = append(r.w.again, r)
		default:
			r.w.ready = append([]*row{r}, r.w.ready...)
		}
	}
}

// judge turns Amazon's answer into the verdict to write. No verdict state means
// that nothing happened and the row is sent again.
func judge(sub amazon.Submission, err error) (verdict, amazon.Outcome) {
	if err == nil {
		v := verdict{state: Accepted, submission: sub.ID, issue: issueText(sub.Issues)}
		if sub.Status != amazon.Accepted {
			v.state = Rejected
		}
		return v, ""
	}
	out := amazon.Classify(err)
	switch out {
	case amazon.Permanent:
		return verdict{state: Rejected, issue: publicText(err)}, out
	case amazon.Unknown:
		return verdict{state: Unknown, issue: "no answer from Amazon; it is read back before anything is sent again"}, out
	case amazon.Retry, amazon.RetryAfter, amazon.Reauthorise, amazon.Operator:
	}
	return verdict{}, out
}

// answered brings the result of a patch into the lane's state.
func (d *driver) answered(ctx context.Context, r *row, call amazon.Call, v verdict, out amazon.Outcome, err error, ok bool, werr error) {
	now := d.e.Clock.Now()
	delete(d.busy, r.key)
	d.send.follow(call.RateLimit)
	d.read.follow(call.RateLimit)
	switch {
	case werr != nil:
		// The outcome is not recorded. The intent stays in the journal, so the
		// row is read back like one without an answer.
		d.log.ErrorContext(ctx, "outcome not recorded", "sku", string(r.SKU), "error", werr.Error())
		r.lost++
		d.unanswered(r, now)
	case v.state != "" && !ok:
		r.set(Superseded)
	case v.state == Accepted:
		d.stats.Accepted++
		r.staged = false
		r.set(Accepted)
		d.noteAnswer(r, "")
		r.first, r.sentAt = now, now
		d.await(r, now.Add(d.visible))
	case v.state == Unknown:
		r.staged, r.lost = false, r.lost+1
		d.unanswered(r, now)
	case v.state != "":
		r.set(v.state)
		d.noteAnswer(r, v.issue)
	default:
		d.postpone(ctx, r, now, out, err)
	}
}

// unanswered has a row read back from the time on at which no request of it can
// be on the wire; until then nothing else is sent for its offer.
func (d *driver) unanswered(r *row, now time.Time) {
	r.set(Unknown)
	r.first, r.sentAt = now, now
	d.await(r, later(r.notAfter, now))
	d.busy[r.key] = r.notAfter
}

// postpone puts a row that had no effect back in line, and slows or parks the
// lane as the outcome asks for.
func (d *driver) postpone(ctx context.Context, r *row, now time.Time, out amazon.Outcome, err error) {
	r.w.ready = append([]*row{r}, r.w.ready...)
	switch out {
	case amazon.RetryAfter:
		d.stats.Throttled++
		d.send.throttled(now)
		d.send.block(now, now.Add(d.backOff(err)))
	case amazon.Reauthorise, amazon.Operator:
		d.park(ctx, out, err)
	case amazon.Retry, amazon.Permanent, amazon.Unknown:
		d.send.block(now, now.Add(d.backOff(err)))
	}
}

// park stops sending until a person has acted. No change is lost: rows stay
// announced or desired and go on when that was done.
//
// When Amazon refuses the seller's authorisation, the lane is parked until the
// seller has connected again. When it refuses our own credentials, no lane can
// send anything: a global stop is set, and an operator is paged, who lifts it.
func (d *driver) park(ctx context.Context, out amazon.Outcome, err error) {
	if out == amazon.Operator {
		d.stats.Refused++
		d.log.ErrorContext(ctx, "amazon refuses our credentials, everything is stopped", "alarm", "operator", "reason", publicText(err))
		stop := Stop{Scope: ScopeGlobal, Actor: system, Reason: "Amazon refuses our credentials: " + publicText(err), Since: d.e.Clock.Now()}
		serr := Stops{DB: d.e.DB, Bell: d.e.Bell}.Set(context.WithoutCancel(ctx), store.Directory, stop)
		if serr != nil {
			// The lane must not park for this: nobody but its seller could free it.
			// It is left, and whoever takes it next is refused again and tries again.
			d.fatal = fmt.Errorf("lane: stop everything: %w", serr)
			return
		}
		d.obey(append(d.stops, stop))
		return
	}
	d.parked = "the seller has to authorise the connection again"
	if merr := d.e.Connections.MarkReauthorise(context.WithoutCancel(ctx), d.account, publicText(err)); merr != nil {
		d.fatal = merr
	}
}

// backOff is how long the whole lane waits after a refused call: what Amazon
// asked for, else the time in which one token is granted.
func (d *driver) backOff(err error) time.Duration {
	var e *amazon.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return time.Duration(float64(time.Second) / d.send.rate)
}

func issueText(issues []amazon.Issue) string {
	texts := make([]string, 0, len(issues))
	for _, i := range issues {
		texts = append(texts, i.Code+" "+i.Message)
	}
	return strings.Join(texts, "; ")
}

// publicText is Amazon's own text about a failed call, without transport detail.
func publicText(err error) string {
	var e *amazon.Error
	if !errors.As(err, &e) {
		return "no answer from Amazon"
	}
	return strings.TrimSpace(e.Code + " " + e.Message)
}
