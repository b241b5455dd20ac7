package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// grantDoc is a permission for our operators to look, as the company sees it.
type grantDoc struct {
	ID        string     `json:"id"`
	Reason    string     `json:"reason"`
	By        string     `json:"grantedBy"`
	Emergency bool       `json:"emergency"` // nobody of the company agreed; its owners were told
	CreatedAt time.Time  `json:"createdAt"`
	Until     time.Time  `json:"until"`
	Open      bool       `json:"open"`
	Revoked   *time.Time `json:"revokedAt,omitempty"`
	RevokedBy string     `json:"revokedBy,omitempty"`
	Entries   int64      `json:"entries"` // how often somebody of ours began to look
	LastEntry *time.Time `json:"lastEntryAt,omitempty"`
}

func showGrants(all []identity.Grant, now time.Time) []grantDoc {
	docs := make([]grantDoc, len(all))
	for i, g := range all {
		docs[i] = grantDoc{g.ID, g.Reason, g.By, g.Emergency, g.CreatedAt, g.Until, g.Open(now), given(g.Revoked), g.RevokedBy, g.Entries, given(g.LastEntry)}
	}
	return docs
}

func (h *handler) grants(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.accounts.Grants().List(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"items": showGrants(all, h.accounts.Clock.Now()), "next": ""})
}

func (h *handler) grant(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Reason string `json:"reason"`
		Hours  int    `json:"hours"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	in.Hours = min(max(in.Hours, 0), 10_000) // of hours that fit; Give says which do
	g, err := h.accounts.Grants().Give(ctx, r.Tenant, r.Principal.Actor, in.Reason, time.Duration(in.Hours)*time.Hour)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showGrants([]identity.Grant{g}, h.accounts.Clock.Now())[0])
}

func (h *handler) revokeGrant(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.accounts.Grants().Revoke(ctx, r.Tenant, r.Principal.Actor, r.Params["id"]); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// reviewDoc is who has access to the company's data.
type reviewDoc struct {
	At       time.Time           `json:"at"`
	Reviewed *time.Time          `json:"reviewedAt,omitempty"`
	By       string              `json:"reviewedBy,omitempty"`
	Digest   string              `json:"digest"` // to confirm with
	Members  []reviewedMemberDoc `json:"members"`
	Keys     []reviewedKeyDoc    `json:"keys"`
	Grants   []grantDoc          `json:"grants"`
}

type reviewedMemberDoc struct {
	Member   memberDoc         `json:"member"`
	LastSeen *time.Time        `json:"lastSeenAt,omitempty"`
	Findings []account.Finding `json:"findings"`
}

type reviewedKeyDoc struct {
	Key      keyDoc            `json:"key"`
	Findings []account.Finding `json:"findings"`
}

func showReview(r account.Review) reviewDoc {
	doc := reviewDoc{At: r.At, Reviewed: given(r.Last), By: r.LastBy, Digest: r.Digest, Grants: showGrants(r.Grants, r.At),
		Members: make([]reviewedMemberDoc, len(r.Members)), Keys: make([]reviewedKeyDoc, len(r.Keys))}
	for i, m := range r.Members {
		doc.Members[i] = reviewedMemberDoc{showMember(m.Member), given(m.LastSeen), m.Findings}
	}
	for i, k := range r.Keys {
		doc.Keys[i] = reviewedKeyDoc{showKey(k.Key), k.Findings}
	}
	return doc
}

func (h *handler) reviews() *account.Reviews {
	return &account.Reviews{Service: h.accounts, Keys: h.keys}
}

func (h *handler) review(ctx context.Context, r *web.Request) (*web.Response, error) {
	v, err := h.reviews().Of(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showReview(v))
}

func (h *handler) confirmReview(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Digest string `json:"digest"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	v, err := h.reviews().Confirm(ctx, r.Tenant, r.Principal.Actor, in.Digest)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showReview(v))
}

// adviceDoc is what a company does for its own safety.
type adviceDoc struct {
	ID    string     `json:"id"`
	Title string     `json:"title"`
	Text  string     `json:"text"`
	Done  *time.Time `json:"doneAt,omitempty"`
	By    string     `json:"doneBy,omitempty"`
}

func (h *handler) advice(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.accounts.Advice(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	docs := make([]adviceDoc, len(all))
	for i, a := range all {
		docs[i] = adviceDoc{a.ID, a.Title, a.Text, given(a.Done), a.By}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": ""})
}

func (h *handler) takeAdvice(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Done string `json:"done"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.TakeAdvice(ctx, r.Tenant, r.Principal.Actor, in.Done); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// direct is what the schedule sends, and an operator by pmctl. Who may send it, the
// template says: no function of ours does.
type direct struct {
	Job       string    `json:"job"`
	Tenant    tenant.ID `json:"tenant"`
	Operator  string    `json:"operator"`
	Grant     string    `json:"grant"`     // of enter; "": the one that lasts longest
	Emergency string    `json:"emergency"` // of enter: the reason for going in without a grant
	Session   string    `json:"session"`   // of leave
}

// answer is what came of it.
type answer struct {
	Done    int        `json:"done"`
	Session string     `json:"session,omitempty"`
	Cookie  string     `json:"cookie,omitempty"` // of an operator: the only time that it can be seen
	Until   *time.Time `json:"until,omitempty"`
}

func (h *handler) job(ctx context.Context, d direct) (answer, error) {
	if d.Job == "access-reviews" {
		n, err := h.reviews().Remind(ctx)
		h.accounts.Log.InfoContext(ctx, "access reviews", "asked", n, "ok", err == nil)
		return answer{Done: n}, err
	}
	if d.Job != "operator-enter" && d.Job != "operator-leave" {
		return answer{}, fmt.Errorf("account: there is no job %q", d.Job)
	}
	if !d.Tenant.Valid() {
		return answer{}, fmt.Errorf("account: %q is no tenant", d.Tenant)
	}
	log := h.accounts.Log.With("job", d.Job, "tenant", d.Tenant, "operator", d.Operator, "emergency", d.Emergency != "")
	if d.Job == "operator-leave" {
		err := h.accounts.Leave(ctx, d.Tenant, d.Operator, d.Session)
		log.InfoContext(ctx, "an operator left", "ok", err == nil)
		return answer{Done: 1}, err
	}
	v, err := h.enter(ctx, d)
	log.WarnContext(ctx, "an operator looks into a tenant", "session", v.Session.ID, "ok", err == nil)
	if err != nil {
		return answer{}, err
	}
	return answer{Done: 1, Session: v.Session.ID, Cookie: v.Cookie.Reveal(), Until: given(v.Session.Expires)}, nil
}

func (h *handler) enter(ctx context.Context, d direct) (account.Visit, error) {
	if d.Emergency != "" {
		h.accounts.Metrics.Emit(nil, metrics.Count("EmergencyEntries", 1)) // tried, whatever comes of it
		return h.accounts.EnterInEmergency(ctx, d.Tenant, d.Operator, d.Emergency)
	}
	return h.accounts.Enter(ctx, d.Tenant, d.Operator, d.Grant)
}
