package lane

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

const (
	// feedSpacing keeps a lane within the five submissions in five minutes that
	// Amazon takes from a seller in a region (change of 6 May 2025).
	feedSpacing = time.Minute
	// openFeeds bounds how many feeds of a batch are under way, and so how many
	// rows a worker has in hand when they end together.
	openFeeds = 4
	// planAtOnce is how many rows one step of planning looks at.
	planAtOnce = 50_000
)

// planFeeds divides the next rows of a batch into feeds, one for each marketplace
// and 25,000 rows, and reports whether it did anything. Marketplaces with too few
// rows to be worth a feed go by single patches.
//
// Crash points: a list without its entry in the journal is written anew, with the
// same rows; the entry and the cursor move in one write, and nothing has left yet.
func (d *driver) planFeeds(ctx context.Context, w *work) (bool, error) {
	if w.j.Route.Kind != ByFeed || w.j.High >= w.j.Rows || d.halted(w) || w.feedsUnderWay() >= openFeeds {
		return false, nil
	}
	by := map[price.MarketplaceID][]*row{}
	var markets []price.MarketplaceID
	to, full := w.j.High, false
	for to < w.j.Rows && to-w.j.High < planAtOnce && !full {
		rows, err := d.load(ctx, w, to, min(rowsPerChunk, w.j.Rows-to))
		if err != nil {
			return false, err
		}
		for _, r := range rows {
			if len(by[r.Marketplace]) == 0 {
				markets = append(markets, r.Marketplace)
			}
			if full = len(by[r.Marketplace]) == amazon.MaxFeedMessages; full {
				break
			}
			by[r.Marketplace] = append(by[r.Marketplace], r)
			to++
		}
	}
	for _, m := range markets {
		rows := by[m]
		if int64(len(rows)) < d.cfg.FeedFrom {
			for _, r := range rows {
				w.rows[r.index] = r
				w.again = append(w.again, r)
			}
			continue
		}
		list := make([]listed, len(rows))
		for i, r := range rows {
			list[i] = listed{Row: r.index, SKU: r.SKU}
		}
		f := feed{N: len(w.j.Feeds) + 1, Marketplace: m, Rows: len(rows), State: feedPlanned}
		var err error
		if f.List, err = d.putList(ctx, w, f.N, list); err != nil {
			return false, err
		}
		w.j.Feeds = append(w.j.Feeds, f)
		w.enter(f.N, list)
	}
	w.j.High = to
	return true, d.writeJournal(ctx, w, d.e.Clock.Now())
}

func (d *driver) putList(ctx context.Context, w *work, n int, list []listed) (sum string, err error) {
	body, sum := encodeList(list)
	name := feedListName(w.j.Batch, d.lease.conn, n)
	if err := d.e.Blobs.Put(ctx, d.lease.tenant, store.Files, name, "application/json", body); err != nil {
		return "", fmt.Errorf("lane: write list of a feed: %w", err)
	}
	return sum, nil
}

func (d *driver) feedList(ctx context.Context, w *work, n int) ([]listed, error) {
	body, err := d.e.Blobs.Get(ctx, d.lease.tenant, store.Files, feedListName(w.j.Batch, d.lease.conn, n))
	if err != nil {
		return nil, fmt.Errorf("lane: list of feed %d of batch %s: %w", n, w.j.Batch, err)
	}
	return decodeList(body)
}

// fed is a row that belongs to a feed.
type fed struct {
	feed int
	sku  price.SKU
}

// enter notes that rows belong to a feed.
func (w *work) enter(n int, list []listed) {
	if w.inFeed == nil {
		w.inFeed, w.feedRows = map[int64]fed{}, map[int]int64{}
	}
	for _, l := range list {
		w.feedRows[n]++
		w.inFeed[l.Row] = fed{n, l.SKU}
	}
}

// rejoin takes a row out of its feed: from here on it is a row like any other.
func (w *work) rejoin(r *row) {
	if in, ok := w.inFeed[r.index]; ok {
		w.feedRows[in.feed]--
		delete(w.inFeed, r.index)
	}
	w.rows[r.index] = r
	w.dirty = true
}

func (w *work) feedsUnderWay() (n int) {
	for i := range w.j.Feeds {
		if !w.j.Feeds[i].over() {
			n++
		}
	}
	return n
}

// reopenFeeds takes up the feeds that an earlier owner left. A row with an intent
// of its own has left its feed already.
func (d *driver) reopenFeeds(ctx context.Context, w *work) error {
	own := map[int64]bool{}
	for _, i := range w.j.Intents {
		own[i.Row] = true
	}
	for i := range w.j.Feeds {
		f := &w.j.Feeds[i]
		if f.over() && f.Overtaken == 0 {
			continue
		}
		list, err := d.feedList(ctx, w, f.N)
		if err != nil {
			return err
		}
		for _, l := range list {
			if f.live() || f.State == feedEnded {
				d.feeding[d.offerOf(f, l)] = claim{forever, w}
			} else if f.over() {
				d.feeding[d.offerOf(f, l)] = claim{d.shownBy(f), w}
			}
			if !f.over() && !own[l.Row] && l.Row >= w.j.Low {
				w.enter(f.N, []listed{l})
			}
		}
	}
	return nil
}

func (d *driver) offerOf(f *feed, l listed) price.OfferKey {
	return price.OfferKey{Connection: d.lease.conn, Marketplace: f.Marketplace, SKU: l.SKU}
}

// shownBy is when everything that a feed did shows.
func (d *driver) shownBy(f *feed) time.Time { return at(f.Ended).Add(d.unknownFor(f.Marketplace)) }

// lingers returns until when a batch whose rows are all done is kept open, so
// that what its feeds may have overwritten is known to the next owner as well:
// until it shows, and was looked at.
func (d *driver) lingers(w *work) (until time.Time) {
	for i := range w.j.Feeds {
		if f := &w.j.Feeds[i]; f.over() && f.Overtaken > 0 {
			until = later(until, d.shownBy(f))
		}
	}
	now := d.e.Clock.Now()
	if until.IsZero() || until.After(now) {
		return until
	}
	for _, other := range d.works {
		for _, r := range other.rows {
			if c := d.feeding[r.key]; c.w == w && d.doubted(r, c) && !r.state.Terminal() && !r.over {
				return now.Add(time.Second)
			}
		}
	}
	return until
}

// claim says until when a feed of a batch may set, or show, an offer's price.
type claim struct {
	until time.Time
	w     *work
}

// doubted reports whether a row was accepted while a feed of another batch could
// still set its offer's price.
func (d *driver) doubted(r *row, c claim) bool {
	return c.w != nil && c.w != r.w && c.until.After(r.sentAt)
}

// believable returns the rows whose price nothing can write over any more. What
// a reading shows of the others proves nothing yet: they wait until the feed is
// over that may set their price, and are then as if accepted at that time.
func (d *driver) believable(rows []*row, now time.Time) []*row {
	return slices.DeleteFunc(rows, func(r *row) bool {
		c := d.feeding[r.key]
		if !d.doubted(r, c) {
			return false
		}
		r.met = true
		if !c.until.After(now) {
			return false
		}
		r.first = now
		d.await(r, earlier(c.until, now.Add(rarestPoll)))
		return true
	})
}
