package product_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/secret"
)

// api is the public API as one tenant uses it.
type api struct {
	base string
	key  secret.Value
}

// request asks the API and returns status and body, whatever they are.
func (a api) request(t *testing.T, method, path string, body []byte) (int, []byte) {
	t.Helper()
	// A function that cannot start answers late or not at all.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", strings.ToLower(rand.Text()))
	}
	return roundTrip(t, req)
}

// ask asks the API, wants that status, and decodes the answer.
func ask[T any](t *testing.T, a api, want int, method, path, body string) T {
	t.Helper()
	status, text := a.request(t, method, path, []byte(body))
	if status != want {
		t.Fatalf("%s %s: status %d, want %d: %.500s", method, path, status, want, text)
	}
	return decode[T](t, method+" "+path, text)
}

// refuses checks that a route does not work now, and that it says so.
func (a api) refuses(t *testing.T, method, path, body string) {
	t.Helper()
	if status, text := a.request(t, method, path, []byte(body)); status < 500 {
		t.Errorf("%s %s: status %d with its function broken, want 5xx: %.200s", method, path, status, text)
	}
}

func decode[T any](t *testing.T, what string, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v: %.500s", what, err, text)
	}
	return v
}

func roundTrip(t *testing.T, req *http.Request) (int, []byte) {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, text
}

// The documents of the API, as far as the tests read them.
type (
	connectionDoc struct {
		ID           string `json:"id"`
		State        string `json:"state"`
		AuthorizeURL string `json:"authorizeUrl"`
		Import       struct {
			State string `json:"state"`
			Known int    `json:"known"`
		} `json:"import"`
	}
	planDoc struct {
		ID      string `json:"id"`
		State   string `json:"state"`
		Token   string `json:"token"`
		Summary struct {
			Rows, Planned, Held, Refused, Unchanged int
		} `json:"summary"`
	}
	batchDoc struct {
		ID     string         `json:"id"`
		State  string         `json:"state"`
		Counts map[string]int `json:"counts"`
	}
	exportDoc struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		URL      string `json:"url"`
		Password string `json:"password"`
	}
	ledgerDoc struct {
		Size int64 `json:"size"`
	}
)

func (b batchDoc) String() string {
	return fmt.Sprintf("batch %s is %s with %v", b.ID, b.State, b.Counts)
}
