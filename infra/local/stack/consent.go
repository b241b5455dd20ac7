package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Consent does what a seller does in the browser: it confirms the page that
// authorizeURL leads to as that seller and follows Amazon back to the product.
func (s *Stack) Consent(ctx context.Context, authorizeURL, seller string) error {
	page, ok := strings.CutPrefix(authorizeURL, s.URL+amazonPrefix)
	if !ok {
		return fmt.Errorf("stack: %q does not lead to the fake Amazon of this stack", authorizeURL)
	}
	query := url.Values{"seller": {seller}, "url": {s.AmazonURL + page}}
	answer, err := s.fetch(ctx, http.MethodPost, s.AdminURL+"/consent?"+query.Encode())
	if err != nil {
		return fmt.Errorf("stack: consent of %s: %w", seller, err)
	}
	var back struct {
		Redirect string `json:"redirect"`
	}
	if err := json.Unmarshal(answer, &back); err != nil {
		return fmt.Errorf("stack: consent of %s: %w", seller, err)
	}
	if _, err := s.fetch(ctx, http.MethodGet, back.Redirect); err != nil {
		return fmt.Errorf("stack: return of %s from consent: %w", seller, err)
	}
	return nil
}

// fetch makes a request without a body and wants a success.
func (s *Stack) fetch(ctx context.Context, method, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return text, err
}
