package web

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/metrics"
)

// Limit is what a caller has left of one limit after this request was counted.
type Limit struct {
	Name      string        // "address", "tenant" or "key"
	Quota     int           // requests
	Window    time.Duration // in which so many may be made
	Remaining int           // of them
	Reset     time.Duration // until there are Quota again
	// Wait is how long to wait before asking again: zero when this request may pass.
	Wait time.Duration
}

// Limits counts requests. An error lets the request pass: callers are checked
// anyway, and a table that is down must not be an outage of everything.
type Limits interface {
	// Address counts a request of an address. The zero Limit is no limit.
	Address(ctx context.Context, address string) (Limit, error)
	// Caller counts a request of a principal, by its tenant and its key.
	Caller(ctx context.Context, p identity.Principal) ([]Limit, error)
}

// WithLimits has requests counted. Routes that are FromAnywhere have no limits:
// whoever floods us must not keep a seller from the kill switch. Call it before
// first use.
func (rt *Router) WithLimits(l Limits) *Router { rt.limits = l; return rt }

func (rt *Router) limit(ctx context.Context, route *Route, r *Request) error {
	if rt.limits == nil || route != nil && route.FromAnywhere {
		return nil
	}
	l, err := rt.limits.Address(ctx, r.SourceIP)
	if err != nil {
		rt.uncounted(ctx, "address", err)
		return nil
	}
	return rt.within(r, l)
}

func (rt *Router) quota(ctx context.Context, route *Route, r *Request) error {
	if rt.limits == nil || route.FromAnywhere {
		return nil
	}
	ls, err := rt.limits.Caller(ctx, r.Principal)
	if err != nil {
		rt.uncounted(ctx, "caller", err)
		return nil
	}
	for _, l := range ls {
		if err := rt.within(r, l); err != nil {
			return err
		}
	}
	return nil
}

// uncounted tells operators of a request that was let in without being counted.
func (rt *Router) uncounted(ctx context.Context, whose string, err error) {
	rt.log.WarnContext(ctx, "a request could not be counted; it was let in", "of", whose, "cause", err)
	rt.metrics.Emit(nil, metrics.Count("RequestsUncounted", 1))
}

// within notes where the caller stands, and refuses when they are over.
func (rt *Router) within(r *Request, l Limit) error {
	if l.Quota == 0 {
		return nil
	}
	r.standing = append(r.standing, l)
	if l.Wait <= 0 {
		return nil
	}
	rt.metrics.Emit(nil, metrics.Count("RequestsRefused", 1))
	wait := int((l.Wait + time.Second - 1) / time.Second)
	return fault.New(fault.RateLimited, "too-many-requests", "Too many requests from this %s: %d in %d s is the limit. Ask again in %d s.",
		l.Name, l.Quota, int(l.Window/time.Second), wait).With(RetryAfter, wait)
}

// rateHeaders tells callers what they have left (RateLimit header fields for HTTP,
// draft-ietf-httpapi-ratelimit-headers-10): the policies, and the nearest limit of each.
func (r *Request) rateHeaders(resp *Response) {
	for _, l := range r.standing {
		resp.With("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", l.Name, l.Quota, int(l.Window/time.Second)))
		resp.With("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", l.Name, max(l.Remaining, 0), int((l.Reset+time.Second-1)/time.Second)))
	}
}
