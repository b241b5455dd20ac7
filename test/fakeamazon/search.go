package fakeamazon

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/price"
)

// maxResults is how far a search can be paged, however much matches.
const maxResults = 1000

// searchResults is the model's ItemSearchResults.
type searchResults struct {
	Number     int         `json:"numberOfResults"`
	Pagination *pagination `json:"pagination,omitempty"`
	Items      []item      `json:"items"`
}

type pagination struct {
	Next     string `json:"nextToken,omitempty"`
	Previous string `json:"previousToken,omitempty"`
}

// pageToken is the content of a page token: where the page starts, and the
// query that it belongs to.
type pageToken struct {
	From  int    `json:"from"`
	Query string `json:"query"`
}

func (t pageToken) encode() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // the fake's own type
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// searchListings lists SKUs, by identifiers or by filters.
func (f *Fake) searchListings(c *call, now time.Time) answer {
	if out, ok := c.checkMarketplaces(); !ok {
		return out
	}
	q := c.query
	if q.Has("identifiers") != q.Has("identifiersType") {
		return refuse(http.StatusBadRequest, "'identifiers' and 'identifiersType' must be provided together.", "")
	}
	if q.Has("variationParentSku") || q.Has("packageHierarchySku") {
		return refuse(http.StatusBadRequest, "The fake has no variations.", "")
	}
	size := 10 // the models' default
	if n, err := strconv.Atoi(q.Get("pageSize")); err == nil {
		size = n
	}
	if size < 1 {
		return refuse(http.StatusBadRequest, "'pageSize' must be at least 1.", "")
	}
	page := pageToken{Query: searchID(q)}
	if text := q.Get("pageToken"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		var got pageToken
		if err != nil || json.Unmarshal(raw, &got) != nil || got.Query != page.Query || got.From < 0 {
			return refuse(http.StatusBadRequest, "Invalid 'pageToken' provided.", "")
		}
		page = got
	}
	found := f.matches(c)
	out := searchResults{Number: len(found), Items: []item{}}
	reach := min(len(found), maxResults)
	end := min(page.From+size, reach)
	for _, l := range found[min(page.From, reach):end] {
		view, _ := f.view(viewOf(c), l.sku, now)
		out.Items = append(out.Items, view)
	}
	var links pagination
	if end < reach {
		links.Next = pageToken{end, page.Query}.encode()
	}
	if page.From > 0 {
		links.Previous = pageToken{max(page.From-size, 0), page.Query}.encode()
	}
	if links != (pagination{}) {
		out.Pagination = &links
	}
	return answer{http.StatusOK, out, ""}
}

// searchID is the query without its page.
func searchID(q url.Values) string {
	rest := url.Values{}
	for name, values := range q {
		if name != "pageToken" {
			rest[name] = values
		}
	}
	return digest(rest.Encode())[:16]
}

// matches returns the listings that a search finds, one for each SKU, sorted.
func (f *Fake) matches(c *call) []*listing {
	keep := filter(c.query)
	wanted := csv(c.query, "identifiers")
	kind := c.query.Get("identifiersType")
	bySKU := map[price.SKU]*listing{}
	for _, id := range c.entry.Marketplaces {
		m := c.seller.markets[id]
		consider := func(l *listing) {
			if bySKU[l.sku] == nil && (wanted == nil || slices.Contains(wanted, l.identifier(kind))) && keep(m.Marketplace, l) {
				bySKU[l.sku] = l
			}
		}
		if kind == "SKU" { // the common case, without a walk
			for _, sku := range wanted {
				if l := m.listings[price.SKU(sku)]; l != nil {
					consider(l)
				}
			}
			continue
		}
		for _, l := range m.listings {
			consider(l)
		}
	}
	out := make([]*listing, 0, len(bySKU))
	for _, l := range bySKU {
		out = append(out, l)
	}
	slices.SortFunc(out, order(c.query))
	return out
}

// identifier returns the listing's identifier of a kind, "" when it has none.
func (l *listing) identifier(kind string) string {
	switch kind {
	case "SKU":
		return string(l.sku)
	case "ASIN":
		return l.asin
	case "FNSKU", "MINSAN":
		return ""
	default:
		return l.productID
	}
}

// order is sortBy and sortOrder, with the SKU to break ties.
func order(q url.Values) func(a, b *listing) int {
	sign := -1
	if q.Get("sortOrder") == "ASC" {
		sign = 1
	}
	return func(a, b *listing) int {
		var first int
		switch q.Get("sortBy") {
		case "sku":
		case "createdDate":
			first = a.created.Compare(b.created)
		default:
			first = a.updated.Compare(b.updated)
		}
		return sign * cmp.Or(first, strings.Compare(string(a.sku), string(b.sku)))
	}
}

// filter returns the test of all filters of a query; the texts are checked.
func filter(q url.Values) func(price.Marketplace, *listing) bool {
	at := func(name string) (time.Time, bool) {
		t, err := time.Parse(time.RFC3339, q.Get(name))
		return t, err == nil
	}
	createdAfter, hasCA := at("createdAfter")
	createdBefore, hasCB := at("createdBefore")
	updatedAfter, hasUA := at("lastUpdatedAfter")
	updatedBefore, hasUB := at("lastUpdatedBefore")
	with, without, severity := csv(q, "withStatus"), csv(q, "withoutStatus"), csv(q, "withIssueSeverity")
	return func(m price.Marketplace, l *listing) bool {
		switch {
		case hasCA && !l.created.After(createdAfter), hasCB && !l.created.Before(createdBefore),
			hasUA && !l.updated.After(updatedAfter), hasUB && !l.updated.Before(updatedBefore):
			return false
		}
		status := l.status(m)
		has := func(s string) bool { return slices.Contains(status, s) }
		if (with != nil && !slices.ContainsFunc(with, has)) || slices.ContainsFunc(without, has) {
			return false
		}
		if severity == nil {
			return true
		}
		return slices.ContainsFunc(l.visible, func(i instance) bool {
			return slices.ContainsFunc(judge(m, i), func(is issue) bool { return slices.Contains(severity, is.Severity) })
		})
	}
}
