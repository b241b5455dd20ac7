package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// probe is one request that carries planted values beside what headers carry.
type probe struct {
	method, path string
	body         string
	auth         string // "" is the caller's own key
	want         int
}

func probes() []probe {
	email, password := url.QueryEscape(CallerEmail), url.QueryEscape(CallerPassword)
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	personal := map[string]string{"region": "EU", "email": CallerEmail, "password": CallerPassword, "name": BuyerName, "address": BuyerStreet}
	return []probe{
		{method: "GET", path: "/health", want: http.StatusOK},
		{method: "GET", path: "/oauth/callback?state=unknown&selling_partner_id=" + email + "&spapi_oauth_code=" + MarkCode + "ofnobody12345", want: http.StatusBadRequest},
		{method: "GET", path: "/oauth/callback?state=unknown&selling_partner_id=A2KANARIUS&spapi_oauth_code=" + MarkCode + "ofnobody12345&email=" + email +
			"&error_description=" + email + "&mws_auth_token=" + password, want: http.StatusBadRequest},
		{method: "GET", path: "/connections", auth: "Bearer " + CallerKey, want: http.StatusUnauthorized},
		{method: "GET", path: "/connections", auth: "Basic " + CallerEmail + ":" + CallerPassword, want: http.StatusUnauthorized},
		{method: "GET", path: "/connections/" + url.PathEscape(CallerEmail), want: http.StatusBadRequest},
		{method: "GET", path: "/members/" + url.PathEscape(CallerEmail) + "?password=" + password, want: http.StatusBadRequest},
		{method: "GET", path: "/offers?connection=" + email + "&marketplace=DE&password=" + password, want: http.StatusNotFound},
		{method: "POST", path: "/connections", body: text(personal), want: http.StatusBadRequest},
		{method: "POST", path: "/stops", body: text(personal), want: http.StatusBadRequest},
		{method: "POST", path: "/pulls", body: text(map[string]any{
			"url": "https://prices.invalid/prices.csv?key=" + PullKey, "schedule": map[string]int{"everyMinutes": 1440},
		}), want: http.StatusCreated},
	}
}

// Probe sends planted values to the product at base in every way that a caller
// has: with key, which may do everything. It returns how many it sent, and an
// error when the product does not answer as it should: then it did not read them.
func Probe(ctx context.Context, client *http.Client, base, key string) (sent int64, err error) {
	var problems []error
	for i, p := range probes() {
		req, err := http.NewRequestWithContext(ctx, p.method, base+p.path, strings.NewReader(p.body))
		if err != nil {
			return sent, err
		}
		auth := p.auth
		if auth == "" {
			auth = "Bearer " + key
		}
		for name, value := range map[string]string{
			"Authorization": auth, "X-Forwarded-For": CallerIP, "Cookie": "session=" + CallerCookie,
			"User-Agent": "importer/1 (" + CallerEmail + ")", "Referer": "https://shop.example/?password=" + CallerPassword,
			"Content-Type": "application/json", "Idempotency-Key": fmt.Sprintf("canary-%d", i),
		} {
			req.Header.Set(name, value)
		}
		res, err := client.Do(req)
		if err != nil {
			return sent, err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return sent, err
		}
		if res.StatusCode != p.want {
			where, _, _ := strings.Cut(p.path, "?")
			problems = append(problems, fmt.Errorf("canary: probe %d, %s %s: status %d, want %d: %.300s", i, p.method, where, res.StatusCode, p.want, text))
		}
		sent += 4 // in headers alone
	}
	return sent, errors.Join(problems...)
}
