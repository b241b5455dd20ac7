package lane

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// How long Amazon takes from accepting a price to showing it is documented
// nowhere, so it is measured: per tenant and marketplace (figures of several
// sellers are not mixed), as a histogram whose buckets grow by half each.

const (
	visibilityPK    = "visibility"
	delayBuckets    = 24
	firstBucket     = 500 * time.Millisecond
	enoughToBelieve = 100 // measurements before a tail quantile is believed
)

// delays counts measurements per bucket.
type delays [delayBuckets]int64

// bound is the upper end of a bucket: 0.5 s, 0.75 s, 1.1 s ... about 94 minutes.
func bound(bucket int) time.Duration {
	d := firstBucket
	for range bucket {
		d += d / 2
	}
	return d
}

func (d *delays) add(took time.Duration) {
	i := 0
	for i < delayBuckets-1 && took > bound(i) {
		i++
	}
	d[i]++
}

func (d delays) count() (n int64) {
	for _, k := range d {
		n += k
	}
	return n
}

// quantile is a time within which the given share of measurements, in percent,
// lay; 0 when there are none.
func (d delays) quantile(percent int64) time.Duration {
	total := d.count()
	if total == 0 {
		return 0
	}
	var sum int64
	for i, n := range d {
		if sum += n; sum*100 >= total*percent {
			return bound(i)
		}
	}
	return bound(delayBuckets - 1)
}

func visibilityKey(m price.MarketplaceID) store.Key {
	return store.Key{PK: visibilityPK, SK: string(m)}
}

// Visibility is how long prices of a marketplace took to show so far.
type Visibility struct {
	Marketplace price.MarketplaceID
	Measured    int64
	Median, P99 time.Duration
}

// Visible is how long the slowest of the tenant's marketplaces takes to show 99 of
// 100 prices: as measured, else as expected.
func Visible(ctx context.Context, db store.DB, t tenant.ID, expected time.Duration) (time.Duration, error) {
	measured, err := Visibilities(ctx, db, t)
	if err != nil {
		return 0, err
	}
	var most time.Duration
	for _, v := range measured {
		if v.Measured >= enoughToBelieve {
			most = max(most, v.P99)
		}
	}
	if most == 0 {
		most = expected
	}
	return most, nil
}

// Visibilities returns what was measured for the tenant, one per marketplace.
func Visibilities(ctx context.Context, db store.DB, t tenant.ID) ([]Visibility, error) {
	all, err := loadDelays(ctx, db, t)
	if err != nil {
		return nil, err
	}
	var out []Visibility
	for _, m := range price.Marketplaces() {
		if d := all[m.ID]; d.count() > 0 {
			out = append(out, Visibility{Marketplace: m.ID, Measured: d.count(), Median: d.quantile(50), P99: d.quantile(99)})
		}
	}
	return out, nil
}

func loadDelays(ctx context.Context, db store.DB, t tenant.ID) (map[price.MarketplaceID]delays, error) {
	page, err := db.Query(ctx, t, store.Offers, store.Query{PK: visibilityPK})
	if err != nil {
		return nil, fmt.Errorf("lane: read visibility: %w", err)
	}
	out := map[price.MarketplaceID]delays{}
	for _, it := range page.Items {
		var d delays
		for name, v := range it.Attrs {
			if i, err := strconv.Atoi(strings.TrimPrefix(name, "b")); err == nil && i >= 0 && i < delayBuckets {
				d[i], _ = v.(int64)
			}
		}
		out[price.MarketplaceID(it.SK)] = d
	}
	return out, nil
}

// saveDelays adds measurements to those that are kept. Losing some in a crash
// does no harm, so they are written once, when the lane is left.
func saveDelays(ctx context.Context, db store.DB, t tenant.ID, m price.MarketplaceID, d delays) error {
	add := map[string]int64{}
	for i, n := range d {
		if n > 0 {
			add["b"+strconv.Itoa(i)] = n
		}
	}
	if len(add) == 0 {
		return nil
	}
	_, err := db.Update(ctx, t, store.Offers, visibilityKey(m), store.Update{Add: add})
	if err != nil {
		return fmt.Errorf("lane: save visibility: %w", err)
	}
	return nil
}

// unknownFor is how long a price without an answer is looked for before it is
// sent once more: the marketplace's own p99, and never less than configured.
func (d *driver) unknownFor(m price.MarketplaceID) time.Duration {
	known := d.delays[m]
	if known.count() < enoughToBelieve {
		return d.cfg.UnknownFor
	}
	return max(d.cfg.UnknownFor, known.quantile(99))
}

// took notes how long a price took to show.
func (d *driver) took(m price.MarketplaceID, t time.Duration) {
	fresh := d.measured[m]
	fresh.add(t)
	d.measured[m] = fresh
}
