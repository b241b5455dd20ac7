package fakeamazon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/price"
)

// listingsFeed is the only feed type of the fake.
const listingsFeed = "JSON_LISTINGS_FEED"

const (
	// documentLife is how long an uploaded document may be made a feed of.
	documentLife = 48 * time.Hour
	// Amazon's changelog of May 2025: beside the budget of createFeed, five
	// listings feeds in five minutes from a seller in a region.
	feedWindow = 5 * time.Minute
	feedBurst  = 5
)

// feedJob is one feed. Its state follows from its times and the clock; run
// takes its messages one after the other at their times.
type feedJob struct {
	ID           string                `json:"id"`
	Region       price.Region          `json:"region"`
	Seller       string                `json:"seller"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
	Input        string                `json:"input"` // document
	Created      time.Time             `json:"created"`
	Started      time.Time             `json:"started"`
	Done         time.Time             `json:"done"`
	Cancelled    bool                  `json:"cancelled,omitempty"`
	Told         bool                  `json:"told,omitempty"` // who listens, of its end
	Result       string                `json:"result"`         // document

	// Problem makes the whole feed FATAL before its first message.
	Problem string `json:"problem,omitempty"`
	// StopAfter ends the feed as FATAL after so many messages; -1: never.
	StopAfter int `json:"stopAfter"`
	// Partly fails some of the messages with an internal error.
	Partly bool `json:"partly,omitempty"`

	Next     int         `json:"next"` // messages processed, in the feed's own order
	Accepted []price.SKU `json:"accepted,omitempty"`
	Invalid  int         `json:"invalid,omitempty"`
	Issues   []feedIssue `json:"issues,omitempty"`

	seq     int64 // of the request that made it, for violations
	order   []int // in which the messages are processed
	content []byte
}

func (j *feedJob) key() sellerKey { return sellerKey{j.Region, j.Seller} }

func (j *feedJob) status(now time.Time) string {
	switch {
	case j.Cancelled:
		return "CANCELLED"
	case now.Before(j.Started):
		return "IN_QUEUE"
	case now.Before(j.Done):
		return "IN_PROGRESS"
	case j.Problem != "" || j.StopAfter >= 0:
		return "FATAL"
	}
	return "DONE"
}

// reported says whether there is a processing report: a feed that stopped in
// the middle has none.
func (j *feedJob) reported(now time.Time) bool {
	status := j.status(now)
	return status == "DONE" || (status == "FATAL" && j.Problem != "")
}

// feedView is the model's Feed.
type feedView struct {
	ID           string                `json:"feedId"`
	Type         string                `json:"feedType"`
	Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
	Created      time.Time             `json:"createdTime"`
	Status       string                `json:"processingStatus"`
	Started      time.Time             `json:"processingStartTime,omitzero"`
	Ended        time.Time             `json:"processingEndTime,omitzero"`
	Result       string                `json:"resultFeedDocumentId,omitempty"`
}

// createFeed puts a feed into the queue. Feeds of a seller run one after the
// other.
func (f *Fake) createFeed(c *call, now time.Time) answer {
	var want struct {
		Type         string                `json:"feedType"`
		Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
		Input        string                `json:"inputFeedDocumentId"`
	}
	if err := json.Unmarshal(c.body, &want); err != nil {
		return refuse(http.StatusBadRequest, "Invalid input.", err.Error())
	}
	c.entry.Marketplaces = want.Marketplaces
	if want.Type != listingsFeed {
		return refuse(http.StatusBadRequest, "The fake has no feed of type "+want.Type+".", "")
	}
	if out, ok := c.checkMarketplaces(); !ok {
		return out
	}
	doc := f.uploads[want.Input]
	if doc == nil || doc.key() != c.key || !now.Before(doc.Created.Add(documentLife)) {
		return refuse(http.StatusBadRequest, "Invalid input feed document.", "there is no such document")
	}
	if doc.Content == nil {
		return refuse(http.StatusBadRequest, "Invalid input feed document.", "nothing was uploaded to it")
	}
	if !f.admitFeed(c, now) {
		return refuse(http.StatusTooManyRequests, "You exceeded your quota for the requested resource.",
			"More than 5 JSON_LISTINGS_FEED submissions within 5 minutes.")
	}
	if doc.Used {
		f.log.violate(c.entry, now, "protocol", "document %s is made a feed of a second time", doc.ID)
	}
	doc.Used = true
	job := f.newFeed(c, want.Input, now)
	if job.Problem = doc.Problem; job.Problem == "" && doc.parsed().Header.Seller != c.key.id {
		job.Problem = fmt.Sprintf("the feed's header names seller %q", doc.parsed().Header.Seller)
		f.log.violate(c.entry, now, "protocol", "%s", job.Problem)
	}
	f.disturbFeed(c, job, len(doc.parsed().Messages))
	f.feeds = append(f.feeds, job)
	c.entry.Feed = job.ID
	f.touch()
	return answer{http.StatusAccepted, map[string]string{"feedId": job.ID}, ""}
}

func (f *Fake) newFeed(c *call, input string, now time.Time) *feedJob {
	n := f.next()
	started := now.Add(f.pace.delay(f.cfg.Feeds.Queue, "feed queue", n))
	for _, other := range f.feeds {
		if other.key() == c.key && !other.Cancelled && other.Done.After(started) {
			started = other.Done
		}
	}
	if c.trouble != nil {
		started = started.Add(c.trouble.Latency)
	}
	return &feedJob{
		ID: strconv.FormatInt(60000000000+n, 10), Region: c.key.region, Seller: c.key.id, Marketplaces: c.entry.Marketplaces,
		Input: input, Created: now, Started: started, Done: started.Add(f.pace.delay(f.cfg.Feeds.Process, "feed process", n)),
		Result: "amzn1.tortuga.4." + f.pace.id("feed result", n), StopAfter: -1, seq: c.entry.Seq,
	}
}

// disturbFeed lets a fault of a feed do its work.
func (f *Fake) disturbFeed(c *call, job *feedJob, messages int) {
	if c.trouble == nil {
		return
	}
	switch c.trouble.Kind {
	case FeedPartly:
		job.Partly = true
	case FeedFatal:
		job.StopAfter = (messages + 1) / 2
	}
}

// admitFeed keeps the limit on listings feeds. A refused one does not count.
func (f *Fake) admitFeed(c *call, now time.Time) bool {
	window := feedWindow / time.Duration(f.pace.speed)
	times := slices.DeleteFunc(f.feedTimes[c.key], func(t time.Time) bool { return !now.Before(t.Add(window)) })
	ok := len(times) < feedBurst
	if ok {
		times = append(times, now)
	} else {
		f.log.violate(c.entry, now, "over-budget", "createFeed: a sixth listings feed within five minutes")
	}
	f.feedTimes[c.key] = times
	return ok
}

func (f *Fake) feed(c *call) *feedJob {
	for _, job := range f.feeds {
		if job.ID == c.params["feedId"] && job.key() == c.key {
			c.entry.Feed = job.ID
			return job
		}
	}
	return nil
}

func (f *Fake) getFeed(c *call, now time.Time) answer {
	job := f.feed(c)
	if job == nil {
		return refuse(http.StatusNotFound, "Feed not found.", "")
	}
	view := job.view(now)
	return answer{http.StatusOK, view, view.Status}
}

// view is the feed as it looks at a time.
func (j *feedJob) view(now time.Time) feedView {
	view := feedView{ID: j.ID, Type: listingsFeed, Marketplaces: j.Marketplaces, Created: j.Created, Status: j.status(now)}
	switch view.Status {
	case "IN_PROGRESS":
		view.Started = j.Started
	case "DONE", "FATAL":
		view.Started, view.Ended = j.Started, j.Done
		if j.reported(now) {
			view.Result = j.Result
		}
	case "CANCELLED":
		view.Ended = j.Done
	}
	return view
}

func (f *Fake) cancelFeed(c *call, now time.Time) answer {
	job := f.feed(c)
	if job == nil {
		return refuse(http.StatusNotFound, "Feed not found.", "")
	}
	if c.trouble != nil { // too late: it is promised, and runs all the same
		return answer{http.StatusOK, nil, job.status(now)}
	}
	if job.status(now) != "IN_QUEUE" {
		return refuse(http.StatusBadRequest, "Only a feed that is IN_QUEUE can be cancelled.", "")
	}
	job.Cancelled, job.Done = true, now
	f.feedEnded(job)
	return answer{http.StatusOK, nil, "CANCELLED"}
}

func (f *Fake) getFeedDocument(c *call, now time.Time) answer {
	job := f.feedOfResult(c.params["feedDocumentId"])
	if job == nil || job.key() != c.key || !job.reported(now) {
		return refuse(http.StatusNotFound, "Feed document not found.", "")
	}
	c.entry.Feed = job.ID
	out := struct {
		ID          string `json:"feedDocumentId"`
		URL         string `json:"url"`
		Compression string `json:"compressionAlgorithm,omitempty"`
	}{ID: job.Result, URL: c.base + f.link(job.Result, now)}
	if !f.cfg.Feeds.Plain {
		out.Compression = "GZIP"
	}
	return answer{http.StatusOK, out, ""}
}

func (f *Fake) feedOfResult(document string) *feedJob {
	for _, job := range f.feeds {
		if job.Result == document {
			return job
		}
	}
	return nil
}
