package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// The quota radar watches whether a connection gets the rate of
// patchListingsItem that Amazon states for it.
//
// What can be concluded: a 429 to a lane whose calls were within the stated rate
// and burst, however they arrived, says that Amazon granted less than it states,
// for this seller and operation, at that moment. One that comes again and again,
// minute after minute, says that something else uses a part.
//
// What cannot: who. By Amazon's usage plans the stated rate belongs to the pair
// of seller and application, so that the likeliest other user calls with our own
// application's credentials, from another stage or tool. Amazon also documents
// limits of the seller's account that all applications share, and leaves open
// which operations have one; then it is another tool of the seller's. Amazon may
// also just have granted less for a while. Hence "suspected", never more. A 429
// that names another limit, as Amazon's texts do since June 2025 ("... allowed
// for the application", "for relationships", "for product data"), is none of
// this and not counted.
//
// When it is suspected: in four of the last five minutes of sending, five such
// 429s each. Should Amazon refuse one call in 300 by itself, a minute of them has
// five with a chance of 0.4 %, and four in five minutes have with one in a
// thousand million; a storm of 429s of up to two minutes touches three. Another
// user of a twentieth of the rate is found: the lane, coming back to the full rate,
// meets it several times a minute (pace.go). It is over when five minutes of
// sending have passed without such a minute, or an hour without any sending.
const (
	radarMinute   = time.Minute // of having something to send
	radarMinutes  = 5
	radarRefused  = 5 // 429s within the budget that mark a minute
	radarMarked   = 4 // minutes marked, of the last five
	radarForgets  = time.Hour
	radarYoung    = 2 * time.Second  // what the last owner called is not known: its burst is over by then
	radarHistory  = 30 * time.Second // of calls; a bucket is full again after burst/rate, one second
	radarGap      = 10 * time.Minute // a lane that was busy and has no owner for longer was not held up by Amazon
	aRadar        = "radar"
	aForeign      = "foreign"
	perMille      = 1000
	radarBelieved = 10 * time.Second // of sending before the measured rate is believed
)

// radarWindow counts a minute of having something to send.
type radarWindow struct {
	From   int64 // Unix seconds
	Busy   int64 // milliseconds
	Calls  int64 // that Amazon answered
	Denied int64 // with a 429
	Within int64 // of these, while we were within the budget
	Rows   int64 // that were sent with them and need no further call
}

// MarshalJSON writes the six numbers in order: the lane item is written often
// and must stay within one write unit.
func (w radarWindow) MarshalJSON() ([]byte, error) {
	return json.Marshal([6]int64{w.From, w.Busy, w.Calls, w.Denied, w.Within, w.Rows})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *radarWindow) UnmarshalJSON(b []byte) error {
	var n [6]int64
	err := json.Unmarshal(b, &n)
	*w = radarWindow{n[0], n[1], n[2], n[3], n[4], n[5]}
	return err
}

// sounding is what the lane item keeps of the radar for the next owner and for
// who asks. Rates are in thousandths of a call per second, times in Unix
// milliseconds.
type sounding struct {
	Stated  int64         `json:"stated"`
	Ceiling int64         `json:"ceil,omitempty"`  // the lane's part of the application's budget, 0 when it is not divided
	Send    int64         `json:"send"`            // thousandths of the stated rate in use
	Read    int64         `json:"read"`            //
	At      int64         `json:"at"`              // when this was
	Busy    bool          `json:"busy,omitempty"`  // there was something to send
	Since   int64         `json:"since,omitempty"` // foreign use is suspected since; 0: it is not
	Visible int64         `json:"vis,omitempty"`   // how long prices take to show, 0 when too few were seen
	Windows []radarWindow `json:"w,omitempty"`     // oldest first; the last one is running
}

// onWire is one call of the worker.
type onWire struct {
	sent, answered time.Time // answered is zero while it is open
	denied         bool
}

// radar is a worker's.
type radar struct {
	sounding
	since time.Time // the worker's beginning
	now   time.Time // Busy time is counted up to here
	calls []*onWire // of the last half minute
}

