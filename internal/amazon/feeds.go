package amazon

import (
	"context"
	"time"

	"pricemanager/internal/price"
)

// ListingsFeed is the one type of feed that the product submits.
const ListingsFeed = "JSON_LISTINGS_FEED"

// MaxFeedMessages is how many patches one feed takes (listings-feed-schema-v2).
const MaxFeedMessages = 25_000

// FeedStatus is the state of a feed at Amazon.
type FeedStatus string

// The feed states (feeds_2021-06-30, Feed.processingStatus).
const (
	FeedInQueue    FeedStatus = "IN_QUEUE" // for minutes as a rule, for hours at times
	FeedInProgress FeedStatus = "IN_PROGRESS"
	FeedDone       FeedStatus = "DONE"
	// FeedFatal ended early: some, none or all of its patches took effect.
	FeedFatal     FeedStatus = "FATAL"
	FeedCancelled FeedStatus = "CANCELLED" // nothing took effect
)

// Final reports whether the state is the last one.
func (s FeedStatus) Final() bool { return s == FeedDone || s == FeedFatal || s == FeedCancelled }

// FeedInfo is what a list of feeds tells about one.
type FeedInfo struct {
	ID       string
	Status   FeedStatus
	Document string // of the processing report, "" when there is none yet
	Created  time.Time
}

// FeedReport names a feed's processing report.
type FeedReport struct {
	Feed     string // id, as Submit returned it
	Document string // as Status returned it
	Messages int    // number of patches submitted
}

// FeedOutcome is Amazon's verdict on one patch of a feed.
type FeedOutcome struct {
	Index int // of the patch as submitted
	// Status is Accepted or Invalid, or Unsaid when the report does not tell.
	// Accepted is not applied: only a later read shows that.
	Status SubmissionStatus
	Issues []Issue
}

// Unsaid is the status of a patch about which a processing report says nothing
// that can be relied on: it is read back like one whose answer was lost.
const Unsaid SubmissionStatus = ""

// Feeds writes prices in bulk through JSON_LISTINGS_FEED. Errors are *Error.
//
// Amazon takes five feeds in five minutes from a seller in a region. It does
// not process the patches of a feed in order, nor before or after single
// patches sent meanwhile: a SKU must be in one feed or one call at a time.
type Feeds interface {
	// Submit sends up to MaxFeedMessages patches, one for each SKU, and returns
	// the feed's id. marketplaces are those of the patches. An error with Reached
	// true may have made a feed whose id was not told: Recent finds it. Any other
	// error made none.
	Submit(ctx context.Context, a Account, marketplaces []price.MarketplaceID, patches []Patch) (string, error)
	// Recent lists the listings feeds that the application made for the seller
	// from since to until, both included and by Amazon's clock, in the order in
	// which they were made. A feed whose submission got no answer is among them,
	// once Amazon knows it; nothing tells it from another of the same time but
	// that all others are known. Amazon remembers feeds for 28 days. It is
	// whole or an error, and meant to be asked rarely: one call in 45 s.
	Recent(ctx context.Context, a Account, since, until time.Time) ([]FeedInfo, error)
	// Status returns the state and, when there is one, the id of the processing
	// report's document.
	Status(ctx context.Context, a Account, feed string) (FeedStatus, string, error)
	// Cancel asks Amazon to drop a feed that is still in the queue; one that is
	// not is an *Error with Status 400. Success is no proof: Status tells.
	Cancel(ctx context.Context, a Account, feed string) error
	// Result reads the report and then calls each for every patch, in order. It
	// calls it for none when the report cannot be read to its end or is not of
	// this seller and feed. An error of each ends it and is returned as it is.
	Result(ctx context.Context, a Account, r FeedReport, each func(FeedOutcome) error) error
}
