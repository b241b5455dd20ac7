package fakeamazon

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/price"
)

// feedKept is how long Amazon remembers a feed: 28 days since May 2024 by its
// changelog, whatever the model's text still says.
const feedKept = 28 * 24 * time.Hour

// feedQuery is what one asks getFeeds for. A page's token holds it, with the
// place where the next page begins.
type feedQuery struct {
	Seller       sellerKey             `json:"-"`
	Owner        string                `json:"owner"` // Seller as text, so that a token works for nobody else
	Types        []string              `json:"types"`
	Marketplaces []price.MarketplaceID `json:"marketplaces,omitempty"`
	Statuses     []string              `json:"statuses,omitempty"`
	Since        time.Time             `json:"since"`
	Until        time.Time             `json:"until"`
	Size         int                   `json:"size"`
	After        string                `json:"after,omitempty"` // id of the last feed of the page before
}

// getFeeds lists the seller's feeds, the newest first. A feed that is made
// between two pages moves none from one page to the other.
func (f *Fake) getFeeds(c *call, now time.Time) answer {
	q, problem := readFeedQuery(c, now)
	if problem != "" {
		return badRequest(problem)
	}
	out := struct {
		Feeds []feedView `json:"feeds"`
		Next  string     `json:"nextToken,omitempty"`
	}{Feeds: []feedView{}}
	if !slices.Contains(q.Types, listingsFeed) {
		return answer{http.StatusOK, out, ""}
	}
	skip := q.After != ""
	for _, job := range slices.Backward(f.feeds) {
		if skip {
			skip = job.ID != q.After
			continue
		}
		if !q.takes(job, now) {
			continue
		}
		if len(out.Feeds) == q.Size {
			q.After = out.Feeds[q.Size-1].ID
			out.Next = q.token()
			break
		}
		out.Feeds = append(out.Feeds, job.view(now))
	}
	return answer{http.StatusOK, out, ""}
}

func (q feedQuery) takes(job *feedJob, now time.Time) bool {
	return job.key() == q.Seller && now.Sub(job.Created) < feedKept &&
		!job.Created.Before(q.Since) && !job.Created.After(q.Until) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, job.status(now))) &&
		(len(q.Marketplaces) == 0 || slices.ContainsFunc(q.Marketplaces, func(m price.MarketplaceID) bool {
			return slices.Contains(job.Marketplaces, m)
		}))
}

func (q feedQuery) token() string {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // the fake's own types
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readFeedQuery reads the filters, or the token that remembers them. Kinds and
// limits have been checked against the model; how they go together is only in
// its text.
func readFeedQuery(c *call, now time.Time) (q feedQuery, problem string) {
	owner := string(c.key.region) + "/" + c.key.id
	if c.query.Has("nextToken") {
		if len(c.query) != 1 {
			return q, "nextToken goes with no other parameter."
		}
		text, err := base64.RawURLEncoding.DecodeString(c.query.Get("nextToken"))
		if err != nil || json.Unmarshal(text, &q) != nil || q.Owner != owner || q.Size < 1 {
			return q, "There is no such nextToken."
		}
		q.Seller = c.key
		return q, ""
	}
	q = feedQuery{
		Seller: c.key, Owner: owner, Types: csv(c.query, "feedTypes"), Marketplaces: c.entry.Marketplaces,
		Statuses: csv(c.query, "processingStatuses"), Since: time.Time{}, Until: now, Size: 10,
	}
	if len(q.Types) == 0 {
		return q, "Either feedTypes or nextToken is needed."
	}
	for name, to := range map[string]*time.Time{"createdSince": &q.Since, "createdUntil": &q.Until} {
		if text := c.query.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return q, name + " is no time."
			}
			*to = t
		}
	}
	if text := c.query.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return q, "pageSize is no number."
		}
		q.Size = n
	}
	return q, ""
}
