package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/history"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// eventDoc is one event in an offer's history.
type eventDoc struct {
	Event      int64       `json:"event"` // its leaf in the ledger
	Type       ledger.Type `json:"type"`
	At         time.Time   `json:"at"`
	Batch      string      `json:"batch,omitempty"`
	PlanRow    int64       `json:"planRow,omitempty"`
	Fields     []fieldDoc  `json:"fields"`
	Submission string      `json:"submission,omitempty"`
	Issue      string      `json:"issue,omitempty"`
	By         string      `json:"by,omitempty"` // the batch that took over
	Attempt    int         `json:"attempt,omitempty"`
	// VisibleSeconds is how long it took from accepted to readable at Amazon.
	VisibleSeconds *int64 `json:"visibleSeconds,omitempty"`
}

func showEvent(e history.Entry) eventDoc {
	d := eventDoc{Event: e.Leaf, Type: e.Type, At: e.At, Batch: e.Batch, PlanRow: e.Row, Fields: []fieldDoc{},
		Submission: e.Submission, Issue: e.Issue, By: e.By, Attempt: e.Attempt}
	if e.Visible > 0 {
		d.VisibleSeconds = wholeSeconds(e.Visible)
	}
	var before, after price.Prices
	if e.Before != nil {
		before = *e.Before
	}
	if e.After != nil {
		after = *e.After
	}
	if e.Before == nil && e.After == nil {
		return d
	}
	for _, f := range price.Fields() {
		if before.Has(f) || after.Has(f) {
			d.Fields = append(d.Fields, fieldDoc{Field: f, Old: before.Text(f), New: after.Text(f)})
		}
	}
	return d
}

// asked reads which offer a request is about. The SKU travels in the query, where
// every byte of it has a place.
func (h *handler) asked(ctx context.Context, r *web.Request) (price.OfferKey, error) {
	k := price.OfferKey{Connection: price.ConnectionID(r.Query.Get("connection")), SKU: price.SKU(r.Query.Get("sku"))}
	m, ok := price.FindMarketplace(r.Query.Get("marketplace"))
	if !ok || k.SKU == "" {
		return k, fault.New(fault.Invalid, "offer", "Name the offer in the query: ?connection=conn_...&marketplace=DE&sku=..., percent-encoded.")
	}
	k.Marketplace = m.ID
	return k, h.ours(ctx, r.Tenant, k.Connection)
}

// ours refuses a connection that the tenant does not have.
func (h *handler) ours(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	_, err := h.connections.Get(ctx, t, c)
	if errors.Is(err, connect.ErrNotFound) {
		return fault.New(fault.NotFound, "connection-not-found", "There is no such connection. Name one in the query: ?connection=conn_...").Because(err)
	}
	return err
}

// moment reads a time that a request gives, the zero time when it gives none.
func moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fault.New(fault.Invalid, name, "%s is %q: want a time such as 2030-12-31T08:00:00Z.", name, s).Because(err)
	}
	return t, nil
}

