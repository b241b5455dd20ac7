package lane

import (
	"context"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// feedNotice stands where a notice about a listing names its marketplace. What
// follows is the feed's id.
const feedNotice = "feed"

// FeedEnded leaves a notice that Amazon is done with a feed and rings the lane,
// which then asks about it now and not when its turn comes. Amazon's word is a
// hint: what became of the feed is what Amazon answers. Repeating it, and a feed
// that is none of the lane's, change nothing.
//
// Crash points: as those of Notice.
func (b Bell) FeedEnded(ctx context.Context, t tenant.ID, c price.ConnectionID, feed string) error {
	return b.Notice(ctx, t, c, feedNotice, price.SKU(feed))
}

// hearOfFeed brings the next look at a feed forward. That is not written down:
// after a crash the feed is looked at in its turn.
func (d *driver) hearOfFeed(ctx context.Context, id string, seen int64, now time.Time) error {
	for _, w := range d.works {
		for i := range w.j.Feeds {
			if f := &w.j.Feeds[i]; f.State == feedRunning && f.ID == id {
				f.Poll = min(f.Poll, now.UnixMilli())
			}
		}
	}
	return d.forget(ctx, notice{price.OfferKey{Connection: d.lease.conn, Marketplace: feedNotice, SKU: price.SKU(id)}, seen})
}
