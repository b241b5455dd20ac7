package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/web"
)

// memberDoc is a member as the company's members see it.
type memberDoc struct {
	ID        string        `json:"id"`
	Role      identity.Role `json:"role"`
	Name      shown         `json:"name"`
	Email     shown         `json:"email"`
	CreatedAt time.Time     `json:"createdAt"`
	CreatedBy string        `json:"createdBy"`
	Enrolled  *time.Time    `json:"enrolledAt,omitempty"`
	Removed   *time.Time    `json:"removedAt,omitempty"` // then without name and address
}

func showMember(m identity.Member) memberDoc {
	return memberDoc{m.ID, m.Role, shown{m.Name}, shown{m.Email}, m.CreatedAt, m.CreatedBy, given(m.Enrolled), given(m.Removed)}
}

func (h *handler) members(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(50, 100)
	if err != nil {
		return nil, err
	}
	all, next, err := h.accounts.Members.List(ctx, r.Tenant, after, limit)
	if err != nil {
		return nil, err
	}
	docs := make([]memberDoc, len(all))
	for i, m := range all {
		docs[i] = showMember(m)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": web.Cursor(next)})
}

func (h *handler) member(ctx context.Context, r *web.Request) (*web.Response, error) {
	m, err := h.accounts.Members.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusOK, showMember(m))
	if err != nil {
		return nil, err
	}
	return resp.Tagged(strconv.FormatInt(m.Ver, 10)), nil
}

func (h *handler) setRole(ctx context.Context, r *web.Request) (*web.Response, error) {
	ver, err := r.IfMatchNumber("member-moved")
	if err != nil {
		return nil, err
	}
	var in struct {
		Role identity.Role `json:"role"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.Members.SetRole(ctx, r.Tenant, r.Principal.Actor, r.Params["id"], in.Role, ver); err != nil {
		return nil, err
	}
	return h.member(ctx, r)
}

func (h *handler) removeMember(ctx context.Context, r *web.Request) (*web.Response, error) {
	ver, err := r.IfMatchNumber("member-moved")
	if err != nil {
		return nil, err
	}
	if err := h.accounts.RemoveMember(ctx, r.Tenant, r.Principal.Actor, r.Params["id"], ver); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// endMembers ends all sessions of another member, or one's own, this one included.
func (h *handler) endMembers(ctx context.Context, r *web.Request) (*web.Response, error) {
	if _, err := h.accounts.Members.Get(ctx, r.Tenant, r.Params["id"]); err != nil {
		return nil, err
	}
	n, err := h.accounts.Sessions.EndAll(ctx, r.Tenant, r.Principal.Actor, r.Params["id"], "")
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]int{"ended": n})
}

// invitationDoc is an invitation that nobody answered yet.
type invitationDoc struct {
	ID      string        `json:"id"`
	Email   shown         `json:"email"`
	Name    shown         `json:"name"`
	Role    identity.Role `json:"role"`
	By      string        `json:"invitedBy"`
	Expires time.Time     `json:"expiresAt"`
}

func showInvitation(i account.Invitation) invitationDoc {
	return invitationDoc{i.ID, shown{i.Email}, shown{i.Name}, i.Role, i.By, i.Expires}
}

func (h *handler) invitations(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.accounts.Invitations(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	docs := make([]invitationDoc, len(all))
	for i, one := range all {
		docs[i] = showInvitation(one)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": ""})
}

func (h *handler) invite(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Email personal.Sensitive[string] `json:"email"`
		Name  personal.Sensitive[string] `json:"name"`
		Role  identity.Role              `json:"role"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	i, err := h.accounts.Invite(ctx, r.Tenant, r.Principal.Actor, in.Email, in.Name, in.Role)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showInvitation(i))
}

