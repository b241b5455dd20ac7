package lane

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
)

// A worker's time with a lane: it looks the work up, keeps the lease, and gives
// the lane back.

// open learns whose lane this is and loads its work.
func (d *driver) open(ctx context.Context) error {
	var err error
	if d.account, d.markets, err = d.e.Connections.Account(ctx, d.lease.tenant, d.lease.conn); err != nil {
		return fmt.Errorf("lane: account: %w", err)
	}
	if err := d.freshGuards(ctx); err != nil {
		return err
	}
	if d.delays, err = loadDelays(ctx, d.e.DB, d.lease.tenant); err != nil {
		return err
	}
	if err := d.readStops(ctx); err != nil {
		return err
	}
	d.heeded = d.called
	return d.reload(ctx)
}

func (d *driver) readStops(ctx context.Context) error {
	stops, err := Stops{DB: d.e.DB}.read(ctx, d.lease.tenant)
	if err == nil {
		d.obey(stops)
	}
	return err
}

// reload looks up the lane's work. The rings are read before the work, so that
// work added after the look-up shows as a new ring.
func (d *driver) reload(ctx context.Context) error {
	d.looked = false
	rung, err := d.lease.renew(ctx, d.e.DB, d.e.Clock.Now(), d.cfg.Lease)
	if err != nil {
		return err
	}
	d.rung, d.lease.rung = rung, rung
	d.renewAt = d.e.Clock.Now().Add(d.cfg.Lease / 3)
	if d.markerSeq, err = seenOpen(ctx, d.e.DB, d.doorbell()); err != nil {
		return err
	}
	page, err := d.e.DB.Query(ctx, d.lease.tenant, store.Offers, store.Query{PK: lanePK(d.lease.conn), Prefix: workPrefix})
	if err != nil {
		return fmt.Errorf("lane: look up work: %w", err)
	}
	for _, it := range page.Items {
		batch := strings.TrimPrefix(it.SK, workPrefix)
		if d.known[batch] {
			continue
		}
		w, err := d.openWork(ctx, batch)
		if err != nil {
			return err
		}
		d.known[batch] = true
		if d.stops.pauses(batch) {
			w.freshTally()
		}
		d.insert(w)
	}
	for _, w := range d.works {
		d.route(w, d.e.Clock.Now())
	}
	if err := d.openNotices(ctx); err != nil {
		return err
	}
	if err := d.openImport(ctx); err != nil {
		return err
	}
	d.looked = true
	return nil
}

func (d *driver) doorbell() Doorbell {
	return Doorbell{Kind: KindLane, Tenant: d.lease.tenant, Connection: d.lease.conn}
}

func (d *driver) keepLease(ctx context.Context, now time.Time) error {
	if now.Before(d.renewAt) {
		return nil
	}
	d.saveRadar(now)
	rung, err := d.lease.renew(ctx, d.e.DB, now, d.cfg.Lease)
	if err != nil {
		return err
	}
	d.renewAt = now.Add(d.cfg.Lease / 3)
	if err := d.freshGuards(ctx); err != nil {
		return err
	}
	if len(d.stops) > 0 {
		if err := d.readStops(ctx); err != nil {
			return err
		}
	}
	if rung != d.rung {
		return d.reload(ctx)
	}
	return nil
}

// idle reports whether the lane has nothing to do at all.
func (d *driver) idle() bool { return len(d.works) == 0 && d.imp == nil && len(d.notices) == 0 }

// leave writes what is known, gives the lane back, and rings for what is left.
// Crash points: before the release the lease runs out by itself; between the
// release and the ring the marker is still open and the sweep rings.
func (d *driver) leave(ctx context.Context, wait time.Time) error {
	ctx = context.WithoutCancel(ctx)
	now := d.e.Clock.Now()
	if most := now.Add(longestDelay); wait.After(most) {
		wait = most // the doorbell that comes then must find the lane due
	}
	for _, w := range d.works {
		w.withdraw()
		if w.dirty {
			if err := d.writeJournal(ctx, w, now); err != nil {
				return err
			}
		}
	}
	for m, fresh := range d.measured {
		if err := saveDelays(ctx, d.e.DB, d.lease.tenant, m, fresh); err != nil {
			d.log.WarnContext(ctx, "visibility not saved", "error", err.Error())
		}
		delete(d.measured, m)
	}
	d.saveRadar(now)
	if err := d.lease.release(ctx, d.e.DB, d.send, now, wait, d.parked); err != nil {
		return err
	}
	switch {
	case d.parked != "":
		d.log.ErrorContext(ctx, "lane parked", "reason", d.parked)
		return nil
	case !d.looked:
		// A look-up that failed says nothing about what is left: the marker stays,
		// the message comes again, and the sweep rings.
		return nil
	case d.idle():
		return closeMarker(ctx, d.e.DB, d.doorbell(), d.markerSeq)
	}
	d.stats.Handed = true
	delay := max(wait.Sub(now), 0)
	if delay < time.Second/2 {
		// The queue counts in whole seconds. The next worker may as well wait for
		// the next token itself: a second's delay would cost the lane tokens.
		delay = 0
	}
	return d.e.Bell.send(ctx, d.doorbell(), min((delay+time.Second-1).Truncate(time.Second), longestDelay))
}

// longestDelay is the most that SQS delays a message.
const longestDelay = 15 * time.Minute
