package spapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// Feeds writes prices in bulk. It is safe for concurrent use.
type Feeds struct{ c *Client }

var _ amazon.Feeds = Feeds{}

// NewFeeds returns the feeds of a client's accounts.
func NewFeeds(c *Client) Feeds { return Feeds{c} }

const (
	// feedContentType is said twice and must be the same both times: when the
	// document is made, and when it is uploaded.
	feedContentType = "application/json; charset=UTF-8"
	// maxFeedMarketplaces is how many marketplaces a feed may name.
	maxFeedMarketplaces = 25
)

type feedBody struct {
	Header   feedHeader    `json:"header"`
	Messages []feedMessage `json:"messages"`
}

type feedHeader struct {
	Seller  string `json:"sellerId"`
	Version string `json:"version"`
	Locale  string `json:"issueLocale"`
}

type feedMessage struct {
	ID        int    `json:"messageId"` // index + 1, so that the report leads back
	SKU       string `json:"sku"`
	Operation string `json:"operationType"`
	patchBody
}

// Submit sends patches as one feed. Every step before the last has no effect at
// Amazon but an unused document: only an error of createFeed can have Reached
// set, and then the feed may exist without our knowing its id; Recent lists it.
func (f Feeds) Submit(ctx context.Context, a amazon.Account, marketplaces []price.MarketplaceID, patches []amazon.Patch) (string, error) {
	content, err := buildFeed(a.Seller, marketplaces, patches)
	if err != nil {
		return "", err
	}
	var doc struct {
		ID  string `json:"feedDocumentId"`
		URL string `json:"url"`
	}
	told, err := f.c.do(ctx, a, call{op: opCreateFeedDocument, body: map[string]string{"contentType": feedContentType}}, &doc)
	if err != nil {
		return "", harmless(err)
	}
	if doc.ID == "" {
		return "", harmless(mismatch(opCreateFeedDocument, told, errors.New("answer has no feedDocumentId")))
	}
	if err := f.c.upload(ctx, a, doc.URL, feedContentType, bytes.NewReader(content)); err != nil {
		return "", err
	}
	var out struct {
		FeedID string `json:"feedId"`
	}
	told, err = f.c.do(ctx, a, call{op: opCreateFeed, body: struct {
		Type         string                `json:"feedType"`
		Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
		Document     string                `json:"inputFeedDocumentId"`
	}{amazon.ListingsFeed, marketplaces, doc.ID}}, &out)
	if err == nil && out.FeedID == "" {
		err = mismatch(opCreateFeed, told, errors.New("answer has no feedId"))
	}
	return out.FeedID, err
}

// harmless takes Reached off the error of a call that changes nothing that
// anybody could see. A status that alone would call the outcome unknown goes
// with it.
func harmless(err error) error {
	var e *amazon.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Reached = false
	if out.Status == http.StatusRequestTimeout {
		out.Status = 0
	}
	return &out
}

// buildFeed translates patches, each as patchListingsItem would get it.
func buildFeed(seller string, marketplaces []price.MarketplaceID, patches []amazon.Patch) ([]byte, error) {
	op := opCreateFeed.name
	if len(patches) == 0 || len(patches) > amazon.MaxFeedMessages {
		return nil, notSent(op, "%d patches; a feed takes 1 to %d", len(patches), amazon.MaxFeedMessages)
	}
	if len(marketplaces) == 0 || len(marketplaces) > maxFeedMarketplaces {
		return nil, notSent(op, "%d marketplaces; a feed takes 1 to %d", len(marketplaces), maxFeedMarketplaces)
	}
	feed := feedBody{
		Header:   feedHeader{Seller: seller, Version: "2.0", Locale: issueLocale},
		Messages: make([]feedMessage, len(patches)),
	}
	seen := make(map[price.SKU]bool, len(patches))
	for i, p := range patches {
		switch {
		case p.SKU == "" || !utf8.ValidString(string(p.SKU)):
			// JSON would turn other bytes into those of another SKU.
			return nil, notSent(op, "patch %d has a SKU that a feed cannot name: %q", i, p.SKU)
		case seen[p.SKU]:
			return nil, notSent(op, "SKU %q is in the feed twice; Amazon keeps no order", p.SKU)
		case len(p.Also) > 0:
			return nil, notSent(op, "SKU %q is of several marketplaces; a feed has one message for each SKU", p.SKU)
		case !slices.Contains(marketplaces, p.Marketplace):
			return nil, notSent(op, "SKU %q is of marketplace %q, which the feed does not name", p.SKU, p.Marketplace)
		}
		seen[p.SKU] = true
		body, err := buildPatch(p)
		if err != nil {
			return nil, notSent(op, "SKU %q: %v", p.SKU, err)
		}
		feed.Messages[i] = feedMessage{ID: i + 1, SKU: string(p.SKU), Operation: "PATCH", patchBody: body}
	}
	content, err := json.Marshal(feed)
	if err != nil {
		return nil, notSent(op, "%v", err)
	}
	return content, nil
}

// Status returns the feed's state and the id of its report.
func (f Feeds) Status(ctx context.Context, a amazon.Account, feed string) (amazon.FeedStatus, string, error) {
	var out struct {
		FeedID string            `json:"feedId"`
		Status amazon.FeedStatus `json:"processingStatus"`
		Result string            `json:"resultFeedDocumentId"`
	}
	told, err := f.c.do(ctx, a, call{op: opFeed, params: []string{feed}}, &out)
	if err == nil && out.FeedID != feed {
		err = mismatch(opFeed, told, fmt.Errorf("answer is about feed %q", out.FeedID))
	}
	if err != nil {
		return "", "", err
	}
	return out.Status, out.Result, nil
}

// Cancel asks Amazon to drop a feed that is still in the queue.
func (f Feeds) Cancel(ctx context.Context, a amazon.Account, feed string) error {
	_, err := f.c.do(ctx, a, call{op: opCancelFeed, params: []string{feed}}, nil)
	return err
}