func (h *handler) withdraw(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.accounts.Withdraw(ctx, r.Tenant, r.Principal.Actor, r.Params["id"]); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// keyDoc is an API key as owners see it: never the key, but for the answer that makes it.
type keyDoc struct {
	ID        string           `json:"id"`
	Name      shown            `json:"name"`
	Scopes    []identity.Scope `json:"scopes"`
	From      []shown          `json:"from"` // addresses and prefixes it works from; none: everywhere
	CreatedAt time.Time        `json:"createdAt"`
	CreatedBy string           `json:"createdBy"`
	Expires   time.Time        `json:"expiresAt"`
	LastUsed  *time.Time       `json:"lastUsedAt,omitempty"` // to the hour
	Revoked   *time.Time       `json:"revokedAt,omitempty"`
	Key       string           `json:"key,omitempty"`
}

func showKey(k identity.Key) keyDoc {
	doc := keyDoc{
		ID: k.ID, Name: shown{k.Name}, Scopes: k.Scopes, From: []shown{}, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		Expires: k.Expires, LastUsed: given(k.LastUsed), Revoked: given(k.Revoked),
	}
	for _, p := range strings.Fields(k.From.Reveal()) {
		doc.From = append(doc.From, shown{personal.New(p)})
	}
	return doc
}

func (h *handler) listKeys(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(50, 100)
	if err != nil {
		return nil, err
	}
	all, next, err := h.keys.List(ctx, r.Tenant, after, limit)
	if err != nil {
		return nil, err
	}
	docs := make([]keyDoc, len(all))
	for i, k := range all {
		docs[i] = showKey(k)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": web.Cursor(next)})
}

func (h *handler) makeKey(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Name   personal.Sensitive[string]   `json:"name"`
		Scopes []identity.Scope             `json:"scopes"`
		Days   int                          `json:"days"` // how long it works; 0: a year
		From   personal.Sensitive[[]string] `json:"from"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if in.Days < 0 || in.Days > int(identity.KeyLife/(24*time.Hour)) {
		return nil, fault.New(fault.Invalid, "days", "days must be 1 to %d, or left out.", int(identity.KeyLife/(24*time.Hour)))
	}
	k, text, err := h.keys.Make(ctx, r.Tenant, r.Principal.Actor, identity.NewKey{
		Name: in.Name.Reveal(), Scopes: in.Scopes, Life: time.Duration(in.Days) * 24 * time.Hour, From: in.From.Reveal(),
	})
	if err != nil {
		return nil, err
	}
	doc := showKey(k)
	doc.Key = text.Reveal()
	return web.JSON(http.StatusCreated, doc)
}

func (h *handler) revokeKey(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.keys.Revoke(ctx, r.Tenant, r.Principal.Actor, r.Params["id"]); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

// settingsDoc is the company's name and whom to write to; an empty contact is its owners.
type settingsDoc struct {
	Name     shown       `json:"name"`
	Contacts contactsDoc `json:"contacts"`
}

type contactsDoc struct {
	Security shown `json:"security"`
	Privacy  shown `json:"privacy"`
}

func showSettings(s identity.Settings) (*web.Response, error) {
	resp, err := web.JSON(http.StatusOK, settingsDoc{shown{s.Name}, contactsDoc{shown{s.Security}, shown{s.Privacy}}})
	if err != nil {
		return nil, err
	}
	return resp.Tagged(strconv.FormatInt(s.Ver, 10)), nil
}

func (h *handler) settings(ctx context.Context, r *web.Request) (*web.Response, error) {
	s, err := h.accounts.Tenants.Settings(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return showSettings(s)
}

func (h *handler) changeSettings(ctx context.Context, r *web.Request) (*web.Response, error) {
	ver, err := r.IfMatchNumber("tenant-moved")
	if err != nil {
		return nil, err
	}
	var in struct {
		Name     personal.Sensitive[string] `json:"name"`
		Contacts struct {
			Security personal.Sensitive[string] `json:"security"`
			Privacy  personal.Sensitive[string] `json:"privacy"`
		} `json:"contacts"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	s, err := h.accounts.Tenants.Change(ctx, r.Tenant, r.Principal.Actor, identity.Settings{
		Name: in.Name, Security: in.Contacts.Security, Privacy: in.Contacts.Privacy, Ver: ver,
	})
	if err != nil {
		return nil, err
	}
	return showSettings(s)
}
