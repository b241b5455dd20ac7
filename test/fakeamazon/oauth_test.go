package fakeamazon_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

func consentURL(change ...string) string {
	q := url.Values{"application_id": {"amzn1.sp.solution.test"}, "state": {"st&te"}, "redirect_uri": {back}}
	for i := 0; i < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return "/consent/eu/apps/authorize/consent?" + q.Encode()
}

// code runs the consent page as a browser does and returns the callback's query.
func (w *world) code(target string) url.Values {
	w.t.Helper()
	page := w.do(httptest.NewRequest("GET", target, nil))
	if page.Code != 200 || !strings.Contains(page.Body.String(), alice) || page.Header().Get("Referrer-Policy") != "no-referrer" {
		w.t.Fatalf("consent page: %d %s", page.Code, page.Body)
	}
	u, err := url.Parse(target)
	w.must(err)
	form := u.Query()
	form.Set("selling_partner_id", alice)
	r := httptest.NewRequest("POST", u.Path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := w.do(r)
	location, err := url.Parse(got.Header().Get("Location"))
	w.must(err)
	if got.Code != 302 || !strings.HasPrefix(location.String(), back+"?") {
		w.t.Fatalf("confirm: %d %s %s", got.Code, location, got.Body)
	}
	return location.Query()
}

func TestConsentLeadsToTokensThatWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.code(consentURL())
	if q.Get("state") != "st&te" || q.Get("selling_partner_id") != alice {
		t.Fatalf("callback %v", q)
	}
	status, got := w.grant("grant_type", "authorization_code", "code", q.Get("spapi_oauth_code"), "redirect_uri", back)
	access, _ := got["access_token"].(string)
	refresh, _ := got["refresh_token"].(string)
	if status != 200 || !strings.HasPrefix(access, "Atza|") || !strings.HasPrefix(refresh, "Atzr|") ||
		len(access) < 300 || len(access) > 2048 || got["token_type"] != "bearer" || got["expires_in"] != 3600.0 {
		t.Fatalf("%d %v", status, got)
	}
	w.token = access
	if got := w.call("GET", "/eu/sellers/v1/marketplaceParticipations", ""); got.Code != 200 || strings.Count(got.Body.String(), `"countryCode"`) != 3 {
		t.Errorf("participations: %d %s", got.Code, got.Body)
	}
	status, got = w.grant("grant_type", "refresh_token", "refresh_token", refresh)
	if status != 200 || got["refresh_token"] != refresh || got["access_token"] == access {
		t.Errorf("refresh: %d %v", status, got)
	}
	w.clean()
}

func TestCodeWorksOnceForFiveMinutesWithItsRedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exchange := func(code, redirect string) int {
		status, got := w.grant("grant_type", "authorization_code", "code", code, "redirect_uri", redirect)
		if status != 200 && got["error"] != "invalid_grant" {
			t.Errorf("%d %v, want invalid_grant", status, got)
		}
		return status
	}
	code := w.code(consentURL()).Get("spapi_oauth_code")
	w.clock.Advance(5*time.Minute - 1)
	if got := exchange(code, back); got != 200 {
		t.Errorf("just before five minutes: %d", got)
	}
	if got := exchange(code, back); got != 400 {
		t.Errorf("the second time: %d", got)
	}
	code = w.code(consentURL()).Get("spapi_oauth_code")
	w.clock.Advance(5 * time.Minute)
	if got := exchange(code, back); got != 400 {
		t.Errorf("after five minutes: %d", got)
	}
	code = w.code(consentURL()).Get("spapi_oauth_code")
	if got := exchange(code, back+"/other"); got != 400 {
		t.Errorf("with another redirect: %d", got)
	}
}

func TestConsentPageRefusesWhatSellerCentralRefuses(t *testing.T) {
	t.Parallel()
	draft := func(c *fakeamazon.Config) { c.Application.Draft = true }
	published := func(*fakeamazon.Config) {}
	for name, c := range map[string]struct {
		status func(*fakeamazon.Config)
		target string
		want   string
	}{
		"redirect not registered": {published, consentURL("redirect_uri", "https://evil.example/"), "MD5101"},
		"other application":       {published, consentURL("application_id", "amzn1.sp.solution.other"), "MD1000"},
		"draft without beta":      {draft, consentURL(), "MD1000"},
		"published with beta":     {published, consentURL("version", "beta"), "MD1000"},
		"no state":                {published, consentURL("state", ""), "STATE"},
	} {
		w := newWorld(t, c.status)
		page := w.do(httptest.NewRequest("GET", c.target, nil))
		if page.Code != 400 || !strings.Contains(page.Body.String(), c.want) || strings.Contains(page.Body.String(), "<form") {
			t.Errorf("%s: %d %s, want %s", name, page.Code, page.Body, c.want)
		}
		if _, err := w.fake.Consent(c.target, alice); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: confirming gave %v, want %s", name, err, c.want)
		}
	}
	w := newWorld(t, draft)
	if q := w.code(consentURL("version", "beta")); q.Get("spapi_oauth_code") == "" {
		t.Error("a draft application with version=beta got no code")
	}
	if _, err := w.fake.Consent(consentURL("version", "beta"), "A2NOBODY"); err == nil {
		t.Error("an unknown seller consented")
	}
	// A missing redirect_uri means the first registered one.
	redirect, err := w.fake.Consent(consentURL("version", "beta", "redirect_uri", ""), alice)
	if err != nil || !strings.HasPrefix(redirect, back) {
		t.Errorf("without redirect_uri: %s %v", redirect, err)
	}
}

func TestConsentPageEscapesWhatItEchoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.do(httptest.NewRequest("GET", consentURL("state", `"><script>`), nil))
	if strings.Contains(page.Body.String(), "<script>") {
		t.Errorf("the page echoes markup: %s", page.Body)
	}
}

