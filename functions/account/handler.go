package main

import (
	"io"
	"net/http"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/front"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/mail"
	"pricemanager/internal/pages"
	"pricemanager/internal/personal"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables   runtime.Tables
	Queues   runtime.Queues
	Secrets  runtime.Secrets
	Public   runtime.Public
	Limits   runtime.Limits
	UserPool string `env:"USER_POOL, required"`
	Client   string `env:"USER_POOL_CLIENT, required"`
	IndexKey string `env:"KMS_INDEX_KEY, required"`
	MailFrom string `env:"MAIL_FROM, required"`
}

// stuffing is a network address from which people, or a list of stolen passwords, are
// tried: an office that forgets its passwords stays below it.
var stuffing = limit.Rule{Name: "sign-in", Reports: 30, Within: time.Hour, Block: time.Hour, Reason: "many refused sign-ins"}

// deps are what the handler works with.
type deps struct {
	app      *runtime.App
	cfg      config
	db       store.DB
	queue    store.Queue // has owners told
	sealer   personal.Sealer
	index    identity.Index
	provider signin.Provider
	mail     mail.Sender
	secrets  secret.Getter
	random   io.Reader
}

type handler struct {
	app      *runtime.App
	router   *web.Router
	keys     *identity.Keys
	accounts *account.Service
	notices  *guard.Store
	bell     guard.Bell
	doors    privacy.Doors
}

func newHandler(d deps) (*handler, error) {
	clk, log := d.app.Clock, d.app.Log
	h := &handler{
		app: d.app, keys: identity.NewKeys(d.db, identity.PeppersFrom(d.secrets, d.cfg.Secrets.Pepper), clk, d.random).Sealing(d.sealer),
		notices: &guard.Store{DB: d.db, Clock: clk}, bell: guard.Bell{Queue: d.queue, Trace: trace.Header}, doors: privacy.Doors{DB: d.db},
	}
	before, err := front.New(front.Parts{
		DB: d.db, Clock: clk, Random: d.random, Log: log, Metrics: d.app.Metrics, Hashes: h.keys.Hashes, Quotas: limit.Quotas(d.cfg.Limits),
		Uses: ledger.Outbox{DB: d.db, Table: store.Offers, Clock: clk, Sealer: d.sealer},
	})
	if err != nil {
		return nil, err
	}
	h.accounts = &account.Service{
		DB: d.db, Seal: d.sealer, Clock: clk, Random: d.random, Provider: d.provider, Mail: d.mail, Log: log, Metrics: d.app.Metrics, URL: d.cfg.Public.URL,
		Members:  &identity.Members{DB: d.db, Seal: d.sealer, Index: d.index, Clock: clk},
		Sessions: before.Sessions,
		Tenants:  identity.NewTenants(d.db, d.sealer, clk),
		Misuse:   limit.NewMisuse(d.db, h.keys.Hashes, before.List, stuffing, clk, d.app.Metrics),
	}
	ours, err := pages.Routes()
	if err != nil {
		return nil, err
	}
	h.router, err = before.Router(append(h.routes(), ours...)...)
	return h, err
}

// events serves the function's triggers.
func (h *handler) events() runtime.Events {
	return runtime.Events{API: runtime.JSON(h.router.Lambda(h.keys)), SQS: h.app.SQS(h.message), Direct: runtime.JSON(h.job)}
}

