package spapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// operation is one call of the Selling Partner API that the product may make.
type operation struct {
	name   string // Amazon's operation id
	method string
	path   []string // segments; "*" stands for a parameter
}

// The operations: a closed list. None of them returns orders or buyers.
var (
	opPatch          = operation{"patchListingsItem", http.MethodPatch, []string{"listings", "2021-08-01", "items", "*", "*"}}
	opGet            = operation{"getListingsItem", http.MethodGet, []string{"listings", "2021-08-01", "items", "*", "*"}}
	opSearch         = operation{"searchListingsItems", http.MethodGet, []string{"listings", "2021-08-01", "items", "*"}}
	opCreateReport   = operation{"createReport", http.MethodPost, []string{"reports", "2021-06-30", "reports"}}
	opReport         = operation{"getReport", http.MethodGet, []string{"reports", "2021-06-30", "reports", "*"}}
	opDocument       = operation{"getReportDocument", http.MethodGet, []string{"reports", "2021-06-30", "documents", "*"}}
	opParticipations = operation{"getMarketplaceParticipations", http.MethodGet, []string{"sellers", "v1", "marketplaceParticipations"}}

	opCreateFeedDocument = operation{"createFeedDocument", http.MethodPost, []string{"feeds", "2021-06-30", "documents"}}
	opCreateFeed         = operation{"createFeed", http.MethodPost, []string{"feeds", "2021-06-30", "feeds"}}
	opFeeds              = operation{"getFeeds", http.MethodGet, []string{"feeds", "2021-06-30", "feeds"}}
	opFeed               = operation{"getFeed", http.MethodGet, []string{"feeds", "2021-06-30", "feeds", "*"}}
	opCancelFeed         = operation{"cancelFeed", http.MethodDelete, []string{"feeds", "2021-06-30", "feeds", "*"}}
	opFeedDocument       = operation{"getFeedDocument", http.MethodGet, []string{"feeds", "2021-06-30", "documents", "*"}}

	opCreateDestination  = operation{"createDestination", http.MethodPost, []string{"notifications", "v1", "destinations"}}
	opDestinations       = operation{"getDestinations", http.MethodGet, []string{"notifications", "v1", "destinations"}}
	opCreateSubscription = operation{"createSubscription", http.MethodPost, []string{"notifications", "v1", "subscriptions", "*"}}
	opSubscription       = operation{"getSubscription", http.MethodGet, []string{"notifications", "v1", "subscriptions", "*"}}
)

var operations = []operation{
	opPatch, opGet, opSearch, opCreateReport, opReport, opDocument, opParticipations,
	opCreateFeedDocument, opCreateFeed, opFeeds, opFeed, opCancelFeed, opFeedDocument,
	opCreateDestination, opDestinations, opCreateSubscription, opSubscription, opRotateSecret,
}

// Operations names every operation that a Client can call, by Amazon's operation
// id: what a check that wants to have seen all of them compares with.
func Operations() []string {
	names := make([]string, len(operations))
	for i, o := range operations {
		names[i] = o.name
	}
	return names
}

// address returns the operation's address below base with the parameters in
// place of the stars, each percent-encoded to a single segment.
func (o operation) address(base *url.URL, params ...string) (*url.URL, error) {
	var plain, raw strings.Builder
	for _, segment := range o.path {
		if segment == "*" {
			if len(params) == 0 || params[0] == "" {
				return nil, fmt.Errorf("%s: an empty path parameter", o.name)
			}
			segment, params = params[0], params[1:]
		}
		plain.WriteString("/" + segment)
		raw.WriteString("/" + escape(segment))
	}
	u := *base
	u.Path = strings.TrimSuffix(base.Path, "/") + plain.String()
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + raw.String()
	return &u, nil
}

// permitted refuses every request that is not one of the operations at one of
// the endpoints.
func (c *Client) permitted(r *http.Request) error {
	for _, base := range c.endpoints {
		if r.URL.Scheme != base.Scheme || r.URL.Host != base.Host {
			continue
		}
		path, ok := strings.CutPrefix(r.URL.EscapedPath(), strings.TrimSuffix(base.EscapedPath(), "/")+"/")
		if !ok {
			continue
		}
		segments := strings.Split(path, "/")
		for _, o := range operations {
			if o.matches(r.Method, segments) {
				return nil
			}
		}
	}
	return errForbidden
}

func (o operation) matches(method string, segments []string) bool {
	if method != o.method || len(segments) != len(o.path) {
		return false
	}
	for i, want := range o.path {
		if want != segments[i] && (want != "*" || segments[i] == "") {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789ABCDEF"

// escape percent-encodes every byte but the unreserved ones of RFC 3986,
// section 2.3. url.PathEscape leaves $&+=:@ alone, and Amazon answers 403 to
// some SKUs that are not encoded to the last byte.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

// param is one query parameter; several values are separated by commas, so a
// value must not hold one: Amazon cannot tell "%2C" from ",".
type param struct {
	name   string
	values []string
}

func query(params []param) string {
	var b strings.Builder
	for _, p := range params {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(p.name) + "=")
		for i, v := range p.values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(escape(v))
		}
	}
	return b.String()
}
