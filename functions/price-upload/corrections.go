package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"pricemanager/internal/apply"
	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// correction is what a person wants changed about one offer, now. The SKU is in
// the body, where it may hold any character.
type correction struct {
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	Seen        *seenDoc            `json:"seen"`
	Set         price.Prices        `json:"set"`
	Clear       []price.Field       `json:"clear"`
}

// seenDoc is what the person saw before deciding: the offer's version, or what
// it showed of the fields to be changed. Either keeps a correction from being
// made on a page that is out of date.
type seenDoc struct {
	Version int64         `json:"version"`
	Prices  *price.Prices `json:"prices"`
}

func (c correction) edit() price.Edit { return price.Edit{Set: c.Set, Clear: c.Clear} }

func (c correction) check() error {
	switch {
	case c.SKU == "" || len(c.SKU) > pricefile.MaxSKU:
		return fault.New(fault.Invalid, "sku", "sku must have 1 to %d bytes.", pricefile.MaxSKU)
	case c.Seen == nil || (c.Seen.Version == 0) == (c.Seen.Prices == nil):
		return fault.New(fault.Invalid, "seen", "Say in seen what you saw before: {\"version\": ...} or {\"prices\": {...}} as GET /offers showed it.")
	}
	for _, f := range c.Clear {
		if !slices.Contains(price.Fields(), f) {
			return fault.New(fault.Invalid, "edit", "clear names %q, which is no price. Known are %v.", f, price.Fields())
		}
	}
	if s := c.Set.Sale; s != nil && (s.Start.Nanosecond() != 0 || s.End.Nanosecond() != 0) {
		return fault.New(fault.Invalid, "edit", "A sale begins and ends at a whole second: Amazon knows no fractions.")
	}
	switch {
	case len(c.edit().Touched()) == 0:
		return fault.New(fault.Invalid, "edit", "Name the prices to set or to clear.")
	case c.edit().Validate() != nil:
		return fault.New(fault.Invalid, "edit", "A price is both set and cleared. Do one of the two.")
	}
	return nil
}

// correct changes one offer now: a plan of one row, judged by the same guards,
// applied at once as a batch that goes before all bulk rows of its lane.
//
// Crash points: until the request is kept nothing was applied, and repeating it
// plans again; from then on repeating it finds the same plan and the same batch.
// A batch that was made and not activated is activated by its doorbell.
func (h *handler) correct(ctx context.Context, r *web.Request) (*web.Response, error) {
	if !r.Principal.May(identity.PlansWrite) {
		return nil, fault.New(fault.Forbidden, "scope", "This API key lacks the scope %s: a correction plans and applies.", identity.PlansWrite)
	}
	key, err := r.IdempotencyKey()
	if err != nil {
		return nil, err
	}
	var in correction
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	id, err := h.plans.Requested(ctx, r.Tenant, key, r.Body)
	if err != nil {
		return nil, err
	}
	if id == "" {
		if id, err = h.planCorrection(ctx, r, in); err != nil {
			return nil, err
		}
		if id, err = h.plans.KeepRequest(ctx, r.Tenant, key, r.Body, id); err != nil {
			return nil, err
		}
	}
	p, err := h.plans.Load(ctx, r.Tenant, id)
	if err != nil {
		return nil, err
	}
	batch, err := h.apply(ctx, r, apply.Order{Plan: id, Token: p.Token, Key: key, Now: true})
	if err != nil {
		return nil, err
	}
	if err := h.engine.Activate(ctx, r.Tenant, batch); err != nil {
		h.app.Log.WarnContext(ctx, "correction left to its doorbell", "batch", batch, "cause", err)
	}
	b, err := h.batches.Get(ctx, r.Tenant, batch)
	if err != nil {
		return nil, err
	}
	if b.State == lane.Refused {
		return nil, moved("The offer changed while the correction was being made. Look at it again and decide anew.").With("batch", b.ID)
	}
	return h.answerBatch(ctx, r, http.StatusAccepted, b)
}

// planCorrection stores the plan of a correction that no guard holds.
func (h *handler) planCorrection(ctx context.Context, r *web.Request, in correction) (string, error) {
	if _, err := h.connections.Get(ctx, r.Tenant, in.Connection); err != nil {
		if errors.Is(err, connect.ErrNotFound) {
			return "", fault.New(fault.NotFound, "connection-not-found", "There is no such connection.").Because(err)
		}
		return "", err
	}
	made := plan.Input{
		File: "correction of " + string(in.SKU), Policy: plan.AllOrNothing,
		Connections: map[price.MarketplaceID]price.ConnectionID{in.Marketplace: in.Connection},
		Correction:  &plan.Correction{Marketplace: in.Marketplace, SKU: in.SKU, Edit: in.edit()},
	}
	if err := h.prepare(ctx, r, &made); err != nil {
		return "", err
	}
	p, err := h.plans.Create(ctx, made, asSeen{h.offers, in})
	if err != nil {
		return "", err
	}
	if p.Summary.Planned == 1 {
		return p.ID, nil
	}
	rows, err := h.plans.Rows(ctx, r.Tenant, p.ID, "", 1, "")
	if err != nil {
		return "", err
	}
	return "", notPlanned(p.ID, rows.Rows[0])
}

// notPlanned is the problem of a correction that will not be sent, with what the
// guards say about it.
func notPlanned(id string, row plan.Row) error {
	doc := showRow(row)
	switch row.Verdict {
	case price.Unchanged:
		return fault.New(fault.Conflict, "correction-unchanged", "The offer has these prices already, or a change under way brings them.")
	case price.Held:
		return fault.New(fault.Conflict, "correction-held", "A guard holds this correction: %s %s", row.Findings[0].Reason, row.Findings[0].Fix).
			With("plan", id).With("rows", []rowDoc{doc})
	default:
		return fault.New(fault.Conflict, "correction-refused", "This correction is refused: %s %s", row.Findings[0].Reason, row.Findings[0].Fix).
			With("plan", id).With("rows", []rowDoc{doc})
	}
}

func moved(text string) *fault.Fault { return fault.New(fault.Conflict, "offer-moved", "%s", text) }

// asSeen looks up the offer of a correction, and refuses to if it is no longer as
// the person saw it. One read is both what is compared and what is planned on, so
// nothing can come in between; what comes later is noticed when the row is staged.
type asSeen struct {
	offers *lane.Offers
	in     correction
}

var _ plan.Lookup = asSeen{}

// Offers is plan.Lookup for the one offer.
func (s asSeen) Offers(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	c, err := s.offers.Find(ctx, t, keys[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "offer-not-found", "The connection has no offer with this SKU in this marketplace.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if !s.seen(c) {
		return nil, moved("The offer is no longer as you saw it. Look at it again and decide anew.").
			With("version", c.Version).With("prices", c.Known)
	}
	offer := c.Offer
	// A correction that repeats what is waiting to be sent is not for nothing: it
	// takes the place of that change, and goes first.
	waiting := c.Change != nil && c.Change.State == lane.Desired
	if !waiting || len(s.in.edit().Changed(c.Pending)) > 0 {
		offer.Known = c.Pending
	}
	return map[price.OfferKey]price.Offer{offer.Key: offer}, nil
}

func (s asSeen) seen(c lane.Current) bool {
	if s.in.Seen.Prices == nil {
		return s.in.Seen.Version == c.Version
	}
	for _, f := range s.in.edit().Touched() {
		if !s.in.Seen.Prices.EqualField(f, c.Known) {
			return false
		}
	}
	return true
}
