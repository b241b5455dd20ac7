package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"pricemanager/internal/secret"
)

// api is the public API as the seller's program uses it.
type api struct {
	base string
	key  secret.Value
}

func ask[T any](ctx context.Context, a api, method, path string, in any) (out T, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", strings.ToLower(rand.Text()))
	}
	text, err := roundTrip(req)
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if len(text) == 0 {
		return out, nil
	}
	return out, json.Unmarshal(text, &out)
}

// roundTrip wants a success.
func roundTrip(req *http.Request) ([]byte, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d: %.300s", res.StatusCode, text)
	}
	return text, err
}

// send posts the content with an upload's form.
func send(ctx context.Context, u uploadDoc, content io.Reader) error {
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		var errs []error
		for name, value := range u.Fields {
			errs = append(errs, form.WriteField(name, value))
		}
		part, err := form.CreateFormFile("file", u.File)
		if err == nil {
			_, err = io.Copy(part, content)
		}
		errs = append(errs, err, form.Close())
		_ = w.CloseWithError(errors.Join(errs...)) // never fails
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.URL, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	if _, err := roundTrip(req); err != nil {
		return fmt.Errorf("presigned POST: %w", err)
	}
	return nil
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
	uploadDoc struct {
		Upload string            `json:"upload"`
		File   string            `json:"file"`
		URL    string            `json:"url"`
		Fields map[string]string `json:"fields"`
	}
	planDoc struct {
		ID       string `json:"id"`
		Token    string `json:"token"`
		State    string `json:"state"`
		Progress *struct {
			RowsRead, RowsPlanned, Rows int64
		} `json:"progress"`
		Problem *struct{ Type, Detail string } `json:"problem"`
		Summary struct {
			Rows, Planned, Held, Refused, Unchanged int64
		} `json:"summary"`
	}
	batchDoc struct {
		ID     string           `json:"id"`
		State  string           `json:"state"`
		Reason string           `json:"reason"`
		Rows   int64            `json:"rows"`
		Staged *int64           `json:"staged"`
		Counts map[string]int64 `json:"counts"`
		Feeds  []struct {
			State string `json:"state"`
		} `json:"feeds"`
	}
)
