package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/test/canary"
)

// api is the public API as one seller's program uses it: it repeats what failed
// on our side with the same Idempotency-Key, as the API's description tells it to.
type api struct {
	base string
	key  secret.Value
}

const (
	tries     = 12
	tryAgain  = time.Second
	oneAnswer = 30 * time.Second
)

// refusal is an answer that is no success.
type refusal struct {
	status int
	text   []byte
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %.300s", r.status, r.text) }

func ask[T any](ctx context.Context, a api, method, path, body string) (out T, err error) {
	key := strings.ToLower(rand.Text())
	for n := 1; ; n++ {
		status, text, err := a.once(ctx, key, method, path, body)
		switch {
		case err == nil && status/100 == 2:
			return out, json.Unmarshal(text, &out)
		case ctx.Err() != nil:
			return out, ctx.Err()
		case n == tries || (err == nil && status < 500 && status != http.StatusTooManyRequests):
			if err == nil {
				err = &refusal{status, text}
			}
			return out, fmt.Errorf("%s %s: %w", method, path, err)
		}
		if err := (clock.Real{}).Sleep(ctx, tryAgain); err != nil {
			return out, err
		}
	}
}

func (a api) once(ctx context.Context, key, method, path, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, oneAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", key)
	}
	return roundTrip(req)
}

// answers are what the product said to anybody.
var (
	answers = &canary.Heard{}
	client  = &http.Client{Transport: answers}
)

func roundTrip(req *http.Request) (int, []byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// panel is a control panel: the fake Amazon's or the proxy's.
type panel struct{ base string }

func (p panel) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.base+"/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	status, text, err := roundTrip(req)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("%s %s: status %d: %.300s", method, path, status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// The documents of the API, as far as they are read here.
type (
	connectionDoc struct {
		ID           string `json:"id"`
		AuthorizeURL string `json:"authorizeUrl"`
		Import       struct {
			State string `json:"state"`
			Known int    `json:"known"`
		} `json:"import"`
	}
	planDoc struct {
		ID      string `json:"id"`
		Token   string `json:"token"`
		Summary struct {
			Rows, Planned, Held, Refused, Unchanged int
		} `json:"summary"`
	}
	batchDoc struct {
		ID     string         `json:"id"`
		State  string         `json:"state"`
		Reason string         `json:"reason"`
		Counts map[string]int `json:"counts"`
	}
	rowsDoc struct {
		Items []struct {
			SKU   string `json:"sku"`
			State string `json:"state"`
		} `json:"items"`
		Next string `json:"next"`
	}
	stopDoc struct {
		Name string `json:"name"`
	}
	exportDoc struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		URL      string `json:"url"`
		Password string `json:"password"`
	}
)
