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

// maxDocument bounds a decompressed document: a report of ten million listings
// of 400 bytes.
const maxDocument = 4 << 30

// download asks op for a document's address and opens what lies there.
func (c *Client) download(ctx context.Context, a amazon.Account, op operation, documentID string) (io.ReadCloser, error) {
	var out struct {
		URL         string `json:"url"`
		Compression string `json:"compressionAlgorithm"`
	}
	told, err := c.do(ctx, a, call{op: op, params: []string{documentID}}, &out)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (io.ReadCloser, error) { return nil, storageError(op, told, err) }
	if err := c.documentAddress(out.URL, a.Region); err != nil {
		return fail(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, out.URL, nil)
	if err != nil {
		return fail(errors.New("malformed document address"))
	}
	// The address is signed; it gets neither our token nor transparent
	// decompression, which would hide where the bytes end.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.documents.Do(req)
	if err != nil {
		return fail(err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return fail(fmt.Errorf("document storage answered HTTP %d", resp.StatusCode))
	}
	content := io.Reader(resp.Body)
	switch out.Compression {
	case "":
	case "GZIP":
		if content, err = gzip.NewReader(resp.Body); err != nil {
			_ = resp.Body.Close()
			return fail(fmt.Errorf("document is not gzip: %w", err))
		}
	default:
		_ = resp.Body.Close()
		return fail(fmt.Errorf("unknown compression %q", out.Compression))
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

// upload puts content at a signed address that was made for the content type.
// Nothing happens at Amazon until somebody names the document, so an error never
// has Reached set.
func (c *Client) upload(ctx context.Context, a amazon.Account, address, contentType string, content io.Reader) error {
	told := amazon.Call{}
	if err := c.documentAddress(address, a.Region); err != nil {
		return storageError(opCreateFeedDocument, told, err)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, content)
	if err != nil {
		return storageError(opCreateFeedDocument, told, errors.New("malformed document address"))
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.documents.Do(req)
	if err != nil {
		return storageError(opCreateFeedDocument, told, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return storageError(opCreateFeedDocument, told, fmt.Errorf("document storage answered HTTP %d", resp.StatusCode))
	}
	return nil
}

// storageError has no status: what storage answers says nothing about the
// seller's authorisation.
func storageError(op operation, told amazon.Call, err error) *amazon.Error {
	return &amazon.Error{Op: op.name, RequestID: told.RequestID, Err: plain(err)}
}

// Storage that Amazon serves documents from. A document address comes from
// Amazon over TLS; this keeps a wrong one from reaching into our own network.
var documentHosts = []string{".amazonaws.com", ".cloudfront.net", ".amazon.com"}

func (c *Client) documentAddress(raw string, region price.Region) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("malformed document address")
	}
	if base := c.endpoints[region]; c.insecure && base != nil && u.Scheme == base.Scheme && u.Host == base.Host {
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

// permittedDocument is the last look at a request for a document: it reads or
// writes one, at Amazon, and takes no credential along.
func (c *Client) permittedDocument(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPut {
		return errForbidden
	}
	if r.Header.Get("X-Amz-Access-Token") != "" || r.Header.Get("Authorization") != "" {
		return errForbidden
	}
	for region := range c.endpoints {
		if c.documentAddress(r.URL.String(), region) == nil {
			return nil
		}
	}
	return errForbidden
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
