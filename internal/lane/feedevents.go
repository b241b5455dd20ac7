package lane

import (
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// feedDoc is what an event says about a feed. A feed stands for the sending of
// each row on its list, whose SHA-256 it names: that change.sent is not told once
// more for each of 25,000 rows. What became of a row is told for each of them.
type feedDoc struct {
	Feed        int                 `json:"feed"` // within the batch and lane
	Marketplace price.MarketplaceID `json:"marketplace"`
	Rows        int                 `json:"rows"`
	List        string              `json:"list_sha256"`
	Attempt     int                 `json:"attempt,omitempty"`
	NotAfter    *time.Time          `json:"not_after,omitempty"`
	ID          string              `json:"amazon_feed,omitempty"`
	Status      string              `json:"status,omitempty"`
	Reason      string              `json:"reason,omitempty"`
}

// feedEvents are the steps of feeds that are new in a journal.
func feedEvents(r store.Record, now journal, c price.ConnectionID) []ledger.Event {
	var old journal
	if r.Old != nil {
		old, _ = decodeJournal(*r.Old) // one that cannot be read had no feeds
	}
	var out []ledger.Event
	for i := range now.Feeds {
		f := &now.Feeds[i]
		var was feed
		if o := old.feedAt(f.N); o != nil {
			was = *o
		}
		add := func(t ledger.Type, doc feedDoc) {
			doc.Feed, doc.Marketplace, doc.Rows, doc.List, doc.ID = f.N, f.Marketplace, f.Rows, f.List, f.ID
			out = append(out, ledger.Event{Type: t, At: r.At, Actor: system, Target: "lane:" + string(c), Batch: now.Batch,
				After: raw(doc), Source: string(store.Offers)})
		}
		if f.Attempt > was.Attempt {
			until := at(f.NotAfter)
			add(ledger.FeedSent, feedDoc{Attempt: f.Attempt, NotAfter: &until})
		}
		if f.Escaped && !was.Escaped {
			add(ledger.FeedEscaped, feedDoc{Status: string(f.Status), Reason: f.Stop})
		}
		if f.Ended != 0 && was.Ended == 0 {
			add(ledger.FeedEnded, feedDoc{Status: string(f.Status), Reason: f.Stop})
		}
	}
	return out
}
