package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/web"
)

// selfDoc is a member to themselves.
type selfDoc struct {
	Member    memberDoc        `json:"member"`
	Company   shown            `json:"company"`
	Scopes    []identity.Scope `json:"scopes"` // what this session may do now
	CheckedAt *time.Time       `json:"codeCheckedAt,omitempty"`
}

func (h *handler) self(ctx context.Context, r *web.Request) (*web.Response, error) {
	m, err := h.accounts.Members.Get(ctx, r.Tenant, r.Principal.Member)
	if err != nil {
		return nil, err
	}
	c, err := h.accounts.Tenants.Settings(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	doc := selfDoc{Member: showMember(m), Company: shown{c.Name}, Scopes: []identity.Scope{}, CheckedAt: given(r.Principal.MFAAt)}
	for _, s := range identity.AllScopes() {
		if r.Principal.May(s) {
			doc.Scopes = append(doc.Scopes, s)
		}
	}
	return web.JSON(http.StatusOK, doc)
}

func (h *handler) signOut(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.accounts.Sessions.End(ctx, r.Tenant, r.Principal.Actor, r.Principal.Member, r.Principal.Session); err != nil {
		return nil, err
	}
	resp, err := done(http.StatusOK)
	if err != nil {
		return nil, err
	}
	return resp.SignedOut(), nil
}

// proof is what somebody who is signed in proves once more that it is them with.
type proof struct {
	Password string `json:"password"`
	Code     string `json:"code"`
}

func (h *handler) stepUp(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in proof
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	return signedIn(h.accounts.StepUp(ctx, r.Principal, secret.New(in.Password), in.Code, from(r)))
}

func (h *handler) changePassword(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		proof
		NewPassword string `json:"newPassword"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	return signedIn(h.accounts.ChangePassword(ctx, r.Principal, secret.New(in.Password), in.Code, secret.New(in.NewPassword), from(r)))
}

func (h *handler) changeAddress(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Email personal.Sensitive[string] `json:"email"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.recent(r); err != nil {
		return nil, err
	}
	if err := h.accounts.ChangeAddress(ctx, r.Principal, in.Email); err != nil {
		return nil, err
	}
	return done(http.StatusAccepted)
}

// authenticatorDoc is shown once.
type authenticatorDoc struct {
	Secret string `json:"secret"`
	URI    string `json:"uri"`
	QR     string `json:"qr"`
}

func (h *handler) enrol(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Password string `json:"password"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	a, err := h.accounts.Enrol(ctx, r.Principal, secret.New(in.Password), from(r))
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, authenticatorDoc{a.Secret.Reveal(), a.URI.Reveal(), a.QR.Reveal()})
}

func (h *handler) confirmEnrolment(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	s, codes, err := h.accounts.ConfirmEnrolment(ctx, r.Principal, in.Code, from(r))
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusOK, recoveryDoc(codes))
	if err != nil {
		return nil, err
	}
	return resp.SignedIn(s.Cookie), nil
}

func (h *handler) removeAuthenticator(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in proof
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.RemoveAuthenticator(ctx, r.Principal, secret.New(in.Password), in.Code, from(r)); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// recoveryDoc shows recovery codes: the only time that they can be seen.
func recoveryDoc(codes []secret.Value) map[string][]string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = c.Reveal()
	}
	return map[string][]string{"recoveryCodes": texts}
}

func (h *handler) recoveryCodes(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.recent(r); err != nil {
		return nil, err
	}
	codes, err := h.accounts.RecoveryCodes(ctx, r.Principal)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, recoveryDoc(codes))
}

// sessionDoc is a session as its member sees it.
type sessionDoc struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current"` // the one that asks
	Enrolled  bool      `json:"enrolled"`
	CreatedAt time.Time `json:"createdAt"`
	LastSeen  time.Time `json:"lastSeenAt"`
	Expires   time.Time `json:"expiresAt"`
	Agent     shown     `json:"agent"`
	Network   shown     `json:"network"`
}

func (h *handler) sessions(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.accounts.ListSessions(ctx, r.Tenant, r.Principal.Member)
	if err != nil {
		return nil, err
	}
	docs := make([]sessionDoc, len(all))
	for i, s := range all {
		docs[i] = sessionDoc{s.ID, s.ID == r.Principal.Session, s.Enrolled, s.CreatedAt, s.LastSeen, s.Expires, shown{s.Agent}, shown{s.Address}}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": ""})
}

func (h *handler) endSession(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.accounts.Sessions.End(ctx, r.Tenant, r.Principal.Actor, r.Principal.Member, r.Params["id"]); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// endOthers ends all of the member's sessions but the one that asks.
func (h *handler) endOthers(ctx context.Context, r *web.Request) (*web.Response, error) {
	n, err := h.accounts.Sessions.EndAll(ctx, r.Tenant, r.Principal.Actor, r.Principal.Member, r.Principal.Session)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]int{"ended": n})
}

func encode(s string) ([]byte, error) { return json.Marshal(s) }
