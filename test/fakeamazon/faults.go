package fakeamazon

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/price"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	// DropPrice accepts a patch, or a message of a feed, that never becomes visible.
	DropPrice FaultKind = "drop"
	// HoldBefore blocks a request before it has any effect, until Release.
	HoldBefore FaultKind = "hold-before"
	// HoldAfter lets the effect happen and blocks the answer, until Release.
	HoldAfter FaultKind = "hold-after"
	// CutBefore closes the connection before any effect.
	CutBefore FaultKind = "cut-before"
	// CutAfter lets the effect happen and closes the connection.
	CutAfter FaultKind = "cut-after"
	// Answer replies with Status and Code and has no effect.
	Answer FaultKind = "answer"
	// AnswerAfter lets the effect happen and replies with Status and Code.
	AnswerAfter FaultKind = "answer-after"
	// FeedStuck keeps a feed in the queue for Latency longer, and the feeds of the
	// seller behind it too.
	FeedStuck FaultKind = "feed-stuck"
	// FeedPartly fails a third of a feed's messages with an internal error.
	FeedPartly FaultKind = "feed-partly"
	// FeedFatal ends a feed as FATAL, without a report, when half of its messages
	// took effect.
	FeedFatal FaultKind = "feed-fatal"
	// FeedCancelLate confirms that a feed is cancelled, which goes on.
	FeedCancelLate FaultKind = "feed-cancel-late"
	// JudgeApart judges the prices of a patch each by itself, by what shows: a
	// price and bounds that only fit together are refused.
	JudgeApart FaultKind = "judge-apart"
	// Slow waits Latency on the fake's clock before the request is handled.
	Slow FaultKind = "slow"
)

// Fault is one thing that goes wrong for the requests that match. Empty match
// fields match anything. A request meets at most one fault, the oldest that
// matches, apart from DropPrice, JudgeApart, Slow and those of feeds, which go
// together with another. Kinds that begin with "feed" match createFeed, or cancelFeed, only.
type Fault struct {
	ID   string    `json:"id,omitempty"` // set by the fake when empty
	Kind FaultKind `json:"kind"`

	// Op is Amazon's operation, or "token" for the LWA token endpoint.
	Op          string              `json:"op,omitempty"`
	Seller      string              `json:"seller,omitempty"`
	Marketplace price.MarketplaceID `json:"marketplace,omitempty"`
	SKU         price.SKU           `json:"sku,omitempty"`

	Skip  int `json:"skip,omitempty"`  // matching requests to let pass first
	Times int `json:"times,omitempty"` // requests to hit; 0 means all

	Status  int           `json:"status,omitempty"`  // Answer, AnswerAfter
	Code    string        `json:"code,omitempty"`    // default: Amazon's code for Status
	Latency time.Duration `json:"latency,omitempty"` // Slow and FeedStuck, in nanoseconds

	Hits int `json:"hits"` // requests that met the fault, counted by the fake
	Held int `json:"held"` // requests that it holds now
}

// faultBoard holds the armed faults, oldest first. The fake's lock guards it.
type faultBoard struct {
	armed  []*armedFault
	count  int
	closed bool
}

type armedFault struct {
	Fault
	seen int
	held map[chan bool]bool // each held request waits on one; true cuts it
}

func (a *armedFault) matches(r *Request) bool {
	switch a.Kind {
	case DropPrice:
		if (r.Op != opPatch && r.Op != opMessage) || r.Preview {
			return false
		}
	case JudgeApart:
		if r.Op != opPatch {
			return false
		}
	case FeedStuck, FeedPartly, FeedFatal:
		if r.Op != "createFeed" {
			return false
		}
	case FeedCancelLate:
		if r.Op != "cancelFeed" {
			return false
		}
	}
	return (a.Op == "" || a.Op == r.Op) && (a.Seller == "" || a.Seller == r.Seller) &&
		(a.SKU == "" || a.SKU == r.SKU) &&
		(a.Marketplace == "" || slices.Contains(r.Marketplaces, a.Marketplace))
}

// encounter is what happens to a request: at most one disturbance, and a drop
// and a delay beside it.
type encounter struct {
	disturbance *armedFault
	drop        *armedFault
	slow        *armedFault
	apart       *armedFault
	feed        *armedFault
}

