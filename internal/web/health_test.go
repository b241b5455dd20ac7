package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/web"
)

func TestHealthWaitsForNobody(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, *web.Request) (*web.Response, error) { return web.Text(http.StatusOK, "ok") }
	rt, err := web.New(slog.New(slog.DiscardHandler), clock.NewManual(time.Unix(1, 0)), "",
		web.Route{Method: "GET", Pattern: "/health", Scope: web.Public, FromAnywhere: true, Handler: ok},
		web.Route{Method: "GET", Pattern: "/version", Scope: web.Public, Handler: ok})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	rt.WithSources(func(context.Context, string) string { asked++; return "" })
	for path, want := range map[string]int{"/health": 0, "/version": 1} {
		asked = 0
		resp, err := rt.Lambda(doorman{})(t.Context(), events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: path})
		if err != nil || resp.StatusCode != http.StatusOK || asked != want {
			t.Errorf("%s: %d, asked %d times for the name of the address, want %d (%v)", path, resp.StatusCode, asked, want, err)
		}
	}
}
