package stack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// amazonPrefix is where the front shows the fake Amazon.
const amazonPrefix = "/_amazon"

// handler is the one address of everything: the product at its root, the fake
// Amazon below /_amazon, and what is up at /_local/health. The product has no
// path that begins with an underscore.
func (s *Stack) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.toAPI())
	mux.Handle(amazonPrefix+"/", http.StripPrefix(amazonPrefix, s.toAmazon()))
	mux.HandleFunc("GET /_local/health", s.health)
	return mux
}

// toAPI passes requests to the stage of the local API Gateway.
func (s *Stack) toAPI() http.Handler {
	target, _ := url.Parse(s.GatewayURL)
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		// The local gateway believes whoever says first where a request is from. That is
		// us: what the caller says is not passed on.
		r.SetXForwarded()
	}}
}

// toAmazon passes requests to the fake Amazon. Its redirects within itself lead
// back below the prefix; those to the product's callback are whole URLs.
func (s *Stack) toAmazon() http.Handler {
	target, _ := url.Parse(s.AmazonURL)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if to := r.Header.Get("Location"); strings.HasPrefix(to, "/") {
				r.Header.Set("Location", amazonPrefix+to)
			}
			return nil
		},
	}
}

// health says which parts of the stack answer.
func (s *Stack) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	parts := map[string]string{
		"product": s.URL + "/health",
		"aws":     s.cloud.Endpoint() + "/_ministack/health",
		"amazon":  s.AdminURL + "/ready",
	}
	status := http.StatusOK
	answer := map[string]bool{}
	for name, at := range parts {
		answer[name] = healthy(ctx, at)
		if !answer[name] {
			status = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func healthy(ctx context.Context, at string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
