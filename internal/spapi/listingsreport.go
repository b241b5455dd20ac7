package spapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"

	"pricemanager/internal/price"
)

// ListingRow is one line of the listings report.
type ListingRow struct {
	Line     int // line of the file, the header being 1
	SKU      price.SKU
	ASIN     string
	GTIN     string // in the form of price.NormalGTIN; "" when the product id is none
	Title    string
	Price    string // plain decimal in the marketplace's currency, "" when blank
	Quantity *int64 // nil when blank, as for items in Amazon's warehouses
	Channel  string // e.g. "DEFAULT" for the seller's own, "AMAZON_EU"
	Status   string // e.g. "Active"
}

// ErrReport is returned for content that is no listings report. A single bad
// line is a *LineError.
var ErrReport = errors.New("spapi: not a listings report")

// LineError is one line that could not be read. The lines after it can.
type LineError struct {
	Line   int
	Reason string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("spapi: listings report, line %d: %s", e.Line, e.Reason)
}

// maxLine bounds a line: item descriptions are at most some kilobytes.
const maxLine = 1 << 20

// ListingsReport reads GET_MERCHANT_LISTINGS_ALL_DATA line by line: tab-separated,
// no quoting, columns in any order, named by the header. Memory does not grow
// with the file.
type ListingsReport struct {
	scan     *bufio.Scanner
	fallback encoding.Encoding
	columns  map[string]int
	line     int
}

// Column names, in English and as Amazon.co.jp writes them when it does not
// honour the locale asked for. Several columns may hold the ASIN.
var columnNames = map[string]string{
	"seller-sku": "sku", "出品者SKU": "sku",
	"asin1": "asin", "ASIN 1": "asin",
	"item-name": "title", "商品名": "title",
	"price": "price", "価格": "price",
	"quantity": "quantity", "数量": "quantity",
	"fulfillment-channel": "channel", "フルフィルメント・チャンネル": "channel",
	"status": "status", "ステータス": "status",
	"product-id": "product", "商品ID": "product",
}

// NewListingsReport reads the header. Text that is not UTF-8 is taken for
// Windows-1252, or for Shift JIS in Japan. No data at all is io.EOF.
func NewListingsReport(r io.Reader, m price.MarketplaceID) (*ListingsReport, error) {
	l := &ListingsReport{scan: bufio.NewScanner(r), fallback: charmap.Windows1252, columns: map[string]int{}}
	l.scan.Buffer(make([]byte, 0, 64<<10), maxLine)
	l.scan.Split(lines)
	if market, ok := price.MarketplaceByID(m); ok && market.Country == "JP" {
		l.fallback = japanese.ShiftJIS
	}
	header, err := l.next()
	if err != nil {
		return nil, err
	}
	for i, name := range strings.Split(strings.TrimPrefix(header, "\ufeff"), "\t") {
		column, known := columnNames[strings.TrimSpace(name)]
		if _, twice := l.columns[column]; known && twice {
			return nil, fmt.Errorf("%w: two columns for %s", ErrReport, column)
		} else if known {
			l.columns[column] = i
		}
	}
	for _, needed := range []string{"sku", "price"} {
		if _, ok := l.columns[needed]; !ok {
			return nil, fmt.Errorf("%w: no column for %s", ErrReport, needed)
		}
	}
	return l, nil
}

// Next returns the next row; io.EOF after the last. After a *LineError the
// reading may go on.
func (l *ListingsReport) Next() (ListingRow, error) {
	text, err := l.next()
	for err == nil && strings.TrimSpace(text) == "" {
		text, err = l.next()
	}
	if err != nil {
		return ListingRow{}, err
	}
	fields := strings.Split(text, "\t")
	bad := func(format string, args ...any) (ListingRow, error) {
		return ListingRow{}, &LineError{l.line, fmt.Sprintf(format, args...)}
	}
	field := func(column string) string {
		i, ok := l.columns[column]
		if !ok || i >= len(fields) {
			return ""
		}
		return fields[i]
	}
	if last := max(l.columns["sku"], l.columns["price"]); len(fields) <= last {
		return bad("%d columns, want at least %d", len(fields), last+1)
	}
	row := ListingRow{
		Line: l.line, SKU: price.SKU(field("sku")), ASIN: strings.TrimSpace(field("asin")),
		Title: field("title"), Price: strings.TrimSpace(field("price")),
		Channel: strings.TrimSpace(field("channel")), Status: strings.TrimSpace(field("status")),
	}
	if row.SKU == "" {
		return bad("no SKU")
	}
	if strings.ContainsRune(string(row.SKU), utf8.RuneError) {
		return bad("SKU %q is damaged", row.SKU)
	}
	if row.ASIN == "" && looksLikeASIN(field("product")) {
		row.ASIN = strings.TrimSpace(field("product"))
	}
	// Ten digits are the ISBN-10 of a book, which is its ASIN.
	if product := strings.TrimSpace(field("product")); len(product) != 10 {
		row.GTIN, _ = price.NormalGTIN(product)
	}
	if row.Price != "" && !isDecimal(row.Price) {
		return bad("price %q is not a plain decimal", row.Price)
	}
	if q := strings.TrimSpace(field("quantity")); q != "" {
		n, err := strconv.ParseInt(q, 10, 64)
		if err != nil || n < 0 {
			return bad("quantity %q is not a number of units", q)
		}
		row.Quantity = &n
	}
	return row, nil
}

func (l *ListingsReport) next() (string, error) {
	if !l.scan.Scan() {
		if err := l.scan.Err(); err != nil {
			return "", fmt.Errorf("%w: after line %d: %w", ErrReport, l.line, err)
		}
		return "", io.EOF
	}
	l.line++
	text := l.scan.Bytes()
	if utf8.Valid(text) {
		return string(text), nil
	}
	decoded, err := l.fallback.NewDecoder().Bytes(text)
	if err != nil {
		return "", fmt.Errorf("%w: line %d: %w", ErrReport, l.line, err)
	}
	return string(decoded), nil
}

// lines splits at \n and at \r\n. A lone \r stays: titles may hold one.
func lines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
	}
	if atEOF && len(data) > 0 {
		return len(data), bytes.TrimSuffix(data, []byte("\r")), nil
	}
	return 0, nil, nil
}

func isDecimal(s string) bool {
	whole, frac, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(frac))
}

// looksLikeASIN tells an ASIN in product-id from an EAN or UPC.
func looksLikeASIN(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) == 10 && strings.HasPrefix(s, "B0")
}
