package spapi

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// peers collects what a Negotiated is told.
type peers struct{ versions []uint16 }

func (p *peers) told(_ string, version uint16) { p.versions = append(p.versions, version) }

// TestTheVersionOfEachConnectionIsTold: what Amazon makes of our offer of 1.3 is seen,
// once a connection and not once a call.
func TestTheVersionOfEachConnectionIsTold(t *testing.T) {
	t.Parallel()
	for _, most := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == tokenPath {
				_, _ = io.WriteString(w, `{"access_token":"a","expires_in":3600}`)
				return
			}
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"errors":[]}`)
		}))
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: most}
		s.StartTLS()
		defer s.Close()
		var api, login peers
		c, err := New(Options{
			Endpoints: map[price.Region]string{price.EU: s.URL}, Tokens: token("x"), Clock: clock.NewManual(now), UserAgent: "x",
			HTTP: s.Client(), Negotiated: api.told, AllowInsecure: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, _, err := c.Get(t.Context(), account, germany, "S"); asError(t, err).Status != http.StatusNotFound {
				t.Fatal(err)
			}
		}
		l, err := NewLWA(LWAOptions{Endpoint: s.URL, Clock: clock.NewManual(now), UserAgent: "x", HTTP: s.Client(), Negotiated: login.told, AllowInsecure: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Grantless(t.Context(), application, amazon.ScopeNotifications); err != nil {
			t.Fatal(err)
		}
		for who, p := range map[string]peers{"the API": api, "Login with Amazon": login} {
			if !slices.Equal(p.versions, []uint16{most}) {
				t.Errorf("%s was told %x of a peer that speaks at most %x", who, p.versions, most)
			}
		}
		c.api.CloseIdleConnections()
		l.http.CloseIdleConnections()
	}
}

// TestNoSuiteWithoutForwardSecrecyIsOffered: with TLS 1.2 a peer could still choose one
// whose traffic opens with the certificate's key, years later, or a weak one.
func TestNoSuiteWithoutForwardSecrecyIsOffered(t *testing.T) {
	t.Parallel()
	suites := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	for _, weak := range tls.InsecureCipherSuites() {
		suites = append(suites, weak.ID)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("answered without forward secrecy") }))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: suites}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, err := client(t, s.URL, token("x")).Patch(t.Context(), account, patchOf("S"))
	if e := asError(t, err); e.Reached || !strings.Contains(err.Error(), "handshake failure") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAmazonOverTLSIsLogin(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		DefaultLWA:                           true,
		"http://api.amazon.com":              false,
		"https://api.amazon.com.evil.test":   false,
		"https://api.amazon.com:8443":        false,
		"https://user@api.amazon.com":        false,
		"https://api.amazon.com?x=1":         false,
		"https://sellingpartnerapi.evil.com": false,
	} {
		if _, err := NewLWA(LWAOptions{Endpoint: address, Clock: clock.Real{}, UserAgent: "x"}); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestACodeOrARefreshTokenNeverFollowsARedirect: they go in the body, which a 307 would
// have sent again.
func TestACodeOrARefreshTokenNeverFollowsARedirect(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		l := login(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+tokenPath, status) })
		if _, err := l.Refresh(t.Context(), application, secret.New("Atzr|hidden")); err == nil {
			t.Errorf("%d is taken for an answer", status)
		}
	}
}
