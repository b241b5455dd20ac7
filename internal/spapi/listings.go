package spapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// maxSearch is how many identifiers searchListingsItems takes.
const maxSearch = 20

// issueLocale fixes the language of Amazon's issue texts.
const issueLocale = "en_US"

var itemData = param{"includedData", []string{"attributes", "offers", "issues", "summaries", "productTypes"}}

func inMarketplace(m price.MarketplaceID) param {
	return param{"marketplaceIds", []string{string(m)}}
}

var _ amazon.Previews = (*Client)(nil)

// Patch writes one SKU's prices, in one marketplace or in several.
func (c *Client) Patch(ctx context.Context, a amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	return c.patch(ctx, a, p, amazon.Accepted)
}

// Preview is amazon.Previews.Preview, by the mode VALIDATION_PREVIEW: full
// validation, and nothing is kept.
func (c *Client) Preview(ctx context.Context, a amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	return c.patch(ctx, a, p, amazon.Valid, param{"mode", []string{"VALIDATION_PREVIEW"}})
}

// patch asks for a patch with more parameters; good is the verdict of one that
// Amazon does not find invalid.
func (c *Client) patch(ctx context.Context, a amazon.Account, p amazon.Patch, good amazon.SubmissionStatus, more ...param) (amazon.Submission, error) {
	body, err := buildPatch(p)
	if err != nil {
		return amazon.Submission{}, err
	}
	markets := param{"marketplaceIds", []string{string(p.Marketplace)}}
	for _, also := range p.Also {
		markets.values = append(markets.values, string(also.Marketplace))
	}
	var out struct {
		SKU          string                  `json:"sku"`
		Status       amazon.SubmissionStatus `json:"status"`
		SubmissionID string                  `json:"submissionId"`
		Issues       []issue                 `json:"issues"`
	}
	told, err := c.do(ctx, a, call{
		op: opPatch, params: []string{a.Seller, string(p.SKU)}, body: body,
		query: append([]param{markets, {"includedData", []string{"issues"}}, {"issueLocale", []string{issueLocale}}}, more...),
	}, &out)
	if err != nil {
		return amazon.Submission{Call: told}, err
	}
	// An answer about another SKU, or a verdict that was not asked for (a write is not
	// valid, a preview not accepted), proves nothing about ours: it is read back before
	// anything is sent again.
	if out.SKU != string(p.SKU) || (out.Status != good && out.Status != amazon.Invalid) {
		return amazon.Submission{Call: told}, mismatch(opPatch, told, fmt.Errorf("answer is about SKU %q, status %q", out.SKU, out.Status))
	}
	return amazon.Submission{ID: out.SubmissionID, Status: out.Status, Issues: issues(out.Issues, ""), Call: told}, nil
}

func mismatch(op operation, told amazon.Call, err error) *amazon.Error {
	return &amazon.Error{Op: op.name, Status: 200, RequestID: told.RequestID, Reached: true, Err: err}
}

// Get reads one SKU in one marketplace.
func (c *Client) Get(ctx context.Context, a amazon.Account, m price.MarketplaceID, sku price.SKU) (amazon.Listing, amazon.Call, error) {
	market, ok := price.MarketplaceByID(m)
	if !ok {
		return amazon.Listing{}, amazon.Call{}, notSent(opGet.name, "unknown marketplace %q", m)
	}
	var out item
	told, err := c.do(ctx, a, call{
		op: opGet, params: []string{a.Seller, string(sku)},
		query: []param{inMarketplace(m), itemData, {"issueLocale", []string{issueLocale}}},
	}, &out)
	if err != nil {
		return amazon.Listing{}, told, err
	}
	if out.SKU != string(sku) {
		return amazon.Listing{}, told, mismatch(opGet, told, fmt.Errorf("answer is about SKU %q", out.SKU))
	}
	l, err := out.listing(market)
	if err != nil {
		return amazon.Listing{}, told, mismatch(opGet, told, err)
	}
	return l, told, nil
}

// Search reads up to 20 SKUs in one marketplace.
func (c *Client) Search(ctx context.Context, a amazon.Account, m price.MarketplaceID, skus []price.SKU) ([]amazon.Listing, amazon.Call, error) {
	market, ok := price.MarketplaceByID(m)
	if !ok {
		return nil, amazon.Call{}, notSent(opSearch.name, "unknown marketplace %q", m)
	}
	if len(skus) == 0 || len(skus) > maxSearch {
		return nil, amazon.Call{}, notSent(opSearch.name, "%d SKUs; a search takes 1 to %d", len(skus), maxSearch)
	}
	names := make([]string, len(skus))
	for i, sku := range skus {
		if sku == "" || strings.Contains(string(sku), ",") {
			return nil, amazon.Call{}, notSent(opSearch.name, "SKU %q cannot be searched; read it by itself", sku)
		}
		names[i] = string(sku)
	}
	var out struct {
		Items      []json.RawMessage `json:"items"`
		Pagination struct {
			Next string `json:"nextToken"`
		} `json:"pagination"`
	}
	told, err := c.do(ctx, a, call{
		op: opSearch, params: []string{a.Seller},
		query: []param{
			inMarketplace(m), {"identifiersType", []string{"SKU"}}, {"identifiers", names}, itemData,
			{"issueLocale", []string{issueLocale}}, {"pageSize", []string{strconv.Itoa(maxSearch)}},
		},
	}, &out)
	if err != nil {
		return nil, told, err
	}
	if out.Pagination.Next != "" {
		// A SKU names one item, so 20 SKUs are one page. With a second page a
		// SKU that is on it would look as if Amazon did not know it.
		return nil, told, mismatch(opSearch, told, errors.New("more items than SKUs asked for"))
	}
	listings := make([]amazon.Listing, 0, len(out.Items))
	for _, text := range out.Items {
		var it item
		if decode(text, &it) != nil || !slices.Contains(skus, price.SKU(it.SKU)) {
			continue // Amazon may match more loosely than by byte
		}
		l, err := it.listing(market)
		if err != nil {
			continue // not known exactly is not known; the other 19 are
		}
		listings = append(listings, l)
	}
	return listings, told, nil
}
