package main

import (
	"context"
	"net/http"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

func (h *handler) signUp(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Email   personal.Sensitive[string] `json:"email"`
		Name    personal.Sensitive[string] `json:"name"`
		Company personal.Sensitive[string] `json:"company"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.SignUp(ctx, in.Email, in.Name, in.Company); err != nil {
		return nil, err
	}
	return done(http.StatusAccepted)
}

// ticketIn is a ticket, and the password that is set with it.
type ticketIn struct {
	Ticket   string `json:"ticket"`
	Password string `json:"password"`
}

// joinedDoc is who has just become a member.
type joinedDoc struct {
	Tenant tenant.ID `json:"tenant"`
	Member string    `json:"member"`
}

func (h *handler) completeSignUp(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in ticketIn
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	j, err := h.accounts.CompleteSignUp(ctx, secret.New(in.Ticket), secret.New(in.Password))
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, joinedDoc(j))
}

func (h *handler) accept(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		ticketIn
		Name personal.Sensitive[string] `json:"name"` // as the member wants to be called
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	j, err := h.accounts.Accept(ctx, secret.New(in.Ticket), secret.New(in.Password), in.Name)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, joinedDoc(j))
}

// stepDoc is how far a sign-in came.
type stepDoc struct {
	Needs   signin.Needs `json:"needs"`
	Attempt string       `json:"attempt,omitempty"` // to send the code with
}

func (h *handler) signIn(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Email    personal.Sensitive[string] `json:"email"`
		Password string                     `json:"password"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	step, err := h.accounts.SignIn(ctx, in.Email, secret.New(in.Password), from(r))
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusOK, stepDoc{step.Needs, step.Attempt.Reveal()})
	if err != nil || step.Needs == signin.NeedsCode {
		return resp, err
	}
	return resp.SignedIn(step.Session.Cookie), nil
}

func (h *handler) signInCode(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Attempt      string `json:"attempt"`
		Code         string `json:"code"`
		RecoveryCode string `json:"recoveryCode"`
		Password     string `json:"password"` // once more, with a recovery code
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if (in.Code == "") == (in.RecoveryCode == "") {
		return nil, fault.New(fault.Invalid, "code", "Send either a code of your authenticator, or recoveryCode and password.")
	}
	if in.RecoveryCode != "" {
		return signedIn(h.accounts.Recover(ctx, secret.New(in.Attempt), secret.New(in.RecoveryCode), secret.New(in.Password), from(r)))
	}
	return signedIn(h.accounts.Code(ctx, secret.New(in.Attempt), in.Code, from(r)))
}

// signedIn is the answer that brings a session's cookie.
func signedIn(in account.SignedIn, err error) (*web.Response, error) {
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusOK, map[string]bool{"enrolled": in.Enrolled})
	if err != nil {
		return nil, err
	}
	return resp.SignedIn(in.Cookie), nil
}

func (h *handler) forgot(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Email personal.Sensitive[string] `json:"email"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.ForgotPassword(ctx, in.Email); err != nil {
		return nil, err
	}
	return done(http.StatusAccepted)
}

func (h *handler) reset(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in ticketIn
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.ResetPassword(ctx, secret.New(in.Ticket), secret.New(in.Password)); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}

func (h *handler) confirmAddress(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Ticket string `json:"ticket"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	changed, err := h.accounts.ConfirmAddress(ctx, secret.New(in.Ticket))
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]bool{"changed": changed})
}

func (h *handler) notMe(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Ticket string `json:"ticket"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.accounts.NotMe(ctx, secret.New(in.Ticket)); err != nil {
		return nil, err
	}
	return done(http.StatusOK)
}
