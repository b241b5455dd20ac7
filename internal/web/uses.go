package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/tenant"
)

// Uses records who used the interface, and who was not let; ledger.Outbox is one.
type Uses interface {
	Used(ctx context.Context, t tenant.ID, u ledger.Use) error
	Refused(ctx context.Context, t tenant.ID, r ledger.Refusal) error
}

var _ Uses = ledger.Outbox{}

// amazonData are the scopes under which answers hold what Amazon told us.
var amazonData = []identity.Scope{identity.OffersRead, identity.PlansRead, identity.BatchesRead}

// WithUses has every GET of Amazon's data and every request for a change recorded,
// and every refusal that is a tenant's business. An answer that cannot be recorded is
// not given, and a change not made, save on routes FromAnywhere: stopping never waits.
// Addresses are named as name does, e.g. by keyed hashes. Call it before first use.
func (rt *Router) WithUses(u Uses, name func(ctx context.Context, address string) []string) *Router {
	rt.uses, rt.names = u, name
	return rt
}

func (rt *Router) origin(ctx context.Context, r *Request) ledger.Origin {
	from := ledger.Origin{Names: rt.names(ctx, r.SourceIP)}
	if r.SourceIP != "" {
		from.Address = personal.New(r.SourceIP)
	}
	return from
}

// changes records a request for a change before it is made.
func (rt *Router) changes(ctx context.Context, route *Route, r *Request) error {
	if rt.uses == nil || route.Scope == Public || route.Method == http.MethodGet {
		return nil
	}
	err := rt.uses.Used(ctx, r.Tenant, ledger.Use{Actor: r.Principal.Actor, Route: route.Method + " " + route.Pattern, From: rt.origin(ctx, r)})
	if err != nil && route.FromAnywhere {
		rt.log.WarnContext(ctx, "a request could not be recorded and was served", "cause", err)
		return nil
	}
	return err
}

// reads records that Amazon's data is given out, before it is.
func (rt *Router) reads(ctx context.Context, route *Route, r *Request) error {
	if rt.uses == nil || route.Method != http.MethodGet || !slices.Contains(amazonData, route.Scope) {
		return nil
	}
	return rt.uses.Used(ctx, r.Tenant, ledger.Use{Actor: r.Principal.Actor, Route: "GET " + route.Pattern, Reads: true, From: rt.origin(ctx, r)})
}

// refused records that a request was turned away, if it names somebody of a tenant. It
// stays refused whether that can be recorded or not.
func (rt *Router) refused(ctx context.Context, route *Route, r *Request, err error) {
	if rt.uses == nil || route == nil {
		return
	}
	t := r.Principal.Tenant
	x := ledger.Refusal{Actor: r.Principal.Actor, Target: r.Principal.Actor, Route: route.Method + " " + route.Pattern, Why: string(fault.KindOf(err))}
	var who *identity.Refused
	switch kind := fault.KindOf(err); {
	case errors.As(err, &who):
		t, x.Target, x.Why = who.Tenant, who.Subject, who.Why
		if who.Proven {
			x.Actor = who.Subject
		}
	case t == "", kind != fault.Unauthenticated && kind != fault.Forbidden && kind != fault.RateLimited:
		return
	}
	x.From = rt.origin(ctx, r)
	if err := rt.uses.Refused(ctx, t, x); err != nil {
		rt.log.WarnContext(ctx, "a refusal could not be recorded", "tenant", t, "cause", err)
		rt.metrics.Emit(nil, metrics.Count("RefusalsUnrecorded", 1))
	}
}
