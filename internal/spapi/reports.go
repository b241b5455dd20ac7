package spapi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// CreateReport asks for a report about one marketplace and returns its id.
func (c *Client) CreateReport(ctx context.Context, a amazon.Account, reportType string, m price.MarketplaceID) (string, error) {
	body := struct {
		ReportType   string                `json:"reportType"`
		Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
		Options      map[string]string     `json:"reportOptions,omitempty"`
	}{ReportType: reportType, Marketplaces: []price.MarketplaceID{m}}
	if reportType == amazon.ListingsReport {
		// Without it the column names come in the marketplace's language.
		body.Options = map[string]string{"preferredReportDocumentLocale": "en_US"}
	}
	var out struct {
		ReportID string `json:"reportId"`
	}
	told, err := c.do(ctx, a, call{op: opCreateReport, body: body}, &out)
	if err == nil && out.ReportID == "" {
		err = mismatch(opCreateReport, told, errors.New("answer has no reportId"))
	}
	return out.ReportID, err
}

// Report returns the report's state, and its document id once it is done.
func (c *Client) Report(ctx context.Context, a amazon.Account, id string) (amazon.ReportStatus, string, error) {
	var out struct {
		ReportID   string              `json:"reportId"`
		Status     amazon.ReportStatus `json:"processingStatus"`
		DocumentID string              `json:"reportDocumentId"`
	}
	told, err := c.do(ctx, a, call{op: opReport, params: []string{id}}, &out)
	if err == nil && out.ReportID != id {
		err = mismatch(opReport, told, fmt.Errorf("answer is about report %q", out.ReportID))
	}
	if err != nil {
		return "", "", err
	}
	return out.Status, out.DocumentID, nil
}

// Document opens the report's content, decompressed, and in UTF-8 when the
// storage declares an encoding that is known here. It streams: ctx must outlive
// the reading. A cut or oversized document ends with an error, never with a
// silent end of file.
func (c *Client) Document(ctx context.Context, a amazon.Account, documentID string) (io.ReadCloser, error) {
	return c.download(ctx, a, opDocument, documentID)
}
