package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pricemanager/internal/apply"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// createBatch applies a plan: it takes the token, makes the batch, and rings. A
// caller who got no answer repeats with the same Idempotency-Key.
func (h *handler) createBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	key, err := r.IdempotencyKey()
	if err != nil {
		return nil, err
	}
	var in struct{ Plan, Token, ActivateAt, RevertAt string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	when, err := h.times(in.ActivateAt, in.RevertAt)
	if err != nil {
		// A time that was to come then is no reason to refuse a repetition now.
		if batch, was := h.plans.Claimed(ctx, r.Tenant, in.Plan, in.Token, key); was != nil {
			return nil, was
		} else if batch != "" {
			return h.applied(ctx, r, batch, in.ActivateAt)
		}
		return nil, err
	}
	id, err := h.apply(ctx, r, apply.Order{Plan: in.Plan, Token: in.Token, Key: key, At: when.activate, RevertAt: when.revert})
	if err != nil {
		return nil, err
	}
	return h.applied(ctx, r, id, in.ActivateAt)
}

// applied answers with the batch that a plan became, now or when this was asked for
// before. Who asks for another beginning with the same key means another request.
func (h *handler) applied(ctx context.Context, r *web.Request, batch, activateAt string) (*web.Response, error) {
	b, err := h.batches.Get(ctx, r.Tenant, batch)
	if err != nil {
		return nil, missingBatch(err)
	}
	at, err := time.Parse(time.RFC3339, activateAt)
	if once := activateAt == ""; once && !b.At.IsZero() || !once && (err != nil || !at.Truncate(time.Millisecond).Equal(b.At)) {
		return nil, fault.New(fault.Conflict, "idempotency-key-reused",
			"With this Idempotency-Key the plan was applied before, to begin at another time, as batch %s. Cancel that batch, or leave it as it is.", b.ID).With("batch", b.ID)
	}
	return h.answerBatch(ctx, r, http.StatusAccepted, b)
}

// apply applies a plan in the name of the caller, and returns its batch's id.
func (h *handler) apply(ctx context.Context, r *web.Request, o apply.Order) (batch string, err error) {
	if o.Batch, err = apply.NewBatchID(h.random); err != nil {
		return "", err
	}
	o.Actor, o.Trace = r.Principal.Actor, trace.Header(ctx)
	return apply.Applier{Plans: h.plans, Batches: h.batches, Bell: h.bell}.Apply(ctx, r.Tenant, o)
}

// batchDoc is a batch as the API shows it.
type batchDoc struct {
	ID         string          `json:"id"`
	State      lane.BatchState `json:"state"`
	Plan       string          `json:"plan"`
	File       string          `json:"file"`
	Reason     string          `json:"reason,omitempty"`
	CreatedAt  time.Time       `json:"createdAt"`
	ActivateAt *time.Time      `json:"activateAt,omitempty"` // it begins then
	Revert     *revertDoc      `json:"revert,omitempty"`     // it is taken back by itself
	Reverts    string          `json:"reverts,omitempty"`    // the batch that it takes back
	FinishedAt *time.Time      `json:"finishedAt,omitempty"`
	Rows       int64           `json:"rows"`
	Staged     *int64          `json:"staged,omitempty"` // of them, while it is being staged
	Counts     lane.Counts     `json:"counts"`
	Routes     []routeDoc      `json:"routes,omitempty"`
	Feeds      []feedDoc       `json:"feeds,omitempty"`
	// ETASeconds is the time left until the last price should be readable at
	// Amazon, SentETASeconds until the last one should have been sent. Absent when
	// the batch is at its end, or waits.
	ETASeconds     *int64        `json:"etaSeconds,omitempty"`
	SentETASeconds *int64        `json:"sentEtaSeconds,omitempty"`
	WaitingFor     []*waitingDoc `json:"waitingFor,omitempty"`
}

func (h *handler) answerBatch(ctx context.Context, r *web.Request, status int, b lane.Batch) (*web.Response, error) {
	f, err := h.batches.Forecast(ctx, r.Tenant, b, h.app.Clock.Now(), h.cfg.Visibility)
	if err != nil {
		return nil, err
	}
	return web.JSON(status, showBatch(b, f))
}