func TestTokenEndpointAnswersTheDocumentedErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs  []string
		status int
		want   string
	}{
		"unknown refresh token": {[]string{"grant_type", "refresh_token", "refresh_token", "Atzr|x"}, 400, "invalid_grant"},
		"wrong secret":          {[]string{"grant_type", "refresh_token", "refresh_token", "x", "client_secret", "no"}, 401, "invalid_client"},
		"wrong client":          {[]string{"grant_type", "refresh_token", "refresh_token", "x", "client_id", "no"}, 401, "invalid_client"},
		"unknown grant":         {[]string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		"parameter missing":     {[]string{"grant_type", "refresh_token"}, 400, "invalid_request"},
		"parameter too many":    {[]string{"grant_type", "refresh_token", "refresh_token", "x", "scope", "y"}, 400, "invalid_request"},
		"unknown scope":         {[]string{"grant_type", "client_credentials", "scope", "profile"}, 400, "invalid_scope"},
	} {
		w := newWorld(t)
		if status, got := w.grant(c.pairs...); status != c.status || got["error"] != c.want || got["error_description"] == "" {
			t.Errorf("%s: %d %v, want %d %s", name, status, got, c.status, c.want)
		}
	}
	w := newWorld(t)
	status, got := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications")
	if _, has := got["refresh_token"]; status != 200 || has {
		t.Errorf("grantless: %d %v", status, got)
	}
	w.token = got["access_token"].(string)
	if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), ""); got.Code != 403 {
		t.Errorf("a grantless token read a listing: %d", got.Code)
	}
	r := httptest.NewRequest("POST", "/auth/o2/token", strings.NewReader(`{"grant_type":"refresh_token"}`))
	r.Header.Set("Content-Type", "application/json")
	if got := w.do(r); got.Code != 400 || !strings.Contains(got.Body.String(), "invalid_request") {
		t.Errorf("a JSON body: %d %s", got.Code, got.Body)
	}
	w.clean("protocol")
}

func TestRevokedAndExpiredAuthorisationsGiveInvalidGrant(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world){
		"revoked":      func(w *world) { w.fake.Revoke(price.EU, alice) },
		"expired":      func(w *world) { w.fake.ExpireGrants(price.EU, alice) },
		"a year later": func(w *world) { w.clock.Advance(365 * 24 * time.Hour) },
	} {
		w := newWorld(t)
		refresh, err := w.fake.Authorize(price.EU, alice)
		w.must(err)
		end(w)
		if status, got := w.grant("grant_type", "refresh_token", "refresh_token", refresh.Reveal()); status != 400 || got["error"] != "invalid_grant" {
			t.Errorf("%s: %d %v", name, status, got)
		}
		if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), ""); got.Code != 403 {
			t.Errorf("%s: the access token still works: %d", name, got.Code)
		}
		w.token = w.authorize(price.EU, alice) // consenting again helps
		if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), ""); got.Code != 200 {
			t.Errorf("%s: after a new consent: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestAccessTokenLivesAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *fakeamazon.Config) { c.Speed = 20 })
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	w.clock.Advance(time.Hour - 1)
	if got := w.call("GET", target, ""); got.Code != 200 {
		t.Errorf("just before an hour: %d", got.Code)
	}
	w.clock.Advance(1)
	if got := w.call("GET", target, ""); got.Code != 403 || !strings.Contains(got.Body.String(), "expired") || got.Header().Get("x-amzn-RateLimit-Limit") != "" {
		t.Errorf("after an hour: %d %v %s", got.Code, got.Header(), got.Body)
	}
	w.token = w.authorize(price.EU, alice)
	w.fake.ExpireTokens(price.EU, alice)
	if got := w.call("GET", target, ""); got.Code != 403 {
		t.Errorf("after ExpireTokens: %d", got.Code)
	}
	w.clean() // an expired token is no mistake of the client
}

func TestOldClientSecretWorksForAWeekAfterRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refresh, err := w.fake.Authorize(price.EU, alice)
	w.must(err)
	with := func(s string) int {
		status, _ := w.grant("grant_type", "refresh_token", "refresh_token", refresh.Reveal(), "client_secret", s)
		return status
	}
	w.fake.RotateSecret(secret.New("next"))
	w.clock.Advance(7*24*time.Hour - 1)
	if old, next := with(hidden), with("next"); old != 200 || next != 200 {
		t.Errorf("within the week: old %d, next %d", old, next)
	}
	w.clock.Advance(1)
	if old, next := with(hidden), with("next"); old != 401 || next != 200 {
		t.Errorf("after the week: old %d, next %d", old, next)
	}
}

func TestLogsHoldNoCredential(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newWorld(t, func(c *fakeamazon.Config) { c.Logger = slog.New(slog.NewJSONHandler(&out, nil)) })
	code := w.code(consentURL()).Get("spapi_oauth_code")
	_, got := w.grant("grant_type", "authorization_code", "code", code, "redirect_uri", back)
	w.token = got["access_token"].(string)
	w.patch("S1", de, ourPrice("20"))
	w.call("GET", itemPath("S1")+"?nonsense=1", "")
	w.grant("grant_type", "refresh_token", "refresh_token", "Atzr|other", "client_secret", "wrong-secret")
	text := out.String()
	for _, s := range []string{code, w.token, got["refresh_token"].(string), hidden, "wrong-secret", "Atz"} {
		if strings.Contains(text, s) {
			t.Errorf("the log holds %q", s)
		}
	}
	if !strings.Contains(text, `"op":"patchListingsItem"`) || !strings.Contains(text, `"violation"`) {
		t.Errorf("the log says too little: %s", text)
	}
}
