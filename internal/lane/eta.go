package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A forecast says when the rows of a batch will be sent and seen, from what is
// measured: the rows ahead of them in their lane's queue, the rate that the lane
// really achieved in its last minutes of sending, and how long Amazon took to
// show earlier prices. Where something must happen first that nobody can foresee,
// there is no time, and the forecast says what it waits for.
//
// What it cannot know: rows that Amazon will throttle, lose or ignore from now
// on, and batches yet to come that are more urgent.

// Waiting is what keeps rows from going on.
type Waiting struct {
	Kind       string             // one of the kinds below
	Connection price.ConnectionID // whose rows wait
	Stop       string             // name of the stop
	Reason     string
	Since      time.Time // zero when not known
}

// The kinds of waiting.
const (
	WaitStop          = "stop"          // a kill switch, a pause, or a batch paused by itself
	WaitAuthorisation = "authorisation" // the lane is parked until somebody has acted
	WaitFeed          = "feed"          // Amazon is slower with a feed than was expected
)

// forecastKept is how old a measured rate may be.
const forecastKept = radarForgets

// enoughSeen is how many prices of a marketplace must have been seen for a
// typical delay to be believed; a tail needs enoughToBelieve.
const enoughSeen = 20

// Forecast is when the rows of one batch will be sent and seen, as of a moment.
type Forecast struct {
	// Waiting is what has to happen first, in order of the connections. While it
	// is not empty the batch as a whole has no time.
	Waiting []Waiting

	lanes map[price.ConnectionID]*outlook
	sent  time.Duration
	seen  time.Duration
}

// Batch returns when the last row should have been sent, and seen at Amazon,
// from now; ok is false while that waits for something.
func (f *Forecast) Batch() (sent, seen time.Duration, ok bool) {
	return f.sent, f.seen, len(f.Waiting) == 0
}

// outlook is the forecast of one connection's rows.
type outlook struct {
	conn     price.ConnectionID
	now      time.Time
	rate     float64 // rows a second
	ahead    float64 // rows before the batch's own
	next     float64 // index of the batch's row to be sent next
	unsent   float64
	open     int64 // sent, and not at its end
	last     time.Time
	expected time.Time // of a batch that goes by feed
	chunks   []int64
	stops    standing
	batch    string
	parked   string
	typical  time.Duration // accepted -> seen, of this lane; 0: not measured
	delays   map[price.MarketplaceID]delays
	fallback time.Duration
}

// Forecast looks ahead for a batch that is being staged or sent; of any other it
// says nothing. Prices are assumed to show within fallback where too few were
// measured.
func (s *Batches) Forecast(ctx context.Context, t tenant.ID, b Batch, now time.Time, fallback time.Duration) (*Forecast, error) {
	f := &Forecast{lanes: map[price.ConnectionID]*outlook{}}
	if b.State != Staging && b.State != Sending {
		return f, nil
	}
	stops, err := Stops{DB: s.db}.List(ctx, t)
	if err != nil {
		return nil, err
	}
	measured, err := loadDelays(ctx, s.db, t)
	if err != nil {
		return nil, err
	}
	delete(measured, feedTimes)
	for _, c := range b.connections() {
		o := &outlook{conn: c, now: now, stops: stops, batch: b.ID, delays: measured, fallback: fallback, chunks: b.chunks[c]}
		done, held, err := s.outlook(ctx, t, b, o)
		if err != nil {
			return nil, err
		}
		if done {
			continue
		}
		f.lanes[c] = o
		if w := o.waits(held); w != nil {
			f.Waiting = append(f.Waiting, *w)
			continue
		}
		sent, seen := o.end()
		f.sent, f.seen = max(f.sent, sent), max(f.seen, seen)
	}
	return f, nil
}