// newRadar goes on where the last owner stopped.
func newRadar(left sounding, now time.Time) *radar {
	r := &radar{sounding: left, since: now, now: now}
	if last := time.UnixMilli(left.At); left.Busy && now.Sub(last) < radarGap {
		r.now = last // the lane was to send and had no owner: that time counts
	}
	return r
}

// tick counts the time up to now; busy says whether there is something to send.
// It reports that suspicion ended because nothing was sent for long.
func (r *radar) tick(now time.Time, busy bool) (ended bool) {
	n := len(r.Windows)
	if n > 0 {
		w := r.Windows[n-1]
		if last := max(w.From*perMille+w.Busy, r.At); now.UnixMilli()-last > radarForgets.Milliseconds() {
			ended, r.Since, r.Windows, n = r.Since != 0, 0, nil, 0
		}
	}
	if n > 0 && r.Busy && now.After(r.now) {
		r.Windows[n-1].Busy += now.Sub(r.now).Milliseconds()
	}
	if n == 0 || r.Windows[n-1].Busy >= radarMinute.Milliseconds() {
		r.Windows = append(r.Windows, radarWindow{From: now.Unix()})
		r.Windows = r.Windows[max(0, len(r.Windows)-radarMinutes-1):]
	}
	r.Busy = busy
	if now.After(r.now) {
		r.now = now
	}
	return ended
}

// begin notes a call that leaves now.
func (r *radar) begin(now time.Time) *onWire {
	r.calls = slices.DeleteFunc(r.calls, func(c *onWire) bool { return !c.answered.IsZero() && now.Sub(c.answered) > radarHistory })
	c := &onWire{sent: now}
	r.calls = append(r.calls, c)
	return c
}

// forget takes back a call that was not made after all.
func (r *radar) forget(c *onWire) {
	r.calls = slices.DeleteFunc(r.calls, func(x *onWire) bool { return x == c })
}

// end notes the answer to a call: err and what it means, and how many rows it
// dealt with. Calls that did not reach Amazon count for nothing. It reports that
// the suspicion began or ended.
func (r *radar) end(c *onWire, now time.Time, rows int, budget pace, burst float64, out amazon.Outcome, err error) (began, ended bool) {
	c.answered, c.denied = now, out == amazon.RetryAfter
	if out == amazon.Retry {
		r.forget(c)
		return false, false
	}
	ended = r.tick(now, r.Busy)
	w := &r.Windows[len(r.Windows)-1]
	w.Calls++
	w.Rows += int64(rows)
	if c.denied {
		w.Denied++
		if r.within(c, budget.stated, burst) && !otherLimit(err) {
			w.Within++
		}
	}
	marked := 0
	for _, w := range r.Windows[max(0, len(r.Windows)-radarMinutes):] {
		if w.Within >= radarRefused {
			marked++
		}
	}
	switch {
	case r.Since == 0 && marked >= radarMarked:
		r.Since, began = now.UnixMilli(), true
	case r.Since != 0 && marked == 0 && len(r.Windows) > radarMinutes:
		r.Since, ended = 0, true
	}
	return began, ended
}

// within reports whether the refused call was within the stated rate and burst
// even if all calls arrived as badly bunched as they can have: each at any time
// between its sending and its answer. Refused calls take nothing from a bucket.
func (r *radar) within(c *onWire, rate, burst float64) bool {
	if c.sent.Sub(r.since) < radarYoung {
		return false
	}
	var ends []time.Time // of calls that may have arrived before it, the latest first
	for _, x := range r.calls {
		if x == c || x.denied || x.sent.After(c.answered) {
			continue
		}
		end := x.answered
		if end.IsZero() || end.After(c.sent) {
			end = c.sent
		}
		ends = append(ends, end)
	}
	slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
	for i, end := range ends {
		// So many calls, and the refused one, came after end at the earliest.
		if float64(i+2) > burst+rate*c.sent.Sub(end).Seconds() {
			return false
		}
	}
	return true
}

// otherLimit reports whether a 429 names a limit that is not the seller's own.
func otherLimit(err error) bool {
	var e *amazon.Error
	if !errors.As(err, &e) {
		return false
	}
	text := strings.ToLower(e.Message)
	for _, limit := range []string{"application", "relationship", "product data"} {
		if strings.Contains(text, limit) {
			return true
		}
	}
	return false
}

