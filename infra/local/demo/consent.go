package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// consent does what the seller's browser does: it opens Amazon's page, presses
// the button, and follows the way back to our callback.
func consent(ctx context.Context, authorizeURL, seller string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	page, err := visit(ctx, browser, http.MethodGet, authorizeURL, nil)
	if err != nil {
		return fmt.Errorf("open Amazon's consent page: %w", err)
	}
	form, err := fields(page)
	if err != nil {
		return err
	}
	if seller != "" {
		form.Set("selling_partner_id", seller)
	}
	if _, err := visit(ctx, browser, http.MethodPost, authorizeURL, form); err != nil {
		return fmt.Errorf("confirm the consent: %w", err)
	}
	return nil
}

func visit(ctx context.Context, browser *http.Client, method, at string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s: %.300s", res.Request.URL.Path, res.Status, text)
	}
	return string(text), nil
}

// fields are what a browser would send of the page's form: its inputs, and the
// first option of each selection.
func fields(page string) (url.Values, error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil, err
	}
	form := url.Values{}
	var selecting string
	for n := range root.Descendants() {
		switch n.Data {
		case "input":
			form.Set(attr(n, "name"), attr(n, "value"))
		case "select":
			selecting = attr(n, "name")
		case "option":
			if !form.Has(selecting) {
				form.Set(selecting, attr(n, "value"))
			}
		}
	}
	if len(form) == 0 {
		return nil, fmt.Errorf("amazon's consent page has no form: %.300s", page)
	}
	return form, nil
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
