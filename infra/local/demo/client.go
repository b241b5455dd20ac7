package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

// client speaks the product's public API, as any seller's program would.
type client struct {
	base string
	key  secret.Value
	http *http.Client
}

// problem is an error answer (RFC 9457).
type problem struct {
	Status   int    `json:"status"`
	Type     string `json:"type"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	// RetryAfter is how many seconds to wait before asking again.
	RetryAfter int `json:"retryAfter"`
}

func (p *problem) Error() string {
	return fmt.Sprintf("the API answered %d (%s): %s [reference %s]", p.Status, p.Type, p.Detail, p.Instance)
}

// call asks the API, and once more when it is told to wait first, as a good client does.
func (c *client) call(ctx context.Context, method, path string, query url.Values, contentType string, body []byte, out any) error {
	err := c.once(ctx, method, path, query, contentType, body, out)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusTooManyRequests {
		if err := (clock.Real{}).Sleep(ctx, time.Duration(p.RetryAfter)*time.Second); err != nil {
			return err
		}
		return c.once(ctx, method, path, query, contentType, body, out)
	}
	return err
}

func (c *client) once(ctx context.Context, method, path string, query url.Values, contentType string, body []byte, out any) error {
	u := c.base + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", strings.ToLower(rand.Text()))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		p := &problem{Status: res.StatusCode}
		if json.Unmarshal(text, p) != nil {
			p.Detail = string(text[:min(len(text), 300)])
		}
		return fmt.Errorf("%s %s: %w", method, path, p)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not the JSON that was promised: %w", method, path, err)
	}
	return nil
}

func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path, query, "", nil, out)
}

func (c *client) post(ctx context.Context, path string, in, out any) error {
	body := []byte("{}")
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return c.call(ctx, http.MethodPost, path, nil, "application/json", body, out)
}

// The documents of the API, as far as the demo reads them.

type connection struct {
	ID           string   `json:"id"`
	Region       string   `json:"region"`
	State        string   `json:"state"`
	Seller       string   `json:"seller"`
	Marketplaces []string `json:"marketplaces"`
	AuthorizeURL string   `json:"authorizeUrl"`
	Import       struct {
		State     string `json:"state"`
		Known     int64  `json:"known"`
		Requested int64  `json:"requested"`
	} `json:"import"`
}

type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func (m money) String() string { return m.Amount + " " + m.Currency }

type planDoc struct {
	ID      string `json:"id"`
	Token   string `json:"token"`
	Summary struct {
		Rows       int     `json:"rows"`
		Planned    int     `json:"planned"`
		Held       int     `json:"held"`
		Refused    int     `json:"refused"`
		Unchanged  int     `json:"unchanged"`
		AtRisk     []money `json:"atRisk"`
		ETASeconds int     `json:"etaSeconds"`
	} `json:"summary"`
}

type finding struct {
	Code   string `json:"code"`
	Column string `json:"column"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
	Fix    string `json:"fix"`
}

type planRow struct {
	Row         int    `json:"row"`
	Connection  string `json:"connection"`
	Marketplace string `json:"marketplace"`
	SKU         string `json:"sku"`
	Verdict     string `json:"verdict"`
	Fields      []struct {
		Field string `json:"field"`
		Old   string `json:"old"`
		New   string `json:"new"`
	} `json:"fields"`
	ChangePercent string    `json:"changePercent"`
	AtRisk        *money    `json:"atRisk"`
	Findings      []finding `json:"findings"`
}

type batchDoc struct {
	ID         string           `json:"id"`
	State      string           `json:"state"`
	Reason     string           `json:"reason"`
	Rows       int64            `json:"rows"`
	Counts     map[string]int64 `json:"counts"`
	ETASeconds int64            `json:"etaSeconds"`
}

type batchRow struct {
	Row         int       `json:"row"`
	Connection  string    `json:"connection"`
	Marketplace string    `json:"marketplace"`
	SKU         string    `json:"sku"`
	State       string    `json:"state"`
	At          time.Time `json:"at"`
	Submission  string    `json:"submission"`
	Issue       string    `json:"issue"`
}

type exportDoc struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	URL   string `json:"url"`
	// Password opens the archive.
	Password string `json:"password"`
}

type ledgerDoc struct {
	Size       int64  `json:"size"`
	Checkpoint string `json:"checkpoint"`
}

// pages reads a paged list to its end.
func pages[T any](ctx context.Context, c *client, path string, query url.Values) ([]T, error) {
	var all []T
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		if err := c.get(ctx, path, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		if query == nil {
			query = url.Values{}
		}
		query.Set("after", page.Next)
	}
}
