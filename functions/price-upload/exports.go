package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/export"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// exportRows is how many rows one answer holds: with every cell filled some 3 MB,
// of the 6 MB that a function may answer with. What is left is named in the header
// Next, and is a whole table by itself.
const exportRows = 10_000

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

// download answers with a table. The name is ours and holds nothing of the seller's.
// Closing the table writes the rest of it.
func download(f export.Format, name, next string, table io.Closer, body *bytes.Buffer) (*web.Response, error) {
	if err := table.Close(); err != nil {
		return nil, err
	}
	r := &web.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {f.ContentType()}}, Body: body.Bytes()}
	r = r.With("Content-Disposition", `attachment; filename="`+name+"."+string(f)+`"`)
	if next != "" {
		r = r.With(headerNext, web.Cursor(next))
	}
	return r, nil
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
	views, next, err := h.offersOf(ctx, r, after, limit)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	out, err := export.NewOffers(&body, f)
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		if err := out.Add(v.Offer); err != nil {
			return nil, err
		}
	}
	return download(f, "offers", next, out, &body)
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
	all, err := h.past.Of(ctx, r.Tenant, []price.OfferKey{key}, time.Time{})
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	out, err := export.NewHistory(&body, f)
	if err != nil {
		return nil, err
	}
	// The newest: an offer that changes every hour has 35,000 events in a year.
	events := all[key]
	for _, e := range events[max(0, len(events)-exportRows):] {
		if err := out.Add(e); err != nil {
			return nil, err
		}
	}
	return download(f, "history", "", out, &body)
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
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	var body bytes.Buffer
	out, err := export.NewReport(&body, f)
	if err != nil {
		return nil, err
	}
	next := after
	for n := 0; n < limit; {
		rows, more, err := h.batches.Report(ctx, r.Tenant, b.ID, next, min(lane.ReportPage, limit-n), lane.State(r.Query.Get("state")))
		if errors.Is(err, lane.ErrCursor) {
			return nil, fault.New(fault.Invalid, "cursor", "after is not a cursor of this list.").Because(err)
		}
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if err := out.Add(row); err != nil {
				return nil, err
			}
		}
		n += len(rows)
		if next = more; next == "" {
			break
		}
	}
	return download(f, b.ID, next, out, &body)
}