// measured is the rate really achieved: calls that Amazon took, per second of
// having something to send. 0 when too little was sent to tell.
func (s *sounding) measured() float64 {
	var busy, taken int64
	for _, w := range s.Windows {
		busy, taken = busy+w.Busy, taken+w.Calls-w.Denied
	}
	if busy < radarBelieved.Milliseconds() {
		return 0
	}
	return float64(taken) * perMille / float64(busy)
}

// keepRadar brings the radar up to now.
func (d *driver) keepRadar(ctx context.Context, now time.Time) {
	busy := false
	for _, w := range d.works {
		if at, ok := d.sendable(w); ok && !at.After(now) {
			busy = true
			break
		}
	}
	d.told(ctx, false, d.radar.tick(now, busy && d.parked == ""))
}

// saveRadar has the next write of the lane item carry what the radar knows.
func (d *driver) saveRadar(now time.Time) {
	s := d.radar.sounding
	d.send.refill(now)
	d.read.refill(now)
	s.Stated, s.Ceiling = int64(d.send.stated*perMille), 0
	if p := d.send.slots.period; p > 0 {
		s.Ceiling = int64(perMille * time.Second / p)
	}
	if d.stats.Observed >= enoughSeen {
		s.Visible = d.visible.Milliseconds()
	}
	s.Send, s.Read, s.At = int64(d.send.share*perMille), int64(d.read.share*perMille), now.UnixMilli()
	d.radar.sounding = s
	d.lease.sounding = &s
}

// told leaves a trace of a suspicion that began or ended.
func (d *driver) told(ctx context.Context, began, ended bool) {
	switch {
	case began:
		d.stats.QuotaSuspected++
		d.log.WarnContext(ctx, "something else seems to use this seller's quota", "operation", "patchListingsItem",
			"stated", d.send.stated, "achieved", d.radar.measured())
	case ended:
		d.stats.QuotaCleared++
		d.log.InfoContext(ctx, "nothing else seems to use this seller's quota any more", "operation", "patchListingsItem")
	}
}

// sounded adds the radar's attributes to a write of the lane item.
func (l *lease) sounded(up *store.Update) {
	if l.sounding == nil {
		return
	}
	up.Set[aRadar] = mustJSON(l.sounding)
	if l.sounding.Since != 0 {
		up.Set[aForeign] = l.sounding.Since
	} else {
		up.Remove = append(up.Remove, aForeign)
	}
}

// Quota is what a connection gets of Amazon's rate for price writes.
type Quota struct {
	Stated    float64 // calls per second, as Amazon says
	Achieved  float64 // taken by Amazon per second of having something to send; 0 when not measured
	Throttled float64 // share of calls that Amazon refused, 0 to 1
	Suspected bool    // something else seems to use a part of it
	Since     time.Time
	At        time.Time // when this was measured
}

// QuotaOf returns what is known about a connection's quota. One whose lane has
// never sent anything is store.ErrNotFound.
func QuotaOf(ctx context.Context, db store.DB, t tenant.ID, c price.ConnectionID) (Quota, error) {
	it, err := db.Get(ctx, t, store.Offers, laneKey(c))
	if err != nil {
		return Quota{}, err
	}
	var s sounding
	if err := unmarshal(it.Bytes(aRadar), &s); err != nil {
		return Quota{}, err
	}
	if len(s.Windows) == 0 {
		return Quota{}, fmt.Errorf("lane: quota of %s: %w", c, store.ErrNotFound)
	}
	q := Quota{Stated: float64(s.Stated) / perMille, Achieved: s.measured(), Suspected: s.Since != 0, At: time.UnixMilli(s.At).UTC()}
	if q.Suspected {
		q.Since = time.UnixMilli(s.Since).UTC()
	}
	var calls, denied int64
	for _, w := range s.Windows {
		calls, denied = calls+w.Calls, denied+w.Denied
	}
	if calls > 0 {
		q.Throttled = float64(denied) / float64(calls)
	}
	return q, nil
}
