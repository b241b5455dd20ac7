package lane

import (
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// Kinds of routes.
const (
	ByPatch = "patch"
	ByFeed  = "feed"
)

// Route says how the rows of a batch in one lane go to Amazon, and why.
type Route struct {
	Kind     string `json:"kind,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Expected int64  `json:"expected,omitempty"` // when the last price should be seen, Unix milliseconds
}

// feedTimes is the name under which the time from a feed's submission to its end
// is kept beside the visibility of the marketplaces.
const feedTimes price.MarketplaceID = "feed"

// enoughFeeds is how many feeds are measured before their times are believed.
const enoughFeeds = 10

// feedTakes is how long a feed usually takes: within it, nine in ten were done.
func (d *driver) feedTakes() (typical time.Duration, measured int64) {
	known := d.delays[feedTimes]
	if n := known.count(); n >= enoughFeeds {
		return known.quantile(90), n
	}
	return d.cfg.FeedTakes, 0
}

// route chooses between feeds and single patches for a batch of which nothing
// was sent yet: by which way its last price is expected to be seen first.
func (d *driver) route(w *work, now time.Time) {
	if w.j.Route.Kind != "" || w.j.High > 0 {
		return
	}
	rows := float64(w.j.Rows)
	var ahead float64
	for _, other := range d.works {
		if other == w {
			break
		}
		ahead += float64(other.j.Rows - other.j.High)
	}
	readAll := seconds(rows / perRead / d.read.rate)
	byPatch := max(seconds((ahead+rows)/d.send.rate), readAll) + d.visible
	feeds := (w.j.Rows + amazon.MaxFeedMessages - 1) / amazon.MaxFeedMessages
	takes, measured := d.feedTakes()
	byFeed := time.Duration(feeds-1)*feedSpacing + takes + readAll + d.visible
	w.j.Route = Route{Kind: ByPatch, Expected: now.Add(byPatch).UnixMilli()}
	if d.e.Feeds == nil || w.j.Rows < d.cfg.FeedFrom {
		return
	}
	basis := "assumed, none of yours was measured yet"
	if measured > 0 {
		basis = fmt.Sprintf("measured on your last %d feeds", measured)
	}
	chosen := "single patches"
	if byFeed < byPatch {
		w.j.Route.Kind, w.j.Route.Expected = ByFeed, now.Add(byFeed).UnixMilli()
		chosen = "feeds"
	}
	w.j.Route.Reason = fmt.Sprintf("%s: %d prices are expected to be seen after %s by feeds (a feed takes %s, %s) and after %s by single patches at %.3g a second",
		chosen, w.j.Rows, byFeed.Round(time.Second), takes.Round(time.Second), basis, byPatch.Round(time.Second), d.send.rate)
	w.dirty = true
}

// detour notes that rows of a feed go by single patches after all.
func (w *work) detour(f *feed) {
	w.j.Route.Reason += fmt.Sprintf("; %d prices of feed %d go by single patches: %s", f.Rows, f.N, f.Stop)
	w.dirty = true
}