// offerHistory lists what happened to an offer, oldest first.
func (h *handler) offerHistory(ctx context.Context, r *web.Request) (*web.Response, error) {
	cursor, limit, err := r.Page(100, 500)
	if err != nil {
		return nil, err
	}
	after := int64(-1)
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, fault.New(fault.Invalid, "cursor", "after is not a cursor of this list.").Because(err)
		}
	}
	key, err := h.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	from, err := moment("from", r.Query.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := moment("to", r.Query.Get("to"))
	if err != nil {
		return nil, err
	}
	page, more, err := h.past.Page(ctx, r.Tenant, key, from, to, after, limit)
	if err != nil {
		return nil, err
	}
	items, next := []eventDoc{}, ""
	for _, e := range page {
		items = append(items, showEvent(e))
	}
	if more {
		next = strconv.FormatInt(page[len(page)-1].Leaf, 10)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}

// whyDoc says what an offer's prices were at a moment, and why.
type whyDoc struct {
	At     time.Time    `json:"at"`
	Known  bool         `json:"known"` // false: its prices had not been read by then
	Prices price.Prices `json:"prices"`
	// Field is the one of them that the rest is about, the price when none was named;
	// absent when it had no value, and the rest is about all of them then.
	Field price.Field `json:"field,omitempty"`
	// Since is when it was first seen so, How the event that says it.
	Since  *time.Time `json:"since,omitempty"`
	How    *eventDoc  `json:"how,omitempty"`
	Change *causeDoc  `json:"change,omitempty"` // absent: no change of ours set it
}

// causeDoc is the change of ours that set a price.
type causeDoc struct {
	Batch   string `json:"batch"`
	PlanRow int64  `json:"planRow"`
	Line    int    `json:"line,omitempty"` // in the file
	// Linked is which price it followed, and how, when the file did not name it.
	Linked *price.Linked `json:"linked,omitempty"`
	Plan   string        `json:"plan,omitempty"`
	File   string        `json:"file,omitempty"`
	// Maker is who brought the rows, a source on a schedule too; Releaser who let them
	// pass what they were held for.
	Maker     string      `json:"madeBy,omitempty"`
	Releaser  string      `json:"releasedBy,omitempty"`
	Origin    plan.Origin `json:"origin,omitempty"`  // of the plan, when that is no file
	Reverts   string      `json:"reverts,omitempty"` // the batch that it takes back at its time
	Actor     string      `json:"actor,omitempty"`
	AppliedAt *time.Time  `json:"appliedAt,omitempty"`
	Guards    string      `json:"guards,omitempty"` // hash of the settings that it passed
	Approved  string      `json:"approvedBy,omitempty"`
	Steps     []eventDoc  `json:"steps"` // desired, sent, accepted, observed
}

// why answers "why this price?", now or at a moment.
func (h *handler) why(ctx context.Context, r *web.Request) (*web.Response, error) {
	key, err := h.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	at, err := moment("at", r.Query.Get("at"))
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = h.app.Clock.Now()
	}
	field, err := web.OneOf(r, "field", price.Fields()...)
	if err != nil {
		return nil, err
	}
	field = cmp.Or(field, price.FieldOur)
	all, err := h.past.Of(ctx, r.Tenant, []price.OfferKey{key}, time.Time{})
	if err != nil {
		return nil, err
	}
	if len(all[key]) == 0 {
		return nil, fault.New(fault.NotFound, "offer-not-found", "Nothing is known about this offer. Look at its connection, marketplace and SKU.")
	}
	d := whyDoc{At: at}
	known, ok := history.PricesAt(all[key], at)
	if !ok {
		return web.JSON(http.StatusOK, d)
	}
	d.Known, d.Prices = true, known.Prices
	shown := known
	if first, ok := history.Since(all[key], field, at); ok {
		d.Field, shown = field, first
	}
	how := showEvent(shown.Entry)
	d.Since, d.How = &shown.Entry.At, &how
	if cause, ok := history.Cause(all[key], shown.Entry, field); ok {
		if d.Change, err = h.cause(ctx, r.Tenant, cause, all[key]); err != nil {
			return nil, err
		}
	}
	return web.JSON(http.StatusOK, d)
}

// cause tells of the change that an event belongs to. What has expired by now, the
// plan and its rows, is left out.
func (h *handler) cause(ctx context.Context, t tenant.ID, seen history.Entry, all []history.Entry) (*causeDoc, error) {
	c := &causeDoc{Batch: seen.Batch, PlanRow: seen.Row, Steps: []eventDoc{}}
	for _, e := range all {
		if e.Batch == seen.Batch && e.Row == seen.Row {
			c.Steps = append(c.Steps, showEvent(e))
		}
	}
	b, err := h.batches.Get(ctx, t, seen.Batch)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.Plan, c.File, c.Actor, c.AppliedAt, c.Reverts = b.Plan, b.File, b.Actor, given(b.Created), b.Reverts
	p, err := h.plans.Load(ctx, t, b.Plan)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.Guards, c.Maker, c.Origin = p.Guards, p.Actor, p.Origin
	if p.Released != nil {
		c.Maker, c.Releaser = p.Released.Maker, p.Released.By
	}
	if p.Approved != nil {
		c.Approved = p.Approved.By
	}
	rows, err := h.plans.Rows(ctx, t, b.Plan, strconv.FormatInt(max(0, seen.Row-1), 10), 1, "")
	if err == nil && len(rows.Rows) == 1 && rows.Rows[0].N == seen.Row {
		c.Line, c.Linked = rows.Rows[0].Line, rows.Rows[0].Linked
	}
	return c, nil
}
