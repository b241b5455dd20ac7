package soak

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// Amazon's budget of patchListingsItem and of searchListingsItems per seller.
const (
	rate  = 5.0
	burst = 5.0
	// shownWithin is the most that an applied price stays invisible. It is below
	// lane.Config.UnknownFor, as that setting asks for.
	shownWithin = 17 * time.Second
)

// bucket meters one budget.
type bucket struct {
	tokens float64
	at     time.Duration
}

func (b *bucket) take(now time.Duration) bool {
	b.tokens = min(burst, b.tokens+(now-b.at).Seconds()*rate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// shelf is one offer at Amazon.
type shelf struct {
	actual  price.Prices // what was set last
	shown   price.Prices // what reads show
	pending []later      // set and not shown yet, in order
}

type later struct {
	at     time.Duration
	prices price.Prices
}

func (s *shelf) show(now time.Duration) price.Prices {
	for len(s.pending) > 0 && s.pending[0].at <= now {
		s.shown = s.pending[0].prices
		s.pending = s.pending[1:]
	}
	return s.shown
}

func (s *shelf) set(p price.Prices, shown time.Duration) {
	if n := len(s.pending); n > 0 {
		shown = max(shown, s.pending[n-1].at)
	}
	s.actual = p
	s.pending = append(s.pending, later{shown, p})
}

// shopOf is Amazon as one process reaches it.
type shopOf struct {
	w *world
	p *process
}

var (
	_ amazon.Listings = shopOf{}
	_ amazon.Reports  = shopOf{}
)

func refusal(op string, status int, code string) error {
	return &amazon.Error{Op: op, Status: status, Code: code, Reached: status == http.StatusInternalServerError}
}

func (w *world) lost(op string) error {
	w.canaries.planted()
	return &amazon.Error{Op: op, Reached: true, Err: errReset}
}

// gate is what every call meets on arrival: the authorisation, storms, budgets.
func (w *world) gate(op string, c *connection, b *bucket) error {
	switch {
	case w.refused:
		w.fault(Refused)
		return refusal(op, http.StatusBadRequest, "invalid_client")
	case c.revoked:
		return refusal(op, http.StatusForbidden, "Unauthorized")
	case w.s.now < c.stormUntil || (!w.calm && w.hit(1500)):
		w.fault(Throttled)
		return refusal(op, http.StatusTooManyRequests, "QuotaExceeded")
	case !b.take(w.s.now):
		w.overBudget++
		return refusal(op, http.StatusTooManyRequests, "QuotaExceeded")
	case !w.calm && w.hit(1500):
		w.fault(Unavailable)
		return refusal(op, http.StatusServiceUnavailable, "ServiceUnavailable")
	}
	return nil
}

// Patch lets the request travel by itself: it arrives also when its sender dies
// meanwhile, but not after the deadline of the call.
func (a shopOf) Patch(ctx context.Context, acc amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	const op = "patchListingsItem"
	w := a.w
	c := w.conns[acc.Connection]
	ch := w.identify(c, p)
	if ch != nil {
		w.checkStops(ch)
	}
	w.step(a.p, "patch", w.between(time.Millisecond, 4*time.Millisecond))
	left := a.p.left(ctx)
	if left <= 0 {
		return amazon.Submission{}, &amazon.Error{Op: op, Err: context.DeadlineExceeded}
	}
	out, back := w.between(10*time.Millisecond, 90*time.Millisecond), w.between(5*time.Millisecond, 50*time.Millisecond)
	w.trace(a.p, "sends %s: %s", p.SKU, p.Edit.Set.Our)
	// A change loses its request at most once without an effect: the engine sends
	// a lost one once more, and calls it unconfirmed when that is lost as well.
	mayLose := ch != nil && !ch.lostOnce
	if ch != nil && ch.offer.onWire > 0 {
		w.staleSends++
		w.breach(ch.offer, "%s row %d is sent while another patch of the offer is under way", ch.batch.id, ch.n)
	}
	if !w.calm && w.hit(w.slow) {
		w.fault(SlowAnswer)
		a.p.slowAt = w.s.now
		if out = w.between(100*time.Millisecond, 9*time.Second); !mayLose {
			out, back = 50*time.Millisecond, out
		}
	}
	var sub amazon.Submission
	var err error
	me := w.s.cur
	gen := me.gen
	answer := func(d time.Duration) { w.s.push(event{at: w.s.now + d, task: me, gen: gen}) }
	cut := func() {
		err = w.lost(op)
		answer(0)
	}
	switch {
	case mayLose && !w.calm && w.hit(3000):
		w.fault(CutBefore)
		ch.lostOnce = true
		w.s.after(out, cut)
	case out >= left:
		if ch != nil {
			ch.lostOnce = true
		}
		w.s.after(left, cut)
	default:
		if ch != nil {
			ch.offer.onWire++
		}
		w.s.after(out, func() {
			if ch != nil {
				ch.offer.onWire--
			}
			sub, err = w.arrive(op, c, ch, p)
			switch {
			case out+back >= left:
				err = w.lost(op)
				answer(max(left-out, 0))
			case !w.calm && w.hit(3000):
				w.fault(CutAfter)
				err = w.lost(op)
				answer(back)
			default:
				answer(back)
			}
		})
	}
	w.s.wait()
	w.step(a.p, "patch done", w.between(time.Microsecond, time.Millisecond))
	w.trace(a.p, "patch %s to %s: %s %v", p.SKU, p.Edit.Set.Our, sub.Status, err)
	return sub, err
}

// arrive is the moment at which Amazon takes or refuses a patch.
func (w *world) arrive(op string, c *connection, ch *change, p amazon.Patch) (amazon.Submission, error) {
	if err := w.gate(op, c, &c.patches); err != nil {
		return amazon.Submission{}, err
	}
	w.submissions++
	sub := amazon.Submission{ID: fmt.Sprintf("sub-%d", w.submissions), Status: amazon.Accepted, Call: amazon.Call{RateLimit: rate}}
	if ch == nil {
		w.breach(nil, "a price that no change wants was sent: %s to %s", p.SKU, p.Edit.Set.Our)
		return sub, nil
	}
	w.watch()
	w.checkSend(ch, p)
	w.checkArrival(ch)
	switch ch.fate {
	case invalid:
		w.fault(Invalid)
		sub.Status = amazon.Invalid
		sub.Issues = []amazon.Issue{{Code: "90220", Message: "required attribute is missing", Severity: "ERROR"}}
		return sub, nil
	case ignored:
		if !ch.scripted {
			ch.scripted = true
			w.fault(Ignored)
		}
		return sub, nil
	case partly:
		if !ch.scripted {
			ch.scripted, ch.effects = true, 1
			w.fault(Partly)
		}
		ch.offer.shelf.set(price.Edit{Set: price.Prices{Our: p.Edit.Set.Our}}.Apply(ch.offer.shelf.actual), w.s.now+time.Second)
		return sub, nil
	case applied:
	}
	broken := !w.calm && w.hit(3000)
	if broken {
		w.fault(Broken)
		if !ch.lostOnce && w.hit(500_000) {
			ch.lostOnce = true
			return amazon.Submission{}, refusal(op, http.StatusInternalServerError, "InternalFailure")
		}
	}
	shown := w.between(500*time.Millisecond, 4*time.Second)
	if !w.calm && w.hit(w.late) {
		w.fault(ShownLate)
		shown = w.between(4*time.Second, shownWithin)
	}
	w.effect(ch)
	ch.offer.shelf.set(p.Edit.Apply(ch.offer.shelf.actual), w.s.now+shown)
	if broken {
		return amazon.Submission{}, refusal(op, http.StatusInternalServerError, "InternalFailure")
	}
	return sub, nil
}

// read is a call that only reads: to Amazon and back within its deadline.
func (a shopOf) read(ctx context.Context, op string, c *connection, b *bucket, do func()) error {
	w := a.w
	w.step(a.p, op, w.between(time.Millisecond, 4*time.Millisecond))
	left := a.p.left(ctx)
	out, back := w.between(10*time.Millisecond, 60*time.Millisecond), w.between(10*time.Millisecond, 90*time.Millisecond)
	if !w.calm && w.hit(w.slow) {
		w.fault(SlowAnswer)
		a.p.slowAt = w.s.now
		back = w.between(time.Second, 9*time.Second)
	}
	if out+back >= left {
		w.s.sleep(max(left, 0))
		return w.lost(op)
	}
	w.s.sleep(out)
	err := w.gate(op, c, b)
	if err == nil && !w.calm && w.hit(2000) {
		w.fault(Broken)
		err = refusal(op, http.StatusInternalServerError, "InternalFailure")
	}
	if err == nil {
		do()
	}
	w.s.sleep(back)
	w.step(a.p, op+" done", time.Microsecond)
	return err
}

func (a shopOf) Search(ctx context.Context, acc amazon.Account, m price.MarketplaceID, skus []price.SKU) (list []amazon.Listing, call amazon.Call, err error) {
	c := a.w.conns[acc.Connection]
	if len(skus) > 20 {
		return nil, amazon.Call{}, refusal("searchListingsItems", http.StatusBadRequest, "InvalidInput")
	}
	err = a.read(ctx, "searchListingsItems", c, &c.reads, func() {
		for _, sku := range skus {
			if o := c.offers[offerID{m, sku}]; o != nil {
				list = append(list, amazon.Listing{Marketplace: m, SKU: sku, Prices: o.shelf.show(a.w.s.now)})
				a.w.trace(a.p, "read %s: %s", sku, o.shelf.shown.Our)
			}
		}
	})
	return list, amazon.Call{RateLimit: rate}, err
}

func (a shopOf) Get(ctx context.Context, acc amazon.Account, m price.MarketplaceID, sku price.SKU) (l amazon.Listing, call amazon.Call, err error) {
	list, call, err := a.Search(ctx, acc, m, []price.SKU{sku})
	if err == nil && len(list) == 0 {
		err = refusal("getListingsItem", http.StatusNotFound, "NotFound")
	}
	if err != nil {
		return amazon.Listing{}, call, err
	}
	return list[0], call, nil
}

func (a shopOf) CreateReport(ctx context.Context, acc amazon.Account, _ string, m price.MarketplaceID) (string, error) {
	c := a.w.conns[acc.Connection]
	return string(acc.Connection) + " " + string(m), a.read(ctx, "createReport", c, &c.reports, func() {})
}

func (a shopOf) Report(ctx context.Context, acc amazon.Account, id string) (amazon.ReportStatus, string, error) {
	c := a.w.conns[acc.Connection]
	status := amazon.ReportDone
	if a.w.hit(300_000) {
		status = amazon.ReportInProgress
	}
	return status, id, a.read(ctx, "getReport", c, &c.reports, func() {})
}

func (a shopOf) Document(ctx context.Context, acc amazon.Account, id string) (io.ReadCloser, error) {
	c := a.w.conns[acc.Connection]
	_, market, _ := strings.Cut(id, " ")
	var b bytes.Buffer
	err := a.read(ctx, "getReportDocument", c, &c.reports, func() {
		for _, o := range c.list {
			if string(o.key.Marketplace) == market {
				fmt.Fprintln(&b, o.key.SKU)
			}
		}
	})
	return io.NopCloser(&b), err
}
