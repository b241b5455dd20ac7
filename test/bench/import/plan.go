package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// planPart makes the whole plan, as the function price-plan does: the upload is
// spooled, read, compared with a million known offers, judged, encoded, hashed
// and put. Only what the network would do is left out.
var planPart = part{key: "planRowsPerSecond", input: csvInput, prepare: seed, run: planCSV}

const (
	seeded  = 1_000_000
	seller  = tenant.ID("t_bench0001")
	conn    = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	germany = price.MarketplaceID("A1PA6795UKMFR9")
	planID  = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	upload  = "uploads/upl_aaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// catalogue is what is known: the SKUs of a million offers, one after the other.
// They are numbered, and a SKU is compared with the one that has its number: what
// finding an offer costs is the network's in truth, and is none of the plan's.
type catalogue struct {
	skus  []byte // of equal length
	width int
	read  time.Time
}

var known *catalogue

func seed() error {
	known = &catalogue{width: len(sku(0)), read: time.Now()}
	for i := range seeded {
		s := sku(i)
		if len(s) != known.width {
			return fmt.Errorf("SKU %q is not of %d bytes", s, known.width)
		}
		known.skus = append(known.skus, s...)
	}
	return nil
}

// find returns the number of a known SKU.
func (c *catalogue) find(s price.SKU) (row int, ok bool) {
	if len(s) != c.width {
		return 0, false
	}
	for _, digit := range []byte(s[len("ACME-"):][:7]) {
		row = row*10 + int(digit-'0')
	}
	return row, row < seeded && string(c.skus[row*c.width:][:c.width]) == string(s)
}

var _ plan.Finder = (*catalogue)(nil)

// Offers is never asked: plans use Each.
func (c *catalogue) Offers(context.Context, tenant.ID, []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	return nil, errors.New("the plan asked for a map")
}

// Each gives each offer a price five per cent above the file's.
func (c *catalogue) Each(_ context.Context, _ tenant.ID, keys []price.OfferKey, found func(int, *price.Offer)) error {
	quantity := int64(3)
	o := price.Offer{Quantity: &quantity, ReadAt: c.read, Version: 7}
	olds := make([]price.Money, len(keys))
	for i := range keys {
		row, ok := c.find(keys[i].SKU)
		if !ok {
			continue
		}
		cents := 10_000 + int64(row)*7%890_000
		olds[i] = price.FromMinor(cents+cents/20, "EUR")
		o.Key, o.Known.Our = keys[i], &olds[i]
		found(i, &o)
	}
	return nil
}

// bucket has the upload, and keeps nothing of the plan but its job's own files.
type bucket struct {
	*memory.Blobs
	file content
}

func (b bucket) Read(context.Context, tenant.ID, store.Bucket, string) (io.ReadCloser, int64, error) {
	return io.NopCloser(io.NewSectionReader(b.file, 0, b.file.size)), b.file.size, nil
}

func (b bucket) Put(ctx context.Context, t tenant.ID, k store.Bucket, name, typ string, body []byte) error {
	if strings.HasSuffix(name, ".jsonl") {
		return nil
	}
	return b.Blobs.Put(ctx, t, k, name, typ, body)
}

func planCSV(c content) (int, error) {
	ctx, clk := context.Background(), clock.Real{}
	m := plan.Maker{Offers: known, Store: &plan.Store{DB: memory.New(clk), Blobs: bucket{memory.NewBlobs(clk), c}, Clock: clk},
		Guards: func(_ context.Context, in *plan.Input) error {
			in.Guards, in.Breaker = price.DefaultGuards(), guard.Default().Breaker
			return nil
		}}
	in := plan.Input{ID: planID, Tenant: seller, Actor: "bench", File: "prices.csv", Policy: plan.SkipBadRows, Now: clk.Now(),
		Connections: map[price.MarketplaceID]price.ConnectionID{germany: conn}}
	if err := m.Guards(ctx, &in); err != nil {
		return 0, err
	}
	if _, err := m.Begin(ctx, in, upload); err != nil {
		return 0, err
	}
	if done, err := m.Run(ctx, seller, planID, clk.Now().Add(time.Hour)); err != nil || !done {
		return 0, fmt.Errorf("done: %t, %w", done, err)
	}
	p, err := m.Load(ctx, seller, planID)
	if err != nil {
		return 0, err
	}
	if p.State != plan.Ready || p.Summary.Planned != p.Summary.Rows {
		return 0, fmt.Errorf("the plan is %s: %+v %+v", p.State, p.Summary, p.Problem)
	}
	return int(p.Summary.Rows), nil
}
