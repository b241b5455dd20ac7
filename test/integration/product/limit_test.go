package product_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pricemanager/internal/limit"
)

// limited sends requests of one address to two functions, from so many sides that
// each runs in several processes at once.
func limited(t *testing.T, r *rig) {
	s := r.customer(t, "limited", 0)
	from := func(base, address, method, path, body string) (int, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, bytes.NewBufferString(body))
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		req.Header.Set("Authorization", "Bearer "+s.api.key.Reveal())
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Forwarded-For", address)
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		_ = res.Body.Close()
		return res.StatusCode, res.Header
	}
	const flooder, other = "198.51.100.7", "198.51.100.8"
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			path := []string{"/stops", "/connections"}[i%2]
			for range 20 {
				switch status, h := from(r.GatewayURL, flooder, http.MethodGet, path, ""); status {
				case http.StatusOK:
					passed.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
					if wait, err := strconv.Atoi(h.Get("Retry-After")); err != nil || wait < 1 || wait > 60 || !strings.HasPrefix(h.Get("RateLimit"), `"address";r=0;t=`) {
						t.Errorf("Retry-After is %q, RateLimit %q", h.Get("Retry-After"), h.Get("RateLimit"))
					}
				default:
					t.Errorf("GET %s: %d", path, status)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != limit.PerAddress || refused.Load() != 60 {
		t.Errorf("%d pass and %d are refused, want %d and 60", passed.Load(), refused.Load(), limit.PerAddress)
	}
	if status, _ := from(r.GatewayURL, other, http.MethodGet, "/stops", ""); status != http.StatusOK {
		t.Errorf("another address gets %d", status)
	}
	// Whoever comes through the front is where they are, and not where they say.
	if status, _ := from(r.URL, flooder, http.MethodGet, "/stops", ""); status != http.StatusOK {
		t.Errorf("a header makes somebody another: %d", status)
	}
	if status, _ := from(r.GatewayURL, flooder, http.MethodPost, "/stops", `{"scope":"tenant","reason":"prices look wrong"}`); status != http.StatusCreated {
		t.Errorf("the kill switch answers %d", status)
	}
	if status, h := from(r.GatewayURL, flooder, http.MethodGet, "/stops", ""); status != http.StatusTooManyRequests {
		t.Errorf("after the kill switch: %d, %v", status, h)
	}
}