func showBatch(b lane.Batch, f *lane.Forecast) batchDoc {
	d := batchDoc{ID: b.ID, State: b.State, Plan: b.Plan, File: b.File, Reason: b.Reason, CreatedAt: b.Created, Counts: b.Counts,
		Routes: showRoutes(b.Routes), Feeds: showFeeds(b.Feeds)}
	for _, n := range b.Rows {
		d.Rows += n
	}
	if !b.At.IsZero() {
		d.ActivateAt = &b.At
	}
	d.Revert, d.Reverts = showRevert(b.Revert), b.Reverts
	if b.State == lane.Staging {
		d.Staged = &b.Staged
	}
	switch b.State {
	case lane.Staging, lane.Sending:
		if sent, seen, ok := f.Batch(); ok {
			d.SentETASeconds, d.ETASeconds = wholeSeconds(sent), wholeSeconds(seen)
		}
		for _, w := range f.Waiting {
			d.WaitingFor = append(d.WaitingFor, showWaiting(w))
		}
	case lane.Done, lane.Refused:
		d.FinishedAt = &b.Finished
	}
	return d
}

func (h *handler) getBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	return h.answerBatch(ctx, r, http.StatusOK, b)
}

func missingBatch(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fault.New(fault.NotFound, "batch-not-found", "There is no such batch.").Because(err)
	}
	return err
}

// withRows returns a batch whose rows are still kept.
func (h *handler) withRows(ctx context.Context, r *web.Request, id string) (lane.Batch, error) {
	b, err := h.batches.Get(ctx, r.Tenant, id)
	if err != nil {
		return b, missingBatch(err)
	}
	if b.RowsGone(h.app.Clock.Now()) {
		return b, fault.New(fault.Gone, "rows-gone", "The rows of a batch are kept for %d days, and those of this one are gone. What became of an offer is in its history.", lane.RowsFor/(24*time.Hour))
	}
	return b, nil
}

// resultDoc is what became of one row of a batch.
type resultDoc struct {
	Row         int                 `json:"row"` // line in the file
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	State       lane.State          `json:"state"`
	At          *time.Time          `json:"at,omitempty"`
	Fields      []fieldDoc          `json:"fields"`
	Submission  string              `json:"submission,omitempty"`
	Issue       string              `json:"issue,omitempty"`
	// ETASeconds is the time left until the price should be readable at Amazon;
	// absent when the row is at its end, or waits.
	ETASeconds *int64      `json:"etaSeconds,omitempty"`
	WaitingFor *waitingDoc `json:"waitingFor,omitempty"`
}

func (h *handler) batchRows(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(lane.ReportPage, lane.ReportPage)
	if err != nil {
		return nil, err
	}
	state, err := web.OneOf(r, "state", lane.States()...)
	if err != nil {
		return nil, err
	}
	b, err := h.withRows(ctx, r, r.Params["id"])
	if err != nil {
		return nil, err
	}
	rows, next, err := h.batches.Report(ctx, r.Tenant, b.ID, after, limit, state)
	if errors.Is(err, lane.ErrCursor) {
		return nil, fault.New(fault.Invalid, "cursor", "after is not a cursor of this list.").Because(err)
	}
	if err != nil {
		return nil, missingBatch(err)
	}
	f, err := h.batches.Forecast(ctx, r.Tenant, b, h.app.Clock.Now(), h.cfg.Visibility)
	if err != nil {
		return nil, err
	}
	items := []resultDoc{}
	for _, row := range rows {
		d := resultDoc{Row: row.Line, Connection: row.Connection, Marketplace: row.Marketplace, SKU: row.SKU, State: row.State,
			Fields: []fieldDoc{}, Submission: row.Submission, Issue: row.Issue}
		if !row.At.IsZero() {
			d.At = &row.At
		}
		if seen, waits, ok := f.Row(row); ok {
			d.ETASeconds = wholeSeconds(seen)
		} else if waits != nil {
			d.WaitingFor = showWaiting(*waits)
		}
		wanted := row.Edit.Apply(row.Old)
		for _, f := range row.Edit.Touched() {
			d.Fields = append(d.Fields, fieldDoc{Field: f, Old: row.Old.Text(f), New: wanted.Text(f)})
		}
		items = append(items, d)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}