// meet finds what happens to a request. Each fault that could be the one counts
// the request.
func (b *faultBoard) meet(r *Request) encounter {
	var out encounter
	for _, a := range b.armed {
		slot := &out.disturbance
		switch a.Kind {
		case DropPrice:
			slot = &out.drop
		case Slow:
			slot = &out.slow
		case JudgeApart:
			slot = &out.apart
		case FeedStuck, FeedPartly, FeedFatal, FeedCancelLate:
			slot = &out.feed
		}
		if *slot == nil && a.hits(r) {
			*slot = a
		}
	}
	return out
}

// hits counts a request that matches and reports whether the fault befalls it.
func (a *armedFault) hits(r *Request) bool {
	if !a.matches(r) {
		return false
	}
	a.seen++
	if a.seen <= a.Skip || (a.Times > 0 && a.Hits >= a.Times) {
		return false
	}
	a.Hits++
	r.Fault = a.ID
	return true
}

// drops reports whether a message of a feed vanishes.
func (b *faultBoard) drops(message *Request) bool {
	for _, a := range b.armed {
		if a.Kind == DropPrice && a.hits(message) {
			return true
		}
	}
	return false
}

// AddFault arms a fault and returns its id, or an error for a kind that does
// not exist.
func (f *Fake) AddFault(ft Fault) (string, error) {
	kinds := []FaultKind{DropPrice, HoldBefore, HoldAfter, CutBefore, CutAfter, Answer, AnswerAfter, JudgeApart, Slow, FeedStuck, FeedPartly, FeedFatal, FeedCancelLate}
	if !slices.Contains(kinds, ft.Kind) {
		return "", fmt.Errorf("fakeamazon: no fault of kind %q; there are %v", ft.Kind, kinds)
	}
	answers := ft.Kind == Answer || ft.Kind == AnswerAfter
	if answers != (ft.Status != 0) || (answers && (ft.Status < 400 || ft.Status > 599)) {
		return "", fmt.Errorf("fakeamazon: a fault of kind %q with status %d", ft.Kind, ft.Status)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults.count++
	if ft.ID == "" {
		ft.ID = "fault-" + strconv.Itoa(f.faults.count)
	}
	ft.Hits, ft.Held = 0, 0
	f.faults.armed = append(f.faults.armed, &armedFault{Fault: ft, held: map[chan bool]bool{}})
	return ft.ID, nil
}

// Faults lists the armed faults with their counts.
func (f *Fake) Faults() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, 0, len(f.faults.armed))
	for _, a := range f.faults.armed {
		ft := a.Fault
		ft.Held = len(a.held)
		out = append(out, ft)
	}
	return out
}

// Release lets the requests go on that the fault holds now, and returns their
// number. With drop their connections are cut instead, and a request held
// before its effect never has it. The fault stays armed.
func (f *Fake) Release(id string, drop bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, a := range f.faults.armed {
		if a.ID == id {
			n += a.release(drop)
		}
	}
	return n
}

// RemoveFault disarms a fault and lets the requests go on that it holds.
func (f *Fake) RemoveFault(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	f.faults.armed = slices.DeleteFunc(f.faults.armed, func(a *armedFault) bool {
		if a.ID != id {
			return false
		}
		a.release(false)
		found = true
		return true
	})
	return found
}

func (a *armedFault) release(drop bool) int {
	n := len(a.held)
	for ch := range a.held {
		ch <- drop // buffered
	}
	clear(a.held)
	return n
}

func (b *faultBoard) releaseAll() {
	b.closed = true
	for _, a := range b.armed {
		a.release(true)
	}
}

// hold blocks until the fault is released and reports whether the connection is
// to be cut. A client that gives up does not end it: what Amazon does with a
// request does not depend on somebody waiting for the answer.
func (f *Fake) hold(a *armedFault) (cut bool) {
	f.mu.Lock()
	if f.faults.closed || !slices.Contains(f.faults.armed, a) {
		defer f.mu.Unlock()
		return f.faults.closed
	}
	ch := make(chan bool, 1)
	a.held[ch] = true
	f.mu.Unlock()
	return <-ch
}