func (h *handler) routes() []web.Route {
	return []web.Route{
		{Method: http.MethodPost, Pattern: "/account/sign-up", Scope: web.Public, Handler: h.signUp},
		{Method: http.MethodPost, Pattern: "/account/sign-up/confirm", Scope: web.Public, Handler: h.completeSignUp},
		{Method: http.MethodPost, Pattern: "/account/invitation", Scope: web.Public, Handler: h.accept},
		{Method: http.MethodPost, Pattern: "/account/sign-in", Scope: web.Public, Handler: h.signIn},
		{Method: http.MethodPost, Pattern: "/account/sign-in/code", Scope: web.Public, Handler: h.signInCode},
		{Method: http.MethodPost, Pattern: "/account/password-reset", Scope: web.Public, Handler: h.forgot},
		{Method: http.MethodPost, Pattern: "/account/password-reset/confirm", Scope: web.Public, Handler: h.reset},
		{Method: http.MethodPost, Pattern: "/account/email/confirm", Scope: web.Public, Handler: h.confirmAddress},
		{Method: http.MethodPost, Pattern: "/account/not-me", Scope: web.Public, Handler: h.notMe},

		{Method: http.MethodGet, Pattern: "/account", Scope: identity.AccountSelf, Handler: h.self},
		{Method: http.MethodPost, Pattern: "/account/sign-out", Scope: identity.AccountSelf, Handler: h.signOut},
		{Method: http.MethodPost, Pattern: "/account/step-up", Scope: identity.AccountSelf, Handler: h.stepUp},
		{Method: http.MethodPost, Pattern: "/account/password", Scope: identity.AccountSelf, Handler: h.changePassword},
		{Method: http.MethodPost, Pattern: "/account/email", Scope: identity.AccountSelf, Handler: h.changeAddress},
		{Method: http.MethodPost, Pattern: "/account/authenticator", Scope: identity.AccountSelf, Handler: h.enrol},
		{Method: http.MethodPost, Pattern: "/account/authenticator/confirm", Scope: identity.AccountSelf, Handler: h.confirmEnrolment},
		{Method: http.MethodPost, Pattern: "/account/authenticator/removal", Scope: identity.AccountSelf, Handler: h.removeAuthenticator},
		{Method: http.MethodPost, Pattern: "/account/recovery-codes", Scope: identity.AccountSelf, Handler: h.recoveryCodes},
		{Method: http.MethodGet, Pattern: "/account/sessions", Scope: identity.AccountSelf, Handler: h.sessions},
		{Method: http.MethodDelete, Pattern: "/account/sessions", Scope: identity.AccountSelf, Handler: h.endOthers},
		{Method: http.MethodDelete, Pattern: "/account/sessions/{id}", Scope: identity.AccountSelf, Handler: h.endSession},

		{Method: http.MethodGet, Pattern: "/members", Scope: identity.MembersRead, Handler: h.members},
		{Method: http.MethodGet, Pattern: "/members/{id}", Scope: identity.MembersRead, Handler: h.member},
		{Method: http.MethodPut, Pattern: "/members/{id}", Scope: identity.MembersWrite, Handler: h.setRole},
		{Method: http.MethodDelete, Pattern: "/members/{id}", Scope: identity.MembersWrite, Handler: h.removeMember},
		{Method: http.MethodDelete, Pattern: "/members/{id}/sessions", Scope: identity.MembersWrite, Handler: h.endMembers},
		{Method: http.MethodGet, Pattern: "/invitations", Scope: identity.MembersRead, Handler: h.invitations},
		{Method: http.MethodPost, Pattern: "/invitations", Scope: identity.MembersWrite, Handler: h.invite},
		{Method: http.MethodDelete, Pattern: "/invitations/{id}", Scope: identity.MembersWrite, Handler: h.withdraw},

		{Method: http.MethodGet, Pattern: "/keys", Scope: identity.KeysRead, Handler: h.listKeys},
		{Method: http.MethodPost, Pattern: "/keys", Scope: identity.KeysWrite, Handler: h.makeKey},
		{Method: http.MethodDelete, Pattern: "/keys/{id}", Scope: identity.KeysWrite, Handler: h.revokeKey},

		{Method: http.MethodGet, Pattern: "/tenant", Scope: identity.TenantRead, Handler: h.settings},
		{Method: http.MethodPut, Pattern: "/tenant", Scope: identity.TenantWrite, Handler: h.changeSettings},
		{Method: http.MethodGet, Pattern: "/advice", Scope: identity.TenantRead, Handler: h.advice},
		{Method: http.MethodPost, Pattern: "/advice", Scope: identity.TenantWrite, Handler: h.takeAdvice},
		{Method: http.MethodGet, Pattern: "/access-review", Scope: identity.MembersRead, Handler: h.review},
		{Method: http.MethodPost, Pattern: "/access-review", Scope: identity.MembersWrite, Handler: h.confirmReview},
		{Method: http.MethodGet, Pattern: "/support/grants", Scope: identity.TenantRead, Handler: h.grants},
		{Method: http.MethodPost, Pattern: "/support/grants", Scope: identity.SupportWrite, Handler: h.grant},
		{Method: http.MethodDelete, Pattern: "/support/grants/{id}", Scope: identity.SupportWrite, Handler: h.revokeGrant},
	}
}

func from(r *web.Request) account.Origin {
	return account.Origin{Address: r.SourceIP, Agent: r.Header.Get("User-Agent")}
}

// recent refuses somebody whose last code was checked too long ago: for what one's own
// account wants a recent code for.
func (h *handler) recent(r *web.Request) error {
	if h.accounts.Clock.Now().Sub(r.Principal.MFAAt) < identity.RecentMFA {
		return nil
	}
	return fault.New(fault.Forbidden, "code-needed", "Confirm this with a code of your authenticator: POST /account/step-up, then ask again.")
}

// shown is a personal value on its way to whom it is about, or to the company's own
// members. Nothing else encodes one.
type shown struct{ personal.Sensitive[string] }

// MarshalJSON shows it.
func (v shown) MarshalJSON() ([]byte, error) { return encode(v.Reveal()) }

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// done is the answer to what has nothing to tell.
func done(status int) (*web.Response, error) { return web.JSON(status, struct{}{}) }
