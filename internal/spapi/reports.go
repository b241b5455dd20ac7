package spapi

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/transform"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// maxDocument bounds a decompressed report: ten million listings of 400 bytes.
const maxDocument = 4 << 30

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
	var out struct {
		URL         string `json:"url"`
		Compression string `json:"compressionAlgorithm"`
	}
	told, err := c.do(ctx, a, call{op: opDocument, params: []string{documentID}}, &out)
	if err != nil {
		return nil, err
	}
	fail := func(status int, err error) (io.ReadCloser, error) {
		return nil, &amazon.Error{Op: opDocument.name, Status: status, RequestID: told.RequestID, Err: plain(err)}
	}
	if err := c.documentAddress(out.URL, a.Region); err != nil {
		return fail(0, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, out.URL, nil)
	if err != nil {
		return fail(0, errors.New("malformed document address"))
	}
	// The address is signed; it gets neither our token nor transparent
	// decompression, which would hide where the bytes end.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.documents.Do(req)
	if err != nil {
		return fail(0, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		// Status 0: a storage error says nothing about the seller's authorisation.
		return fail(0, fmt.Errorf("document storage answered HTTP %d", resp.StatusCode))
	}
	content := io.Reader(resp.Body)
	switch out.Compression {
	case "":
	case "GZIP":
		if content, err = gzip.NewReader(resp.Body); err != nil {
			_ = resp.Body.Close()
			return fail(0, fmt.Errorf("document is not gzip: %w", err))
		}
	default:
		_ = resp.Body.Close()
		return fail(0, fmt.Errorf("unknown compression %q", out.Compression))
	}
	content = &bounded{r: content, left: maxDocument}
	if e := declared(resp.Header.Get("Content-Type")); e != nil {
		content = transform.NewReader(content, e.NewDecoder())
	}
	return struct {
		io.Reader
		io.Closer
	}{content, resp.Body}, nil
}

// Storage that Amazon serves documents from. A document address comes from
// Amazon over TLS; this keeps a wrong one from reaching into our own network.
var documentHosts = []string{".amazonaws.com", ".cloudfront.net", ".amazon.com"}

func (c *Client) documentAddress(raw string, region price.Region) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("malformed document address")
	}
	if base := c.endpoints[region]; c.insecure && u.Scheme == base.Scheme && u.Host == base.Host {
		return nil
	}
	if u.Scheme != "https" || u.Port() != "" {
		return errors.New("document address is not plain https")
	}
	for _, suffix := range documentHosts {
		if strings.HasSuffix(strings.ToLower(u.Hostname()), suffix) {
			return nil
		}
	}
	return errors.New("document address is not at Amazon")
}

// declared returns the encoding that a Content-Type names when it is one of
// those that Amazon's reports come in; nil is UTF-8 or unknown.
func declared(contentType string) encoding.Encoding {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil
	}
	switch strings.ToLower(params["charset"]) {
	case "cp1252", "windows-1252", "iso-8859-1", "latin1":
		return charmap.Windows1252
	case "shift_jis", "shift-jis", "sjis", "windows-31j", "ms932", "cp932":
		return japanese.ShiftJIS
	}
	return nil
}

// bounded reads at most left bytes and then fails, instead of ending as if the
// content were complete.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
