package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/web"
)

// What pages need is for pages: their headers differ from every other answer's by what is
// said here and by nothing else, and an error in their place has all of the others'.
func TestPagesLoadWhatIsOursAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	failing := false
	handler := func(r *web.Response) web.Handler {
		return func(context.Context, *web.Request) (*web.Response, error) {
			if failing {
				return nil, fault.New(fault.Unavailable, "", "Later.")
			}
			return r.With("Content-Security-Policy", "default-src *").With("Cache-Control", "public"), nil
		}
	}
	text, _ := web.Text(http.StatusOK, "plain")
	rt, err := web.New(logs.New(t.Output(), slog.LevelInfo, "test", "test"), clock.Real{}, "",
		web.Route{Method: "GET", Pattern: "/plain", Scope: web.Public, Handler: handler(text)},
		web.Route{Method: "GET", Pattern: "/page", Scope: web.Public, Handler: handler(web.Page([]byte("<!doctype html>")))},
		web.Route{Method: "GET", Pattern: "/asset", Scope: web.Public, Handler: handler(web.Asset("text/css", []byte("a{}")))},
	)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) events.APIGatewayProxyResponse {
		r, err := rt.Lambda(doorman{})(t.Context(), events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	plain := http.Header(ask("/plain").MultiValueHeaders)
	for path, other := range map[string]http.Header{
		"/page": {"Content-Type": {"text/html; charset=utf-8"}, "Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
			"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"}},
		"/asset": {"Content-Type": {"text/css"}, "Cache-Control": {"public, max-age=31536000, immutable"}},
	} {
		r := ask(path)
		for name, want := range plain {
			if o := other[name]; o != nil {
				want = o
			}
			if got := r.MultiValueHeaders[name]; !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if len(r.MultiValueHeaders) != len(plain) || r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d with %v", path, r.StatusCode, r.MultiValueHeaders)
		}
	}
	failing = true
	for _, path := range []string{"/page", "/asset"} {
		r := ask(path)
		for _, name := range []string{"Content-Security-Policy", "Cache-Control"} {
			if got := r.MultiValueHeaders[name]; r.StatusCode != 503 || !slices.Equal(got, plain[name]) || !strings.Contains(r.Body, "Later.") {
				t.Errorf("%s failing: %d with %s %q", path, r.StatusCode, name, got)
			}
		}
	}
}
