package spapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// storage serves one document and what leads to it.
func storage(t *testing.T, address, compression, contentType string, content []byte) *Client {
	t.Helper()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reports/2021-06-30/documents/doc-1":
			at := address
			if at == "" {
				at = "http://" + r.Host + "/storage?X-Amz-Signature=hidden"
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"reportDocumentId": "doc-1", "url": at, "compressionAlgorithm": compression})
		case "/storage":
			if r.Header.Get("X-Amz-Access-Token") != "" || r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("storage was asked with %v", r.Header)
			}
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content)
		default:
			t.Errorf("asked %s", r.URL.Path)
		}
	})
	return c
}

func document(t *testing.T, c *Client) (string, error) {
	t.Helper()
	d, err := c.Document(t.Context(), account, "doc-1")
	if err != nil {
		return "", err
	}
	defer d.Close()
	b, err := io.ReadAll(d)
	return string(b), err
}

func TestADocumentArrivesDecompressedAndInUTF8(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		compression, contentType string
		content                  []byte
		want                     string
	}{
		"plain":        {"", "text/plain; charset=UTF-8", []byte("Grüße"), "Grüße"},
		"gzip":         {"GZIP", "text/plain", zipped(t, "Grüße"), "Grüße"},
		"windows 1252": {"GZIP", "text/plain; charset=Cp1252", zipped(t, "Gr\xfc\xdfe \x80"), "Grüße €"},
		"shift jis":    {"", "text/plain;charset=Shift_JIS", []byte("\x89\xbf\x8ai"), "価格"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := document(t, storage(t, "", tc.compression, tc.contentType, tc.content))
			if err != nil || got != tc.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestACutDocumentIsAnErrorAndNotAShorterOne(t *testing.T) {
	t.Parallel()
	whole := zipped(t, strings.Repeat("a line\n", 10000))
	if _, err := document(t, storage(t, "", "GZIP", "text/plain", whole[:len(whole)-9])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	r := &bounded{r: strings.NewReader("12345"), left: 4}
	if got, err := io.ReadAll(r); string(got) != "1234" || !errors.Is(err, errTooLarge) {
		t.Errorf("bounded: %q, %v", got, err)
	}
	r = &bounded{r: strings.NewReader("1234"), left: 4}
	if got, err := io.ReadAll(r); string(got) != "1234" || err != nil {
		t.Errorf("bounded to the byte: %q, %v", got, err)
	}
}

func TestADocumentIsFetchedFromAmazonOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://169.254.169.254/latest/meta-data", "https://localhost/x", "https://evil.test/x.amazonaws.com",
		"https://amazonaws.com.evil.test/x", "file:///etc/passwd", "https://u:p@b.s3.amazonaws.com/x", "https://b.s3.amazonaws.com:22/x",
		"http://b.s3.amazonaws.com/x", "https://s3.amazonaws.com.", "://",
	} {
		c := storage(t, address, "", "", nil)
		if err := c.documentAddress(address, price.EU); err == nil {
			t.Errorf("%s is accepted", address)
		}
		_, err := document(t, c)
		if e := asError(t, err); e.Reached || strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := client(t, "http://amazon.test", token("x"))
	for _, address := range []string{"https://tortuga-prod-eu.s3-eu-west-1.amazonaws.com/a?X=1", "https://d34o8swod1owfl.cloudfront.net/r.txt"} {
		if err := c.documentAddress(address, price.EU); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAStorageErrorSaysNothingAboutTheSellerAndHidesTheSignature(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/expired" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"reportDocumentId": "doc-1", "url": "http://" + r.Host + "/expired?X-Amz-Signature=hidden"})
	})
	_, err := document(t, c)
	if amazon.Classify(err) != amazon.Retry || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%s: %v", amazon.Classify(err), err)
	}
}

func TestTheListingsReportIsAskedForWithEnglishColumns(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if want := `{"reportType":"GET_MERCHANT_LISTINGS_ALL_DATA","marketplaceIds":["A1VC38T7YXB528"],"reportOptions":{"preferredReportDocumentLocale":"en_US"}}`; string(b) != want {
			t.Errorf("asked for %s", b)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"reportId":"r-1"}`)
	})
	if id, err := c.CreateReport(t.Context(), account, amazon.ListingsReport, japan); err != nil || id != "r-1" {
		t.Errorf("got %q, %v", id, err)
	}
}

func TestAnAnswerAboutAnotherReportIsRefused(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"reportId":"r-2","processingStatus":"DONE","reportDocumentId":"d"}`)
	})
	if s, d, err := c.Report(t.Context(), account, "r-1"); err == nil || s != "" || d != "" {
		t.Errorf("got %s, %s, %v", s, d, err)
	}
}
