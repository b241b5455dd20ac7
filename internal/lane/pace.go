package lane

import "time"

// When Amazon throttles a lane that keeps within the stated rate, somebody or
// something else has a part of the budget. The lane then looks for the rate that
// is really to be had, as TCP does: it gives way by a factor and comes back in
// small steps, so that two who do so share what there is.
//
// A single 429 proves nothing and costs its back-off only: at Amazon's full rate
// one lost call in a few hundred must not slow a lane for half a minute.
const (
	giveWay    = 0.75             // of the rate is kept when 429s repeat
	repeated   = 10 * time.Second // 429s within this time repeat
	atMost     = time.Second      // between two times of giving way: calls in flight are refused together
	leastShare = 0.1              // of the stated rate is always asked for, so that an end is noticed
	// regained is how much of the stated rate comes back in the first second, and
	// quicker is when that has doubled, and so on: gently where a limit was just
	// met, and all of it within 20 s once a storm of 429s is over.
	regained = 0.02
	quicker  = 5 * time.Second
)

// pace is how much of the stated rate is in use.
type pace struct {
	stated  float64 // requests per second, as Amazon says
	share   float64 // in use, leastShare to 1
	refused time.Time
	gaveWay time.Time
}

// regain takes back a part of the rate for the time d before now. That time
// itself was paid for at the old rate.
func (p *pacer) regain(d time.Duration, now time.Time) {
	if p.share >= 1 {
		return
	}
	quiet := max(now.Sub(p.refused), d).Seconds()
	s := d.Seconds()
	// The integral of regained*(1+t/quicker) over the time that passed.
	p.share = min(1, p.share+regained*(s+s*(2*quiet-s)/(2*quicker.Seconds())))
	p.rate = p.stated * p.share
}

// throttled slows down after a 429.
func (p *pacer) throttled(now time.Time) {
	p.refill(now)
	again := !p.refused.IsZero() && now.Sub(p.refused) <= repeated
	p.refused = now
	if !again || now.Sub(p.gaveWay) < atMost {
		return
	}
	p.gaveWay = now
	p.share = max(leastShare, p.share*giveWay)
	p.rate = p.stated * p.share
}

// resume goes on with the share that an earlier owner of the lane used at a time.
func (p *pacer) resume(share float64, at, now time.Time) {
	if share <= 0 || share >= 1 {
		return
	}
	p.share = max(leastShare, share)
	p.rate = p.stated * p.share
	p.refused = at
	p.regain(max(now.Sub(at), 0), now)
}

// group is how many rows are announced at a time: what is sent within guardsFor,
// so that no row waits for long on guards that were changed meanwhile.
func (d *driver) group() int {
	return max(1, min(intentsPerWrite, int(d.send.rate*guardsFor.Seconds())))
}
