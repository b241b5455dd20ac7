package fakeamazon

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pricemanager/internal/price"
	"pricemanager/test/canary"
)

// consentPath is the path of Seller Central's consent page, below /consent/REGION.
const consentPath = "/apps/authorize/consent"

// consentError is what Seller Central shows instead of the page.
type consentError struct{ Code, Message string }

func (e *consentError) Error() string { return "fakeamazon: consent: " + e.Code + ": " + e.Message }

var consentPage = template.Must(template.New("consent").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Authorise application (fake Amazon)</title>
<meta name="viewport" content="width=device-width"></head><body><main>
<h1>Fake Seller Central, {{.Region}}</h1>
{{if .Problem}}<p role="alert"><strong>{{.Problem.Code}}</strong> {{.Problem.Message}}</p>
{{else}}<p>The application <code>{{.Application}}</code> asks to manage your listings and prices.</p>
<form method="post">
{{range $k, $v := .Query}}<input type="hidden" name="{{$k}}" value="{{index $v 0}}">
{{end}}<p><label>Seller account <select name="selling_partner_id">
{{range .Sellers}}<option value="{{.ID}}">{{.Name}} ({{.ID}})</option>
{{end}}</select></label></p>
<p><button>Confirm</button></p></form>
{{end}}</main></body></html>
`))

// serveConsent shows the consent page of one region, and redirects back when
// its form is confirmed.
func (f *Fake) serveConsent(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.Path, "/consent/")
	name, path, _ := strings.Cut(rest, "/")
	region := price.Region(strings.ToUpper(name))
	if !region.Valid() || "/"+path != consentPath {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch r.Method {
	case http.MethodGet:
		f.showConsent(w, region, r.URL.Query())
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form cannot be read", http.StatusBadRequest)
			return
		}
		back, err := f.confirm(region, r.PostForm, r.PostForm.Get("selling_partner_id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, back, http.StatusFound)
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (f *Fake) showConsent(w http.ResponseWriter, region price.Region, query url.Values) {
	page := struct {
		Region      price.Region
		Application string
		Query       url.Values
		Sellers     []Seller
		Problem     *consentError
	}{Region: region, Application: f.cfg.Application.ID, Query: query}
	if _, page.Problem = f.checkConsent(query); page.Problem != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	f.mu.Lock()
	for k, s := range f.sellers {
		if k.region == region {
			page.Sellers = append(page.Sellers, Seller{ID: k.id, Name: s.name})
		}
	}
	f.mu.Unlock()
	slices.SortFunc(page.Sellers, func(a, b Seller) int { return cmp.Compare(a.ID, b.ID) })
	_ = consentPage.Execute(w, page)
}

// checkConsent returns the redirect URI of a consent request, or the error that
// Seller Central would show.
func (f *Fake) checkConsent(q url.Values) (string, *consentError) {
	app := f.cfg.Application
	redirect := q.Get("redirect_uri")
	if redirect == "" {
		redirect = app.RedirectURIs[0]
	}
	switch {
	case q.Get("application_id") != app.ID:
		return "", &consentError{"MD1000", "The application does not exist or is not authorised"}
	case app.Draft && q.Get("version") != "beta":
		return "", &consentError{"MD1000", "The application is in draft status: version=beta is missing"}
	case !app.Draft && q.Has("version"):
		return "", &consentError{"MD1000", "The application is published: version must be absent"}
	case !slices.Contains(app.RedirectURIs, redirect):
		return "", &consentError{"MD5101", "The redirect_uri is not registered for the application"}
	case q.Get("state") == "":
		return "", &consentError{"STATE", "state is missing: the answer could not be matched to a request"}
	}
	return redirect, nil
}

// confirm makes an authorisation code and returns the URL that the browser is
// sent to.
func (f *Fake) confirm(region price.Region, q url.Values, seller string) (string, error) {
	redirect, problem := f.checkConsent(q)
	if problem != nil {
		return "", problem
	}
	back, err := url.Parse(redirect)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sellers[sellerKey{region, seller}] == nil {
		return "", fmt.Errorf("%w: %s in %s", errUnknownSeller, seller, region)
	}
	now := f.cfg.Clock.Now()
	f.log.close(f.log.open(Request{Time: now, Op: "consent", Region: region, Seller: seller}), http.StatusFound, "")
	maps.DeleteFunc(f.auth.Codes, func(_ string, c *authCode) bool { return !now.Before(c.Expires) })
	code := (canary.MarkCode + f.pace.token("code", f.next()))[:20]
	f.planted++
	f.auth.Codes[digest(code)] = &authCode{Region: region, Seller: seller, Redirect: redirect, Expires: now.Add(codeLife)}
	f.touch()
	answer := back.Query()
	answer.Set("state", q.Get("state"))
	answer.Set("selling_partner_id", seller)
	answer.Set("spapi_oauth_code", code)
	back.RawQuery = answer.Encode()
	return back.String(), nil
}

// Consent confirms the consent page at authorizeURL as the seller, without a
// browser, and returns the URL that the browser would be sent to. The region is
// taken from the path of the URL.
func (f *Fake) Consent(authorizeURL, seller string) (string, error) {
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return "", err
	}
	name, ok := strings.CutSuffix(u.Path, consentPath)
	region := price.Region(strings.ToUpper(strings.TrimPrefix(name, "/consent/")))
	if !ok || !region.Valid() {
		return "", fmt.Errorf("fakeamazon: %q is no consent page of this fake", u.Path)
	}
	return f.confirm(region, u.Query(), seller)
}