// outlook reads a lane: its item and the journals of all its batches. It reports
// whether the batch is done there, and how many of its rows are held back.
func (s *Batches) outlook(ctx context.Context, t tenant.ID, b Batch, o *outlook) (done bool, held int64, err error) {
	it, err := s.db.Get(ctx, t, store.Offers, laneKey(o.conn))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, 0, fmt.Errorf("lane: read lane: %w", err)
	}
	var known sounding
	if err := unmarshal(it.Bytes(aRadar), &known); err != nil {
		return false, 0, err
	}
	o.parked = it.Str(aParked)
	o.rate = known.expected(o.now)
	o.typical = time.Duration(known.Visible) * time.Millisecond
	page, err := s.db.Query(ctx, t, store.Offers, store.Query{PK: lanePK(o.conn), Prefix: workPrefix})
	if err != nil {
		return false, 0, fmt.Errorf("lane: look up work: %w", err)
	}
	journals := make([]journal, 0, len(page.Items))
	for _, item := range page.Items {
		j, err := decodeJournal(item)
		if err != nil {
			return false, 0, err
		}
		journals = append(journals, j)
	}
	own := slices.IndexFunc(journals, func(j journal) bool { return j.Batch == b.ID })
	if own < 0 {
		if b.State == Sending {
			return true, 0, nil
		}
		journals = append(journals, journal{Batch: b.ID, Rows: b.Rows[o.conn], Counts: Counts{Desired: b.Rows[o.conn]},
			Priority: b.Priority, Created: b.Created.UnixMilli()})
	}
	slices.SortStableFunc(journals, func(x, y journal) int {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Created, y.Created))
	})
	for _, j := range journals {
		unsent := o.unsentOf(j, it.Time(aUntil))
		if j.Batch != b.ID {
			if !o.stops.blocks(o.conn, "", j.Batch) && j.Route.Kind != ByFeed {
				o.ahead += max(0, unsent-float64(j.Stopped))
			}
			continue
		}
		o.unsent = unsent
		o.next = max(0, float64(j.Rows)-unsent)
		o.open = j.Counts[Accepted] + j.Counts[Unknown] + j.Counts[Sent]
		if j.Last != 0 {
			o.last = time.UnixMilli(j.Last)
		}
		if j.Route.Kind == ByFeed {
			o.expected = time.UnixMilli(j.Route.Expected)
		}
		held = j.Stopped
		break
	}
	return false, held, nil
}

// unsentOf is how many rows of a batch have yet to be sent: those of its last
// journal, less what a worker that holds the lane has sent since.
func (o *outlook) unsentOf(j journal, until time.Time) float64 {
	announced := float64(j.Counts[Sent])
	if j.At != 0 && until.After(o.now) && !o.stops.blocks(o.conn, "", j.Batch) {
		announced -= min(announced, o.rate*max(0, o.now.Sub(time.UnixMilli(j.At)).Seconds()))
	}
	return float64(j.Counts[Desired]) + announced
}

// expected is the rate at which a lane will send rows, from what it achieved: the
// last minutes count most.
func (s *sounding) expected(now time.Time) float64 {
	rate := float64(s.Stated) / perMille
	if s.Stated == 0 {
		rate = Config{}.withDefaults().Rate
	}
	if s.Ceiling > 0 {
		rate = min(rate, float64(s.Ceiling)/perMille)
	}
	if now.Sub(time.UnixMilli(s.At)) > forecastKept {
		return rate
	}
	var taken, rows, busy, seen float64
	weight := 1.0
	for _, w := range slices.Backward(s.Windows) {
		taken += weight * float64(w.Calls-w.Denied)
		rows += weight * float64(w.Rows)
		busy += weight * float64(w.Busy)
		if seen += float64(w.Busy); w.Busy >= radarMinute.Milliseconds()/2 {
			weight *= 0.6
		}
	}
	if seen < float64(radarBelieved.Milliseconds()) || taken == 0 || rows == 0 {
		return rate
	}
	// A call may carry a row for each of several marketplaces, and a row may take
	// two calls.
	return min(rate, taken*perMille/busy) * rows / taken
}

// stands returns the stop that keeps a row of a marketplace from being sent, or
// with "" all rows.
func (o *outlook) stands(m price.MarketplaceID) *Waiting {
	for _, x := range o.stops {
		if (standing{x}).blocks(o.conn, m, o.batch) {
			return &Waiting{Kind: WaitStop, Connection: o.conn, Stop: x.Name(), Reason: x.Reason, Since: x.Since}
		}
	}
	return nil
}

