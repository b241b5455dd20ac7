package fakeamazon

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"pricemanager/internal/price"
)

// Request is one line of the request log.
type Request struct {
	Seq          int64                 `json:"seq"`
	Time         time.Time             `json:"time"`
	Region       price.Region          `json:"region,omitempty"`
	Op           string                `json:"op"` // Amazon's operation, or token, consent, document, uploadFeedDocument
	Seller       string                `json:"seller,omitempty"`
	Marketplaces []price.MarketplaceID `json:"marketplaces,omitempty"`
	SKU          price.SKU             `json:"sku,omitempty"`
	Preview      bool                  `json:"preview,omitempty"`
	Status       int                   `json:"status"`            // 0: not answered yet, or the connection was cut
	Verdict      string                `json:"verdict,omitempty"` // ACCEPTED, INVALID, VALID, or an error code
	SubmissionID string                `json:"submissionId,omitempty"`
	Feed         string                `json:"feed,omitempty"` // id of the feed that it made or asked about
	RequestID    string                `json:"requestId,omitempty"`
	// Effect: the request changed a listing, visible from EffectAt.
	Effect   bool      `json:"effect,omitempty"`
	EffectAt time.Time `json:"effectAt,omitzero"`
	Fault    string    `json:"fault,omitempty"` // id of the fault it met
	// SellerTokens and AppTokens are the whole tokens left in the two buckets
	// after the request; -1 when the request never reached them.
	SellerTokens int `json:"sellerTokens"`
	AppTokens    int `json:"appTokens"`
}

// Query selects requests; empty fields match anything.
type Query struct {
	Op     string
	Seller string
	SKU    price.SKU
	After  int64 // only requests with a greater Seq
	Limit  int   // at most so many, the oldest first; 0 means all
}

// Violation is something that a correct client never does, or that a correct
// Amazon never answers.
type Violation struct {
	Time time.Time `json:"time"`
	Seq  int64     `json:"seq"` // of the request
	// Op is feedMessage for what a message of a feed did; Seq is then that of the
	// request that made the feed.
	// Kind: double-effect, over-budget, contract (a bad request), fake (a bad
	// answer), or protocol (headers, tokens, links).
	Kind   string    `json:"kind"`
	Op     string    `json:"op"`
	Seller string    `json:"seller,omitempty"`
	SKU    price.SKU `json:"sku,omitempty"`
	Detail string    `json:"detail"`
}

// Effect counts what patches and messages of feeds did to one offer.
type Effect struct {
	Region      price.Region        `json:"region"`
	Seller      string              `json:"seller"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	// Count is the number of patches that took effect, Doubles the number of
	// those that repeated the one before.
	Count   int `json:"count"`
	Doubles int `json:"doubles"`
}

// requestLog keeps the last requests, all violations and all effects.
type requestLog struct {
	limit      int
	pace       pace
	logger     *slog.Logger
	seq        int64
	requests   []*Request // oldest first
	violations []Violation
	effects    map[offerKey]*Effect
}

// offerKey names one listing of the fake.
type offerKey struct {
	region      price.Region
	seller      string
	marketplace price.MarketplaceID
	sku         price.SKU
}

// open starts the line of a request when it arrives, so that one that is held
// or cut can be seen as well.
func (l *requestLog) open(r Request) *Request {
	l.seq++
	r.RequestID = l.pace.id("request", l.seq)
	r.Seq, r.SellerTokens, r.AppTokens = l.seq, -1, -1
	if len(l.requests) >= 2*l.limit { // drop the older half at once: cheap per request
		l.requests = append([]*Request(nil), l.requests[l.limit:]...)
	}
	l.requests = append(l.requests, &r)
	return &r
}

// close ends the line of a request with what was answered.
func (l *requestLog) close(r *Request, status int, verdict string) {
	r.Status, r.Verdict = status, verdict
	l.logger.Info("request", "seq", r.Seq, "op", r.Op, "region", r.Region, "seller", r.Seller, "sku", r.SKU,
		"status", status, "verdict", verdict, "effect", r.Effect, "fault", r.Fault)
}

func (l *requestLog) violate(r *Request, now time.Time, kind, format string, args ...any) {
	v := Violation{
		Time: now, Seq: r.Seq, Kind: kind, Op: r.Op, Seller: r.Seller, SKU: r.SKU,
		Detail: fmt.Sprintf(format, args...),
	}
	l.violations = append(l.violations, v)
	l.logger.Warn("violation", "seq", v.Seq, "kind", kind, "op", v.Op, "seller", v.Seller, "sku", v.SKU, "detail", v.Detail)
}

func (l *requestLog) effect(k offerKey) *Effect {
	e := l.effects[k]
	if e == nil {
		e = &Effect{Region: k.region, Seller: k.seller, Marketplace: k.marketplace, SKU: k.sku}
		l.effects[k] = e
	}
	return e
}

// Requests returns the log lines that match, oldest first. A request that is
// still being handled has status 0.
func (f *Fake) Requests(q Query) []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.log.requests
	lines = lines[max(len(lines)-f.cfg.LogLimit, 0):]
	var out []Request
	for _, r := range lines {
		if r.Seq > q.After && (q.Op == "" || q.Op == r.Op) && (q.Seller == "" || q.Seller == r.Seller) &&
			(q.SKU == "" || q.SKU == r.SKU) {
			if out = append(out, *r); len(out) == q.Limit {
				break
			}
		}
	}
	return out
}

// Violations returns everything that went wrong so far, oldest first.
func (f *Fake) Violations() []Violation {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(f.cfg.Clock.Now())
	return slices.Clone(f.log.violations)
}

// Effects returns the effect count of every offer that a patch changed, sorted
// by seller, marketplace and SKU.
func (f *Fake) Effects() []Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(f.cfg.Clock.Now())
	out := make([]Effect, 0, len(f.log.effects))
	for _, e := range f.log.effects {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Seller, b.Seller),
			cmp.Compare(a.Marketplace, b.Marketplace), cmp.Compare(a.SKU, b.SKU))
	})
	return out
}
