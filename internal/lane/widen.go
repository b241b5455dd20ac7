package lane

import (
	"context"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// A price and its bounds travel in one patch. Where Amazon judges each of them
// by what the listing shows, and so refuses those that only fit together, the row
// goes in steps: bounds that widen, then the prices, then
// bounds that narrow. Each step is a part of the very edit that was applied: no
// value is sent that nobody approved. The next one goes out when the one before
// was read back, because Amazon judges it by that.
//
// Crash points: until its last step is accepted the row stays sent, with its
// intent in the journal. The intent says that the row goes in steps, and how many
// were left when one was accepted: the next owner waits for that one. Where it
// does not say so, because the worker died before it wrote the journal, the row is
// like one without an answer: it is read back, and what shows says which step is
// next. No step is remembered anywhere else.

// steps divides an edit by what the listing shows; what is there already is left
// out. A bound that is taken away widens, one that is new narrows.
func steps(e price.Edit, shown price.Prices) (out []price.Edit) {
	var widen, prices, narrow []price.Field
	for _, f := range e.Changed(shown) {
		to := &prices
		switch {
		case f == price.FieldMin && (e.Set.Min == nil || above(shown.Min, *e.Set.Min)),
			f == price.FieldMax && (e.Set.Max == nil || shown.Max != nil && above(e.Set.Max, *shown.Max)):
			to = &widen
		case f == price.FieldMin, f == price.FieldMax:
			to = &narrow
		}
		*to = append(*to, f)
	}
	for _, fields := range [][]price.Field{widen, prices, narrow} {
		if len(fields) > 0 {
			out = append(out, e.Only(fields))
		}
	}
	return out
}

// above reports whether there is an amount and it is the greater one.
func above(m *price.Money, than price.Money) bool {
	return m != nil && m.Currency() == than.Currency() && m.Cmp(than) > 0
}

// patchOf is what the next patch of a row says.
func (r *row) patchOf() price.Edit {
	if r.apart {
		if left := steps(r.Edit, r.shown); len(left) > 0 {
			return left[0]
		}
	}
	return r.Edit
}

// stepping is what an answer means for a row that goes in steps.
type stepping int

const (
	noStep    stepping = iota // nothing: the verdict says it all
	tooMuch                   // refused as a whole: it goes in steps from now on
	stepTaken                 // a step was accepted, and it was not the last one
)

// stepped judges an answer once more, for steps: where there are more to come
// there is no verdict to write yet. It may be called from a call in flight.
func (r *row) stepped(sub amazon.Submission, v verdict) (verdict, stepping) {
	switch {
	case v.state == Rejected && !r.apart && sub.Status == amazon.Invalid && aboutPrices(sub.Issues) && len(steps(r.Edit, r.old)) > 1:
		return verdict{}, tooMuch
	case v.state == Accepted && r.apart && len(steps(r.Edit, r.shown)) > 1:
		return verdict{}, stepTaken
	case v.state == Rejected && r.apart:
		return r.partly(v), noStep
	}
	return v, noStep
}

// aboutPrices reports whether all that Amazon refuses a patch for is its prices.
// The category tells, Amazon renames codes.
func aboutPrices(issues []amazon.Issue) bool {
	refused := false
	for _, i := range issues {
		if i.Severity != "ERROR" {
			continue
		}
		if !slices.Equal(i.Categories, []string{"INVALID_PRICE"}) {
			return false
		}
		refused = true
	}
	return refused
}

// partly adds to the end of a row what of it is at Amazon all the same.
func (r *row) partly(v verdict) verdict {
	if r.shownAt.IsZero() {
		return v
	}
	v.read, v.readAt = &r.shown, r.shownAt
	var names []string
	for _, f := range r.Edit.Changed(r.old) {
		if r.Edit.Set.EqualField(f, r.shown) {
			names = append(names, string(f))
		}
	}
	if len(names) > 0 {
		v.issue += "; already changed at Amazon: " + strings.Join(names, ", ")
	}
	return v
}

// gaveUp is the end of a row one of whose steps never showed.
func (r *row) gaveUp(v verdict) verdict {
	if !r.apart {
		return v
	}
	v.issue = "Amazon takes the price and its bounds one after the other, and did not show one that it had accepted; look at the listing in Seller Central, then apply it again"
	return r.partly(v)
}

// answeredStep brings such an answer into the lane's state.
func (d *driver) answeredStep(r *row, call amazon.Call, s stepping) {
	now := d.e.Clock.Now()
	delete(d.busy, r.key)
	d.send.follow(call.RateLimit)
	d.read.follow(call.RateLimit)
	if s == tooMuch {
		r.apart, r.shown = true, r.old
		r.w.unsent(r) // nothing came of it
		d.nextStep(r)
		return
	}
	r.set(Sent)
	r.left, r.first, r.sentAt = len(steps(r.Edit, r.shown)), now, now
	for i := range r.w.j.Intents {
		if in := &r.w.j.Intents[i]; in.Row == r.index {
			in.Left, in.Taken = r.left, now.UnixMilli()
		}
	}
	d.await(r, now.Add(d.visible))
}

// reviveStep takes up a row one of whose steps was accepted, and reports whether
// it is one.
func (d *driver) reviveStep(r *row, i Intent, now time.Time) bool {
	if i.Left == 0 {
		return false
	}
	r.state, r.left = Sent, i.Left
	r.first = time.UnixMilli(i.Taken).UTC()
	r.sentAt = r.first
	d.await(r, later(r.first.Add(d.visible), now))
	return true
}

func (d *driver) nextStep(r *row) {
	r.left = 0
	r.attempt++ // each step is a send of its own in the ledger
	r.rest()
	r.w.again = append(r.w.again, r)
}

// stepSeen sends the next step once the one before shows: then fewer are left
// than when it was sent. A step that does not show is waited for less long than a
// whole edit: rows in steps keep their intents, and a journal has room for some
// hundreds.
func (d *driver) stepSeen(ctx context.Context, r *row, begun, now time.Time) {
	switch {
	case !r.shownAt.Before(r.sentAt) && len(steps(r.Edit, r.shown)) < r.left:
		d.nextStep(r)
	case begun.Sub(r.first) >= 2*d.unknownFor(r.Marketplace):
		d.giveUp(ctx, r)
	default:
		d.await(r, now.Add(max(now.Sub(r.first)/2, time.Second)))
	}
}