// waits returns what the batch waits for in this lane, nil for nothing.
func (o *outlook) waits(held int64) *Waiting {
	if w := o.stalled(); w != nil {
		return w
	}
	if o.unsent == 0 {
		return nil
	}
	if w := o.stands(""); w != nil || held == 0 {
		return w
	}
	for _, x := range o.stops {
		if x.Scope == ScopeMarketplace {
			return &Waiting{Kind: WaitStop, Connection: o.conn, Stop: x.Name(), Reason: x.Reason, Since: x.Since}
		}
	}
	return nil // the stop is gone, and the lane has yet to notice
}

// stalled returns what keeps the whole lane, or the batch's feeds, from going on.
func (o *outlook) stalled() *Waiting {
	if o.parked != "" {
		return &Waiting{Kind: WaitAuthorisation, Connection: o.conn, Reason: o.parked}
	}
	if !o.expected.IsZero() && !o.expected.After(o.now) {
		return &Waiting{Kind: WaitFeed, Connection: o.conn, Reason: "Amazon takes longer with the feed than was expected", Since: o.expected}
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// end is when the batch's last row is sent and seen.
func (o *outlook) end() (sent, seen time.Duration) {
	switch {
	case !o.expected.IsZero():
		left := o.expected.Sub(o.now)
		return left, left
	case o.unsent > 0:
		sent = seconds((o.ahead + o.unsent) / o.rate)
		return sent, sent + o.shows("", 0, 99)
	case o.open > 0:
		return 0, o.shows("", o.now.Sub(o.last), 99)
	}
	return 0, 0
}

// shows is how much longer a price that was accepted for a time already takes to
// be seen: with the given chance, in percent, it is seen by then. Marketplace ""
// is the slowest one.
func (o *outlook) shows(m price.MarketplaceID, waited time.Duration, percent int64) time.Duration {
	enough := int64(enoughSeen)
	if percent > 50 {
		enough = enoughToBelieve
	}
	var most time.Duration
	believed := false
	for market, d := range o.delays {
		if (m == "" || m == market) && d.count() >= enough {
			believed = true
			most = max(most, d.after(waited, percent))
		}
	}
	switch usual := cmp.Or(o.typical, o.fallback); {
	case most > 0:
		return most
	case believed: // none took so long: until we give up, anything may happen
		return max(confirmWithin-waited, time.Second)
	case m != "" && percent <= 50 && usual > waited:
		return usual - waited
	}
	return max(o.fallback-waited, time.Second)
}

// Row returns when a row should be seen, from now. A row that is at its end has
// no time, and one that waits says for what.
func (f *Forecast) Row(r RowReport) (seen time.Duration, waiting *Waiting, ok bool) {
	o := f.lanes[r.Connection]
	if o == nil || r.State.Terminal() || r.chunk < 0 {
		return 0, nil, false
	}
	if w := o.stalled(); w != nil {
		return 0, w, false
	}
	if !o.expected.IsZero() {
		return o.expected.Sub(o.now), nil, true
	}
	switch r.State {
	case Accepted:
		return o.shows(r.Marketplace, max(0, o.now.Sub(r.At)), 50), nil, true
	case Unknown:
		return o.shows(r.Marketplace, max(0, o.now.Sub(r.At)), 99), nil, true
	case Desired, Sent, Observed, Rejected, Unconfirmed, Held, Superseded:
	}
	if w := o.stands(r.Marketplace); w != nil {
		return 0, w, false
	}
	index := float64(r.place)
	for _, n := range o.chunks[:min(r.chunk, len(o.chunks))] {
		index += float64(n)
	}
	return seconds((o.ahead+max(0, index+1-o.next))/o.rate) + o.shows(r.Marketplace, 0, 50), nil, true
}

// after is how much longer something takes that has taken a time already: with
// the given chance, in percent, of those that took longer. Within a bucket
// measurements are taken as spread evenly. 0 when none took longer.
func (d delays) after(waited time.Duration, percent int64) time.Duration {
	var left [delayBuckets]float64
	var total float64
	low := time.Duration(0)
	for i, n := range d {
		high := bound(i)
		if high > waited {
			left[i] = float64(n) * float64(high-max(low, waited)) / float64(high-low)
			total += left[i]
		}
		low = high
	}
	want, low := total*float64(percent)/100, time.Duration(0)
	for i, n := range left {
		high, from := bound(i), max(low, waited)
		if n > 0 && n >= want-1e-6 { // sums of floats
			return from + time.Duration(float64(high-from)*want/n) - waited
		}
		want -= n
		low = high
	}
	return 0
}
