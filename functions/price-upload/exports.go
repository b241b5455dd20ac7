package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"

	"pricemanager/internal/download"
	"pricemanager/internal/export"
	"pricemanager/internal/fault"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// One answer holds at most so many rows, and ends after so many bytes: a function
// may answer with 6 MB, a part of exportPart rows with every cell filled has less
// than 2, and a workbook, which travels as base64, is far smaller than its rows. What
// is left is named in the header Next, and is a whole table by itself. All at once is
// what POST /downloads is for.
const (
	exportRows  = 10_000
	exportPart  = 1_000
	exportBytes = 3 << 20
)

// fill reads part after part until the answer is full, and returns the cursor of the
// rest.
func fill(after string, limit int, body *bytes.Buffer, part func(after string, limit int) (rows int, next string, err error)) (string, error) {
	for {
		rows, next, err := part(after, min(limit, exportPart))
		if limit -= rows; err != nil || next == "" || limit <= 0 || body.Len() >= exportBytes {
			return next, err
		}
		after = next
	}
}

// headerNext is the header that names the cursor of the rest.
const headerNext = "Next"

func exportFormat(r *web.Request) (export.Format, error) {
	f := export.Format(r.Query.Get("format"))
	if f == "" {
		f = export.CSV
	}
	if !f.Valid() {
		return "", fault.New(fault.Invalid, "format", "format is %q: want one of %v.", f, export.Formats())
	}
	return f, nil
}

// table is one of package export's.
type table interface {
	Rows() int
	Close() error
}

// hand answers with a table. The name is ours and holds nothing of the seller's.
// Closing the table writes the rest of it. That it is handed out is noted first.
func (h *handler) hand(ctx context.Context, r *web.Request, of download.Spec, name, next string, out table, body *bytes.Buffer) (*web.Response, error) {
	if err := out.Close(); err != nil {
		return nil, err
	}
	if err := h.downloads.Note(ctx, r.Tenant, r.Principal.Actor, r.ID, of, out.Rows()); err != nil {
		return nil, err
	}
	res := &web.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {of.Format.ContentType()}}, Body: body.Bytes()}
	res = res.With("Content-Disposition", `attachment; filename="`+name+"."+string(of.Format)+`"`)
	if next != "" {
		res = res.With(headerNext, web.Cursor(next))
	}
	return res, nil
}

// exportOffers hands out the offers of a connection as a price file.
func (h *handler) exportOffers(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(exportRows, exportRows)
	if err != nil {
		return nil, err
	}
	f, err := exportFormat(r)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	out, err := export.NewOffers(&body, f)
	if err != nil {
		return nil, err
	}
	next, err := fill(after, limit, &body, func(after string, limit int) (int, string, error) {
		views, next, err := h.offersOf(ctx, r, after, limit)
		for i := 0; err == nil && i < len(views); i++ {
			err = out.Add(views[i].Offer)
		}
		return len(views), next, err
	})
	if err != nil {
		return nil, err
	}
	of := download.Spec{What: download.Offers, Format: f, Connections: []price.ConnectionID{price.ConnectionID(r.Query.Get("connection"))},
		Marketplace: price.MarketplaceID(r.Query.Get("marketplace"))}
	return h.hand(ctx, r, of, "offers", next, out, &body)
}

// exportHistory hands out the history of one offer.
func (h *handler) exportHistory(ctx context.Context, r *web.Request) (*web.Response, error) {
	f, err := exportFormat(r)
	if err != nil {
		return nil, err
	}
	key, err := h.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	of := download.Spec{What: download.History, Format: f, Connections: []price.ConnectionID{key.Connection}, Marketplace: key.Marketplace, SKUs: []price.SKU{key.SKU}}
	if of.From, err = moment("from", r.Query.Get("from")); err != nil {
		return nil, err
	}
	if of.To, err = moment("to", r.Query.Get("to")); err != nil {
		return nil, err
	}
	all, err := h.past.Of(ctx, r.Tenant, []price.OfferKey{key}, of.From)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	out, err := export.NewHistory(&body, f)
	if err != nil {
		return nil, err
	}
	// The newest: an offer that changes every hour has 35,000 events in a year.
	events := slices.DeleteFunc(all[key], func(e history.Entry) bool { return !of.To.IsZero() && !e.At.Before(of.To) })
	for _, e := range export.Newest(events, exportRows) {
		if err := out.Add(e); err != nil {
			return nil, err
		}
	}
	return h.hand(ctx, r, of, "history", "", out, &body)
}

// exportBatch hands out what became of a batch's rows.
func (h *handler) exportBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(exportRows, exportRows)
	if err != nil {
		return nil, err
	}
	f, err := exportFormat(r)
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
	var body bytes.Buffer
	out, err := export.NewReport(&body, f)
	if err != nil {
		return nil, err
	}
	next, err := fill(after, limit, &body, func(after string, limit int) (int, string, error) {
		rows, next, err := h.batches.Report(ctx, r.Tenant, b.ID, after, limit, state)
		if errors.Is(err, lane.ErrCursor) {
			return 0, "", fault.New(fault.Invalid, "cursor", "after is not a cursor of this list.").Because(err)
		}
		for i := 0; err == nil && i < len(rows); i++ {
			err = out.Add(rows[i])
		}
		return len(rows), next, err
	})
	if err != nil {
		return nil, err
	}
	of := download.Spec{What: download.Batch, Format: f, Batch: b.ID, State: state}
	return h.hand(ctx, r, of, b.ID, next, out, &body)
}

// exportPlan hands out a plan's rows.
func (h *handler) exportPlan(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(exportRows, exportRows)
	if err != nil {
		return nil, err
	}
	f, err := exportFormat(r)
	if err != nil {
		return nil, err
	}
	verdict, err := web.OneOf(r, "verdict", price.Verdicts()...)
	if err != nil {
		return nil, err
	}
	of := download.Spec{What: download.Plan, Format: f, Plan: r.Params["id"], Verdict: verdict}
	var body bytes.Buffer
	out, err := export.NewPlan(&body, f)
	if err != nil {
		return nil, err
	}
	next, err := fill(after, limit, &body, func(after string, limit int) (int, string, error) {
		page, err := h.plans.Rows(ctx, r.Tenant, of.Plan, after, limit, of.Verdict)
		for i := 0; err == nil && i < len(page.Rows); i++ {
			err = out.Add(page.Rows[i])
		}
		return len(page.Rows), page.Next, err
	})
	if err != nil {
		return nil, err
	}
	return h.hand(ctx, r, of, of.Plan, next, out, &body)
}
