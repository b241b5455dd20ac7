package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// createBatch applies a plan: it takes the token, makes the batch, and rings.
//
// Crash points: after the claim the plan belongs to a batch that does not exist
// yet; the caller, who got no answer, repeats with the same Idempotency-Key and
// the batch is made then. After the batch is made the sweep finds it.
func (h *handler) createBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > 200 {
		return nil, fault.New(fault.Invalid, "idempotency-key", "Send an Idempotency-Key header of 1 to 200 bytes, and the same one when you repeat the request.")
	}
	var in struct{ Plan, Token string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	id, err := newBatchID(h.random)
	if err != nil {
		return nil, err
	}
	p, err := h.plans.Claim(ctx, r.Tenant, in.Plan, in.Token, key, id)
	if err != nil {
		return nil, err
	}
	rows := map[price.ConnectionID]int64{}
	for _, l := range p.Lanes {
		if l.Planned > 0 {
			rows[l.Connection] = l.Planned
		}
	}
	if len(rows) == 0 {
		return nil, fault.New(fault.Conflict, "plan-empty", "The plan has no row that may be sent. Look at what was held and refused.")
	}
	err = h.batches.Create(ctx, r.Tenant, lane.NewBatch{ID: p.Batch, Plan: p.ID, File: p.File, Actor: r.Principal.Actor,
		Strict: p.Policy == plan.AllOrNothing, Rows: rows, Trace: trace.Header(ctx)}, h.bell)
	if err != nil {
		return nil, err
	}
	b, err := h.batches.Get(ctx, r.Tenant, p.Batch)
	if err != nil {
		return nil, err
	}
	return h.answerBatch(ctx, r, http.StatusAccepted, b)
}

func newBatchID(random io.Reader) (string, error) {
	id, err := plan.NewID(random)
	if err != nil {
		return "", err
	}
	return "bat_" + id[len("plan_"):], nil
}

// batchDoc is a batch as the API shows it.
type batchDoc struct {
	ID         string          `json:"id"`
	State      lane.BatchState `json:"state"`
	Plan       string          `json:"plan"`
	File       string          `json:"file"`
	Reason     string          `json:"reason,omitempty"`
	CreatedAt  time.Time       `json:"createdAt"`
	FinishedAt *time.Time      `json:"finishedAt,omitempty"`
	Rows       int64           `json:"rows"`
	Counts     lane.Counts     `json:"counts"`
	// ETASeconds is the time left until the last price should be readable.
	ETASeconds int64 `json:"etaSeconds"`
}

func (h *handler) answerBatch(ctx context.Context, r *web.Request, status int, b lane.Batch) (*web.Response, error) {
	visible, err := h.visible(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return web.JSON(status, showBatch(b, visible))
}

func showBatch(b lane.Batch, visible time.Duration) batchDoc {
	d := batchDoc{ID: b.ID, State: b.State, Plan: b.Plan, File: b.File, Reason: b.Reason, CreatedAt: b.Created, Counts: b.Counts}
	var left int64
	for c, n := range b.Rows {
		d.Rows += n
		left = max(left, b.Left[c])
	}
	switch b.State {
	case lane.Staging, lane.Sending:
		// Connections send side by side, each at Amazon's rate; then the last
		// price takes its time to show.
		d.ETASeconds = left/plan.Rate + int64((visible+time.Second-1)/time.Second)
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
}

func (h *handler) batchRows(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, _, err := r.Page(lane.ReportPage, lane.ReportPage)
	if err != nil {
		return nil, err
	}
	rows, next, err := h.batches.Report(ctx, r.Tenant, r.Params["id"], after)
	if err != nil {
		return nil, missingBatch(err)
	}
	state := lane.State(r.Query.Get("state"))
	items := []resultDoc{}
	for _, row := range rows {
		if state != "" && row.State != state {
			continue
		}
		d := resultDoc{Row: row.Line, Connection: row.Connection, Marketplace: row.Marketplace, SKU: row.SKU, State: row.State,
			Fields: []fieldDoc{}, Submission: row.Submission, Issue: row.Issue}
		if !row.At.IsZero() {
			d.At = &row.At
		}
		wanted := row.Edit.Apply(row.Old)
		for _, f := range row.Edit.Touched() {
			d.Fields = append(d.Fields, fieldDoc{Field: f, Old: row.Old.Text(f), New: wanted.Text(f)})
		}
		items = append(items, d)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}
