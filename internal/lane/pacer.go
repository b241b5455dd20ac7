package lane

import "time"

// pacer is a token bucket that never asks for more than Amazon grants: it
// refills rate tokens a second up to burst. It has no clock of its own. How it
// gives way when Amazon grants less than it states is in pace.go.
type pacer struct {
	rate    float64 // tokens per second: a share of what Amazon states
	burst   float64
	tokens  float64
	at      time.Time // when tokens was right
	blocked time.Time // nothing before this, after a 429
	slots   slots     // this lane's part of the application's budget
	pace
}

// newPacer starts with the given tokens: the burst after a rest, none when it
// is not known what the budget's last user left.
func newPacer(rate, burst, tokens float64, now time.Time) *pacer {
	return &pacer{rate: rate, burst: burst, tokens: tokens, at: now, pace: pace{stated: rate, share: 1}}
}

func (p *pacer) refill(now time.Time) {
	if d := now.Sub(p.at); d > 0 {
		p.tokens = min(p.burst, p.tokens+d.Seconds()*p.rate)
		p.at = now
		p.regain(d, now)
	}
}

// ready returns when the next token is there: now or earlier means at once.
func (p *pacer) ready(now time.Time) time.Time {
	p.refill(now)
	at := now
	if p.tokens < 1 {
		// Rounded up to the next microsecond, so that the token is whole by then.
		at = now.Add(time.Duration((1-p.tokens)/p.rate*float64(time.Second)) + time.Microsecond)
	}
	return p.slots.ready(later(at, p.blocked))
}

// take uses a token; call it only once ready says so.
func (p *pacer) take(now time.Time) {
	p.refill(now)
	p.tokens--
	p.slots.take(now)
}

// follow adopts the rate that Amazon states, in requests per second. The burst
// of an operation is not stated in answers and stays.
func (p *pacer) follow(rate float64) {
	if rate > 0 {
		p.stated = rate
		p.rate = p.stated * p.share
	}
}

// block stops the bucket until t, and empties it: after a 429 the budget was
// not what we believed.
func (p *pacer) block(now, t time.Time) {
	p.refill(now)
	p.tokens = 0
	if t.After(p.blocked) {
		p.blocked = t
	}
}
