package main

import (
	"context"
	"net/http"
	"time"

	"pricemanager/internal/download"
	"pricemanager/internal/export"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// downloadDoc is a download as the API shows it.
type downloadDoc struct {
	ID          string         `json:"id"`
	What        download.What  `json:"what"`
	Format      export.Format  `json:"format"`
	State       download.State `json:"state"`
	RequestedAt time.Time      `json:"requestedAt"`
	FinishedAt  *time.Time     `json:"finishedAt,omitempty"`
	// ExpiresAt is when the files are gone; LinksExpireAt when their links no longer
	// work, which a new look renews until then.
	ExpiresAt     time.Time  `json:"expiresAt"`
	LinksExpireAt *time.Time `json:"linksExpireAt,omitempty"`
	Rows          int64      `json:"rows"` // in the files that are ready
	Files         []fileDoc  `json:"files"`
	Reason        string     `json:"reason,omitempty"`
}

type fileDoc struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	URL    string `json:"url,omitempty"` // absent while the download is running, and once it has expired
}

// covers is the scope that a table asks for beside the route's own.
var covers = map[download.What]identity.Scope{
	download.Offers: identity.OffersRead, download.History: identity.OffersRead, download.Batch: identity.BatchesRead, download.Plan: identity.PlansRead,
}

// allowed refuses a table that the caller may not see row by row.
func (h *handler) allowed(r *web.Request, what download.What) error {
	scope, ok := covers[what]
	if !ok {
		return fault.New(fault.Invalid, "what", "what is %q: want offers, history, batch or plan.", what)
	}
	return web.Permit(r.Principal, scope, h.app.Clock.Now())
}

// createDownload has a table made that is too large for one answer.
func (h *handler) createDownload(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		What        download.What
		Format      export.Format
		Connection  price.ConnectionID
		Marketplace string
		SKUs        []price.SKU
		Batch       string
		State       lane.State
		Plan        string
		Verdict     price.Verdict
		From, To    string
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.allowed(r, in.What); err != nil {
		return nil, err
	}
	if in.Format == "" {
		in.Format = export.CSV
	}
	of := download.Spec{What: in.What, Format: in.Format, SKUs: in.SKUs, Batch: in.Batch, State: in.State, Plan: in.Plan, Verdict: in.Verdict}
	var err error
	switch {
	case !in.Format.Valid():
		return nil, fault.New(fault.Invalid, "format", "format is %q: want one of %v.", in.Format, export.Formats())
	case len(in.SKUs) > download.MaxSKUs:
		return nil, fault.New(fault.Invalid, "skus", "%d SKUs are named: at most %d. Leave them out for all.", len(in.SKUs), download.MaxSKUs)
	case in.What != download.History && (len(in.SKUs) > 0 || in.From != "" || in.To != ""):
		return nil, fault.New(fault.Invalid, "history", "Only a history is narrowed by skus, from and to.")
	}
	if of.From, err = moment("from", in.From); err != nil {
		return nil, err
	}
	if of.To, err = moment("to", in.To); err != nil {
		return nil, err
	}
	if in.Marketplace != "" {
		m, ok := price.FindMarketplace(in.Marketplace)
		if !ok {
			return nil, fault.New(fault.Invalid, "marketplace", "marketplace is %q: want an Amazon marketplace id or a country code such as DE.", in.Marketplace)
		}
		of.Marketplace = m.ID
	}
	if err := h.exists(ctx, r, in.Connection, &of); err != nil {
		return nil, err
	}
	d, err := h.downloads.Request(ctx, r.Tenant, r.Principal.Actor, r.ID, of)
	if err != nil {
		return nil, err
	}
	res, err := web.JSON(http.StatusAccepted, showDownload(d, nil, nil))
	if err != nil {
		return nil, err
	}
	return res.With("Location", "/downloads/"+d.ID), nil
}

// exists refuses a table of what the tenant does not have, and fills in what
// follows from what it has: all connections, or when a batch began.
func (h *handler) exists(ctx context.Context, r *web.Request, c price.ConnectionID, of *download.Spec) error {
	switch {
	case of.What == download.Plan:
		_, err := h.plans.Rows(ctx, r.Tenant, of.Plan, "", 1, "") // refuses one that has none yet
		return err
	case of.What == download.Batch:
		if _, err := h.withRows(ctx, r, of.Batch); err != nil {
			return err
		}
	case of.Batch != "":
		b, err := h.batches.Get(ctx, r.Tenant, of.Batch)
		if err != nil {
			return missingBatch(err)
		}
		if of.What == download.History && of.From.IsZero() {
			of.From = b.Created // nothing about it is older
		}
	}
	if c != "" {
		of.Connections = []price.ConnectionID{c}
		return h.ours(ctx, r.Tenant, c)
	}
	if of.What == download.Offers {
		all, err := h.connections.List(ctx, r.Tenant)
		for _, c := range all {
			of.Connections = append(of.Connections, c.ID)
		}
		return err
	}
	return nil
}

// getDownload says how far a download is, and answers links to the files of one
// that is done.
func (h *handler) getDownload(ctx context.Context, r *web.Request) (*web.Response, error) {
	d, err := h.downloads.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	if err := h.allowed(r, d.Spec.What); err != nil {
		return nil, err
	}
	links, err := h.downloads.Links(ctx, r.Tenant, d)
	if err != nil {
		return nil, err
	}
	var until *time.Time
	if len(links) > 0 {
		until = given(h.app.Clock.Now().Add(download.LinkFor).UTC().Truncate(time.Second))
	}
	return web.JSON(http.StatusOK, showDownload(d, links, until))
}

func showDownload(d download.Download, links []string, until *time.Time) downloadDoc {
	doc := downloadDoc{ID: d.ID, What: d.Spec.What, Format: d.Spec.Format, State: d.State, RequestedAt: d.At, FinishedAt: given(d.Finished),
		ExpiresAt: d.Expires, LinksExpireAt: until, Rows: d.Rows, Files: make([]fileDoc, len(d.Files)), Reason: d.Reason}
	if until != nil && until.After(d.Expires) {
		doc.LinksExpireAt = &d.Expires
	}
	for i, f := range d.Files {
		doc.Files[i] = fileDoc{Name: f.Name, Rows: f.Rows, Bytes: f.Bytes, SHA256: f.SHA256}
		if i < len(links) {
			doc.Files[i].URL = links[i]
		}
	}
	return doc
}
