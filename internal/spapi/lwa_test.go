package spapi

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

var application = amazon.Credentials{ClientID: "amzn1.client", ClientSecret: secret.New("hidden-client-secret")}

func login(t *testing.T, h http.HandlerFunc) *LWA {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	l, err := NewLWA(LWAOptions{Endpoint: s.URL, Clock: clock.NewManual(now), UserAgent: "x", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.http.CloseIdleConnections)
	return l
}

func TestTokensAreTradedWithTheFormsOfOAuth(t *testing.T) {
	t.Parallel()
	var form string
	l := login(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form = string(b)
		if r.Method != http.MethodPost || r.URL.Path != "/auth/o2/token" || r.URL.RawQuery != "" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded;charset=UTF-8" {
			t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
		}
		_, _ = io.WriteString(w, `{"access_token":"Atza|a","token_type":"bearer","expires_in":3600,"refresh_token":"Atzr|r"}`)
	})
	g, err := l.Exchange(t.Context(), application, secret.New("code+1"), "https://us.test/oauth/callback")
	if err != nil || g.Access.Reveal() != "Atza|a" || g.Refresh.Reveal() != "Atzr|r" || !g.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("exchange: %v, %v", g, err)
	}
	if want := "client_id=amzn1.client&client_secret=hidden-client-secret&code=code%2B1&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fus.test%2Foauth%2Fcallback"; form != want {
		t.Errorf("sent %s", form)
	}
	if _, err = l.Refresh(t.Context(), application, secret.New("Atzr|old")); err != nil {
		t.Error(err)
	}
	if want := "client_id=amzn1.client&client_secret=hidden-client-secret&grant_type=refresh_token&refresh_token=Atzr%7Cold"; form != want {
		t.Errorf("sent %s", form)
	}
}

func TestWhatLoginRefusesIsToldApartAndHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  int
		body    string
		outcome amazon.Outcome
	}{
		"revoked":              {400, `{"error":"invalid_grant","error_description":"Atzr|hidden was revoked"}`, amazon.Reauthorise},
		"our secret is wrong":  {401, `{"error":"invalid_client","error_description":"not hidden-client-secret"}`, amazon.Operator},
		"our request is wrong": {400, `{"error":"invalid_request"}`, amazon.Operator},
		"passing":              {400, `{"error":"temporarily_unavailable"}`, amazon.Retry},
		"throttled":            {429, ``, amazon.RetryAfter},
		"broken":               {500, `{"error":"server_error"}`, amazon.Retry},
		"not LWA at all":       {403, `<html>Atzr|hidden</html>`, amazon.Retry},
		"no token":             {200, `{"token":"Atzr|hidden"}`, amazon.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := login(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := l.Refresh(t.Context(), application, secret.New("Atzr|hidden"))
			if got := amazon.Classify(err); got != tc.outcome {
				t.Errorf("%s, want %s: %v", got, tc.outcome, err)
			}
			if err == nil || strings.Contains(err.Error(), "hidden") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnExchangeWithoutARefreshTokenIsNoConsent(t *testing.T) {
	t.Parallel()
	l := login(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"Atza|a","expires_in":3600}`)
	})
	if _, err := l.Exchange(t.Context(), application, secret.New("c"), "u"); err == nil {
		t.Error("no error")
	}
	if g, err := l.Refresh(t.Context(), application, secret.New("r")); err != nil || !g.Refresh.Empty() {
		t.Errorf("a refresh needs none: %v", err)
	}
}

func TestOnlyLoginWithAmazonOverTLSGetsTheSecret(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		DefaultLWA: true, "https://api.amazon.com": true,
		"http://api.amazon.com": false, "https://api.amazon.com.evil.test": false, "https://localhost": false,
	} {
		_, err := NewLWA(LWAOptions{Endpoint: address, Clock: clock.Real{}, UserAgent: "x"})
		if (err == nil) != good || (err != nil && !errors.Is(err, ErrConfig)) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
