package fakeamazon

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// opToken is the name of the LWA token endpoint in faults and in the log.
const opToken = "token"

// oauthError is an error answer of LWA (RFC 6749, section 5.2).
type oauthError struct {
	status  int
	Code    string `json:"error"`
	Message string `json:"error_description"`
}

type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
}

// serveToken is POST /auth/o2/token.
func (f *Fake) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/auth/o2/token" {
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	entry := f.log.open(Request{Time: f.cfg.Clock.Now(), Op: opToken})
	met := f.faults.meet(entry)
	f.mu.Unlock()

	f.before(met)
	var answer any
	var problem *oauthError
	if met.disturbance != nil && met.disturbance.Kind == Answer {
		problem = scriptedToken(met.disturbance)
	} else {
		answer, problem = f.token(r, entry)
	}
	f.after(met)
	if met.disturbance != nil && met.disturbance.Kind == AnswerAfter {
		problem = scriptedToken(met.disturbance)
	}

	status, verdict := http.StatusOK, ""
	if problem != nil {
		answer, status, verdict = problem, problem.status, problem.Code
	}
	f.mu.Lock()
	f.log.close(entry, status, verdict)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("x-amzn-RequestId", entry.RequestID)
	w.WriteHeader(status)
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // the fake's own types
	}
	_, _ = w.Write(f.unasked(body))
}

func scriptedToken(a *armedFault) *oauthError {
	code := a.Code
	if code == "" {
		code = "server_error"
	}
	return &oauthError{a.Status, code, "scripted"}
}

// token handles one grant; what is wrong with the form itself is also a
// violation, because a correct client never sends it.
func (f *Fake) token(r *http.Request, entry *Request) (any, *oauthError) {
	form, err := tokenForm(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Clock.Now()
	if err != nil {
		f.log.violate(entry, now, "protocol", "token request: %v", err)
		return nil, &oauthError{http.StatusBadRequest, "invalid_request", err.Error()}
	}
	if form.Get("client_id") != f.cfg.Application.ClientID || !f.auth.secretValid(form.Get("client_secret"), f.cfg.SecretLife, now) {
		return nil, &oauthError{http.StatusUnauthorized, "invalid_client", "Client authentication failed"}
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return f.exchangeCode(form, entry, now)
	case "refresh_token":
		return f.refresh(form, entry, now)
	case "client_credentials":
		scope := form.Get("scope")
		if !slices.Contains(grantlessScopes, scope) {
			return nil, &oauthError{http.StatusBadRequest, "invalid_scope", "The requested scope is invalid, unknown or malformed"}
		}
		return f.answerToken(accessPass{Scope: scope}, "", now), nil
	}
	return nil, &oauthError{http.StatusBadRequest, "unsupported_grant_type",
		"The authorization grant type is not supported by the authorization server"}
}

// tokenForm reads the form and wants exactly the parameters of the grant, each
// once and not empty.
func tokenForm(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, errors.New("the method is not POST")
	}
	if r.URL.RawQuery != "" {
		return nil, errors.New("parameters in the URL, where they end up in logs")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, errors.New("the content type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<10))
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the form cannot be read")
	}
	needed := map[string][]string{
		"authorization_code": {"grant_type", "code", "redirect_uri", "client_id", "client_secret"},
		"refresh_token":      {"grant_type", "refresh_token", "client_id", "client_secret"},
		"client_credentials": {"grant_type", "scope", "client_id", "client_secret"},
	}[form.Get("grant_type")]
	if needed == nil {
		return form, nil // answered as unsupported
	}
	for _, name := range needed {
		if len(form[name]) != 1 || form.Get(name) == "" {
			return nil, errors.New("the parameter " + name + " must be given once")
		}
	}
	for name := range form {
		if !slices.Contains(needed, name) {
			return nil, errors.New("the parameter " + name + " does not belong to the grant")
		}
	}
	return form, nil
}

func (f *Fake) exchangeCode(form url.Values, entry *Request, now time.Time) (any, *oauthError) {
	bad := &oauthError{http.StatusBadRequest, "invalid_grant",
		"The authorization code is invalid, expired, revoked or was issued to another client"}
	d := digest(form.Get("code"))
	code := f.auth.Codes[d]
	if code == nil {
		return nil, bad
	}
	entry.Region, entry.Seller = code.Region, code.Seller
	delete(f.auth.Codes, d) // single use, whatever comes of it
	f.touch()
	if !now.Before(code.Expires) || code.Redirect != form.Get("redirect_uri") {
		return nil, bad
	}
	refresh := f.grant(sellerKey{code.Region, code.Seller}, now)
	return f.answerToken(accessPass{Grant: digest(refresh)}, refresh, now), nil
}

func (f *Fake) refresh(form url.Values, entry *Request, now time.Time) (any, *oauthError) {
	token := form.Get("refresh_token")
	g := f.auth.Grants[digest(token)]
	if g != nil {
		entry.Region, entry.Seller = g.Region, g.Seller
	}
	if g == nil || g.Revoked || !now.Before(g.Expires) {
		return nil, &oauthError{http.StatusBadRequest, "invalid_grant",
			"The refresh token is invalid, expired, revoked or was issued to another client"}
	}
	return f.answerToken(accessPass{Grant: digest(token)}, token, now), nil
}

func (f *Fake) answerToken(pass accessPass, refresh string, now time.Time) any {
	return tokenAnswer{
		AccessToken: f.access(pass, now), TokenType: "bearer",
		ExpiresIn: int(accessLife / time.Second), RefreshToken: refresh,
	}
}
