package browser

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/web"
)

// Serve shows a function that answers API Gateway's events at an address of this machine,
// which browsers trust as they do https: its cookies may be Secure.
func Serve(t *testing.T, router *web.Router, handler func(context.Context, json.RawMessage) (json.RawMessage, error)) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // they have gone
		}
		ev := events.APIGatewayProxyRequest{
			HTTPMethod: r.Method, Path: r.URL.Path, Resource: resource(router, r), MultiValueHeaders: r.Header.Clone(), Body: string(body),
			MultiValueQueryStringParameters: r.URL.Query(),
		}
		ev.MultiValueHeaders["Host"] = []string{r.Host}
		ev.RequestContext.Identity.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
		in, err := json.Marshal(ev)
		if err != nil {
			t.Error(err)
			return
		}
		out, err := handler(r.Context(), in)
		var answer events.APIGatewayProxyResponse
		if err == nil {
			err = json.Unmarshal(out, &answer)
		}
		if err != nil {
			t.Error(err)
			return
		}
		for k, vs := range answer.MultiValueHeaders {
			w.Header()[http.CanonicalHeaderKey(k)] = vs
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.WriteString(w, answer.Body)
	}))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port
}

// resource is the pattern that a request matches.
func resource(router *web.Router, r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	for _, route := range router.Routes() {
		want := strings.Split(route.Pattern, "/")
		ok := route.Method == r.Method && len(want) == len(parts)
		for i := range want {
			ok = ok && (want[i] == parts[i] || strings.HasPrefix(want[i], "{"))
		}
		if ok {
			return route.Pattern
		}
	}
	return r.URL.Path
}
