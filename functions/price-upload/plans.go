package main

import (
	"context"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/web"
)

// planDoc is a plan as the API shows it. Applying it takes the token.
type planDoc struct {
	ID        string      `json:"id"`
	State     plan.State  `json:"state"`
	Token     string      `json:"token,omitempty"` // only while it can be applied
	File      string      `json:"file"`
	Batch     string      `json:"batch,omitempty"`
	Blocked   string      `json:"blocked,omitempty"`
	CreatedAt time.Time   `json:"createdAt"`
	ExpiresAt time.Time   `json:"expiresAt"`
	Policy    plan.Policy `json:"policy"`
	// Held is why the breaker held every row of a marketplace.
	Held     []plan.Trip  `json:"heldMarketplaces,omitempty"`
	Approval *approvalDoc `json:"approval,omitempty"` // only of a plan that needs one
	// Of a plan of rows that another plan held.
	Released *plan.Released `json:"released,omitempty"`
	// Of a plan that is being made or could not be, only these tell; of all others
	// the other two.
	Progress *plan.Progress    `json:"progress,omitempty"`
	Problem  *plan.Problem     `json:"problem,omitempty"`
	Summary  *plan.Summary     `json:"summary,omitempty"`
	Mapping  *pricefile.Layout `json:"mapping,omitempty"`
}

func showPlan(p plan.Stored) planDoc {
	d := planDoc{ID: p.ID, State: p.State, File: p.File, Batch: p.Batch, Blocked: p.Blocked, CreatedAt: p.Created,
		ExpiresAt: p.Expires, Policy: p.Policy, Progress: p.Progress, Problem: p.Problem}
	if p.Progress == nil && p.Problem == nil {
		d.Summary, d.Mapping = &p.Summary, &p.Mapping
	}
	d.Held, d.Approval, d.Released = p.Tripped, showApproval(p), p.Released
	if p.State == plan.Ready {
		d.Token = p.Token
	}
	return d
}

func (h *handler) createPlan(ctx context.Context, r *web.Request) (*web.Response, error) {
	name, upload, err := h.source(ctx, r)
	if err != nil {
		return nil, err
	}
	policy := plan.Policy(r.Query.Get("policy"))
	if policy == "" {
		policy = plan.SkipBadRows
	}
	if !policy.Valid() {
		return nil, fault.New(fault.Invalid, "policy", "policy is %q: want %s or %s.", policy, plan.SkipBadRows, plan.AllOrNothing)
	}
	var market price.MarketplaceID
	if s := r.Query.Get("marketplace"); s != "" {
		m, ok := price.FindMarketplace(s)
		if !ok {
			return nil, fault.New(fault.Invalid, "marketplace", "marketplace is %q: want an Amazon marketplace id or a country code such as DE.", s)
		}
		market = m.ID
	}
	connections, err := h.connections.Serving(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	mappings, err := h.plans.Mappings(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	in := plan.Input{
		File: name, Content: r.Body, Marketplace: market, Mappings: mappings, Policy: policy, Connections: connections,
	}
	if err := h.prepare(ctx, r, &in); err != nil {
		return nil, err
	}
	if upload != "" {
		return h.planUpload(ctx, in, upload)
	}
	p, err := h.plans.Create(ctx, in, h.offers)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showPlan(p))
}

// prepare fills in what every plan is made with: its id, who asks and when, how
// long prices take to show, and the guards as they are.
func (h *handler) prepare(ctx context.Context, r *web.Request, in *plan.Input) (err error) {
	if in.Visibility, err = lane.Visible(ctx, h.db, r.Tenant, h.cfg.Visibility); err != nil {
		return err
	}
	if in.ID, err = plan.NewID(h.random); err != nil {
		return err
	}
	in.Tenant, in.Actor, in.Accountable, in.Now = r.Tenant, r.Principal.Actor, r.Principal.Accountable(), h.app.Clock.Now()
	return h.judged(ctx, in)
}

func (h *handler) getPlan(ctx context.Context, r *web.Request) (*web.Response, error) {
	p, err := h.plans.Load(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showPlan(p))
}

// rowDoc is one row of a plan as the API shows it.
type rowDoc struct {
	Row           int                 `json:"row"` // line in the file
	Connection    price.ConnectionID  `json:"connection,omitempty"`
	Marketplace   price.MarketplaceID `json:"marketplace,omitempty"`
	SKU           price.SKU           `json:"sku"`
	Verdict       price.Verdict       `json:"verdict"`
	Fields        []fieldDoc          `json:"fields"`
	ChangePercent string              `json:"changePercent,omitempty"`
	AtRisk        *price.Money        `json:"atRisk,omitempty"`
	Findings      []plan.Finding      `json:"findings,omitempty"`
	Linked        *price.Linked       `json:"linked,omitempty"` // only of a row that is not in the file
}

type fieldDoc struct {
	Field price.Field `json:"field"`
	Old   string      `json:"old"`
	New   string      `json:"new"`
}

func showRow(r plan.Row) rowDoc {
	d := rowDoc{Row: r.Line, Connection: r.Key.Connection, Marketplace: r.Key.Marketplace, SKU: r.Key.SKU, Verdict: r.Verdict,
		Fields: []fieldDoc{}, ChangePercent: r.ChangePercent, AtRisk: r.AtRisk, Findings: r.Findings, Linked: r.Linked}
	after := r.Edit.Apply(r.Old)
	for _, f := range r.Edit.Touched() {
		d.Fields = append(d.Fields, fieldDoc{Field: f, Old: r.Old.Text(f), New: after.Text(f)})
	}
	return d
}

func (h *handler) planRows(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(200, 1000)
	if err != nil {
		return nil, err
	}
	verdict, err := web.OneOf(r, "verdict", price.Verdicts()...)
	if err != nil {
		return nil, err
	}
	page, err := h.plans.Rows(ctx, r.Tenant, r.Params["id"], after, limit, verdict)
	if err != nil {
		return nil, err
	}
	rows := make([]rowDoc, len(page.Rows))
	for i, row := range page.Rows {
		rows[i] = showRow(row)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": rows, "next": web.Cursor(page.Next)})
}
