package lane

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// A large batch goes to Amazon in feeds: up to 25,000 patches in one document,
// which Amazon takes up when it likes to. The journal of the batch names each
// feed and its state; the rows of a feed are in a list of their own in the files
// bucket. Until a feed is over, its rows belong to it and to nothing else: a
// feed that seems stuck can still be applied hours later, over a newer price.
//
//	planned    the list is written; nothing has left
//	announced  createFeed may be on the wire until NotAfter (an intent)
//	running    Amazon named the feed
//	lost       no answer: it may exist without our knowing its id
//	ended      Amazon is done with it, or it never existed
//	settled    every row has its outcome, or waits for its read-back
type feedState string

const (
	feedPlanned   feedState = "planned"
	feedAnnounced feedState = "announced"
	feedRunning   feedState = "running"
	feedLost      feedState = "lost"
	feedEnded     feedState = "ended"
	feedSettled   feedState = "settled"
)

// feed is one feed of a batch in this lane, as the journal keeps it. Times are
// Unix milliseconds.
type feed struct {
	N           int                 `json:"n"` // from 1, within the batch and lane
	Marketplace price.MarketplaceID `json:"m"`
	Rows        int                 `json:"rows"`          // rows on its list
	List        string              `json:"list"`          // SHA-256 of the list, hex
	Attempt     int                 `json:"a,omitempty"`   // createFeed calls announced
	State       feedState           `json:"s"`             //
	ID          string              `json:"id,omitempty"`  // Amazon's
	NotAfter    int64               `json:"t,omitempty"`   // createFeed is not on the wire after
	Announced   int64               `json:"at,omitempty"`  // when createFeed was announced
	Poll        int64               `json:"p,omitempty"`   // when to look next
	Status      amazon.FeedStatus   `json:"fs,omitempty"`  // as last seen
	Document    string              `json:"doc,omitempty"` // the processing report's
	Ended       int64               `json:"end,omitempty"`
	Stop        string              `json:"stop,omitempty"` // why it was asked to be cancelled
	Escaped     bool                `json:"esc,omitempty"`  // it could not be cancelled
	Overtaken   int                 `json:"over,omitempty"` // rows that a newer change took over meanwhile
}

// live reports whether Amazon may still apply the feed.
func (f *feed) live() bool {
	return f.State == feedAnnounced || f.State == feedRunning || f.State == feedLost
}

// over reports whether nothing is left to be done with the feed.
func (f *feed) over() bool { return f.State == feedSettled }

func at(millis int64) time.Time { return time.UnixMilli(millis).UTC() }

// listed is one row on a feed's list, in the order of its messages.
type listed struct {
	Row int64     `json:"r"` // index in the row files
	SKU price.SKU `json:"sku"`
}

func feedListName(batch string, c price.ConnectionID, n int) string {
	return fmt.Sprintf("feeds/%s/%s/%05d.json", batch, c, n)
}

func encodeList(list []listed) (body []byte, sum string) {
	body = mustJSON(list)
	digest := sha256.Sum256(body)
	return body, hex.EncodeToString(digest[:])
}

func decodeList(body []byte) ([]listed, error) {
	var list []listed
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("lane: list of a feed: %w", err)
	}
	return list, nil
}

// feedAt returns the journal's entry of a feed.
func (j *journal) feedAt(n int) *feed {
	for i := range j.Feeds {
		if j.Feeds[i].N == n {
			return &j.Feeds[i]
		}
	}
	return nil
}

// FeedView is a feed as the API shows it.
type FeedView struct {
	Connection  price.ConnectionID
	Marketplace price.MarketplaceID
	Batch       string
	Rows        int
	State       string
	ID          string // Amazon's, "" while it is not known
	Submitted   time.Time
	Ended       time.Time
	// Escaped: the feed was to be cancelled, and Amazon did not let go of it. Its
	// prices may still be set.
	Escaped bool
	Reason  string // why it was to be cancelled
}

func (f *feed) view(batch string, c price.ConnectionID) FeedView {
	v := FeedView{Connection: c, Marketplace: f.Marketplace, Batch: batch, Rows: f.Rows, State: string(f.State), ID: f.ID,
		Escaped: f.Escaped, Reason: f.Stop}
	if f.Announced != 0 {
		v.Submitted = at(f.Announced)
	}
	if f.Ended != 0 {
		v.Ended = at(f.Ended)
	}
	return v
}
