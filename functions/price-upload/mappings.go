package main

import (
	"context"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/web"
)

// mappingDoc is what each column of a header means, as the API shows it.
type mappingDoc struct {
	Fingerprint string       `json:"fingerprint"`
	Columns     []mappedName `json:"columns"`
	ChangedBy   string       `json:"changedBy,omitempty"`
	ChangedAt   *time.Time   `json:"changedAt,omitempty"`
}

type mappedName struct {
	Header string            `json:"header"`
	Means  pricefile.Meaning `json:"means"`
}

func showMapping(m plan.Remembered) mappingDoc {
	d := mappingDoc{Fingerprint: m.Fingerprint, Columns: make([]mappedName, len(m.Columns)), ChangedBy: m.Actor, ChangedAt: given(m.At)}
	for i, means := range m.Columns {
		d.Columns[i] = mappedName{m.Headers[i], means}
	}
	return d
}

// listMappings lists all mappings that are remembered: they are few.
func (h *handler) listMappings(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.plans.Remembered(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	items := make([]mappingDoc, len(all))
	for i, m := range all {
		items[i] = showMapping(m)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items})
}

// putMapping remembers what the columns of a header mean.
func (h *handler) putMapping(ctx context.Context, r *web.Request) (*web.Response, error) {
	fingerprint := r.Params["fingerprint"]
	if !pricefile.ValidFingerprint(fingerprint) {
		return nil, fault.New(fault.NotFound, "mapping-fingerprint", "There is no such header. Use the fingerprint that the answer to an upload showed.")
	}
	var in struct {
		Columns []mappedName `json:"columns"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	headers, means := make([]string, len(in.Columns)), make(pricefile.Mapping, len(in.Columns))
	for i, c := range in.Columns {
		headers[i], means[i] = c.Header, c.Means
	}
	m, err := h.plans.SetMapping(ctx, r.Tenant, r.Principal.Actor, fingerprint, headers, means)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showMapping(m))
}

// forgetMapping forgets what the columns of a header mean.
func (h *handler) forgetMapping(ctx context.Context, r *web.Request) (*web.Response, error) {
	fingerprint := r.Params["fingerprint"]
	if err := h.plans.ForgetMapping(ctx, r.Tenant, r.Principal.Actor, fingerprint); err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"fingerprint": fingerprint, "forgotten": true})
}

// markedFor is how long the link to a marked file works.
const markedFor = 15 * time.Minute

// planFile answers a link to the plan's file with a column that says what is
// wrong with which row.
func (h *handler) planFile(ctx context.Context, r *web.Request) (*web.Response, error) {
	url, err := h.plans.Marked(ctx, r.Tenant, r.Params["id"], markedFor)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"url": url, "expiresAt": h.app.Clock.Now().UTC().Truncate(time.Second).Add(markedFor)})
}
