package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/spapi"
	"pricemanager/test/fakeamazon"
)

// call makes our client call one operation. What it takes to get there goes
// well; the error is that of the operation itself.
type call struct {
	op string
	do func(ctx context.Context) error
}

// next is a price that was not sent before: a price that takes effect twice is
// something that the fake objects to.
func (w *world) next() *price.Money {
	w.n++
	m := price.FromMinor(123456700+w.n, "EUR")
	return &m
}

func (w *world) patch(sku price.SKU) amazon.Patch {
	start := w.clock.Now().Add(time.Hour).Truncate(time.Second)
	return amazon.Patch{Marketplace: market, SKU: sku, Edit: price.Edit{
		Set: price.Prices{Our: w.next(), B2B: w.next(), Sale: &price.Sale{Price: *w.next(), Start: start, End: start.AddDate(0, 0, 7)},
			Tiers: []price.Tier{{Quantity: 10, Price: price.FromMinor(10, "EUR")}}},
		Clear: []price.Field{price.FieldMin, price.FieldMax},
	}}
}

func (w *world) submit(ctx context.Context, patches ...amazon.Patch) (string, error) {
	w.clock.Advance(2 * time.Minute) // five feeds in five minutes
	return spapi.NewFeeds(w.client).Submit(ctx, w.account, []price.MarketplaceID{market}, patches)
}

// prepare makes the report and the feed that calls ask about, and returns one
// call for each operation. Their order matters: a conflict needs what is there.
func (w *world) prepare(ctx context.Context) ([]call, error) {
	feeds, notes := spapi.NewFeeds(w.client), spapi.NewNotifications(w.client, w)
	report, err := w.client.CreateReport(ctx, w.account, amazon.ListingsReport, market)
	if err != nil {
		return nil, err
	}
	feed, err := w.submit(ctx, w.patch("PLAIN"), w.patch("価格"))
	if err != nil {
		return nil, err
	}
	w.clock.Advance(time.Hour)
	_, document, err := w.client.Report(ctx, w.account, report)
	if err != nil {
		return nil, err
	}
	_, result, err := feeds.Status(ctx, w.account, feed)
	if err != nil {
		return nil, err
	}
	bus := func(account string) (string, error) {
		return notes.CreateDestination(ctx, price.EU, "bus", amazon.Destination{EventBridgeAccount: account, EventBridgeRegion: "eu-central-1"})
	}
	destination, err := bus(account)
	if err != nil {
		return nil, err
	}
	subscribe := func(ctx context.Context) error {
		_, err := notes.Subscribe(ctx, w.account, amazon.ListingStatusChange, destination)
		return err
	}
	participations := func(ctx context.Context) error {
		access, err := w.Access(ctx, w.account)
		if err != nil {
			return err
		}
		_, err = w.client.Marketplaces(ctx, access, price.EU)
		return err
	}
	rotate := func(ctx context.Context) error {
		token, err := w.Grantless(ctx, amazon.ScopeRotation)
		if err != nil {
			return err
		}
		return w.client.RotateClientSecret(ctx, token, price.EU)
	}
	return []call{
		{"patchListingsItem", func(ctx context.Context) error {
			_, err := w.client.Patch(ctx, w.account, w.patch("PLAIN"))
			return err
		}},
		{"getListingsItem", func(ctx context.Context) error {
			_, _, err := w.client.Get(ctx, w.account, market, "PLAIN")
			return err
		}},
		{"searchListingsItems", func(ctx context.Context) error {
			_, _, err := w.client.Search(ctx, w.account, market, []price.SKU{"PLAIN", "価格"})
			return err
		}},
		{"createReport", func(ctx context.Context) error {
			_, err := w.client.CreateReport(ctx, w.account, amazon.ListingsReport, market)
			return err
		}},
		{"getReport", func(ctx context.Context) error {
			_, _, err := w.client.Report(ctx, w.account, report)
			return err
		}},
		{"getReportDocument", func(ctx context.Context) error {
			body, err := w.client.Document(ctx, w.account, document)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, body)
			return errors.Join(err, body.Close())
		}},
		{"getMarketplaceParticipations", participations},
		{"createFeedDocument", func(ctx context.Context) error { _, err := w.submit(ctx, w.patch("a/b")); return err }},
		{"createFeed", func(ctx context.Context) error { _, err := w.submit(ctx, w.patch("a/b")); return err }},
		{"getFeeds", func(ctx context.Context) error {
			_, err := feeds.Recent(ctx, w.account, w.clock.Now().Add(-24*time.Hour), w.clock.Now())
			return err
		}},
		{"getFeed", func(ctx context.Context) error { _, _, err := feeds.Status(ctx, w.account, feed); return err }},
		{"cancelFeed", func(ctx context.Context) error {
			id, err := w.submit(ctx, w.patch("c+d"))
			if err != nil {
				return err
			}
			return feeds.Cancel(ctx, w.account, id)
		}},
		{"getFeedDocument", func(ctx context.Context) error {
			return feeds.Result(ctx, w.account, amazon.FeedReport{Feed: feed, Document: result, Messages: 2},
				func(amazon.FeedOutcome) error { return nil })
		}},
		{"createDestination", func(context.Context) error {
			w.n++
			_, err := bus(fmt.Sprintf("%012d", w.n))
			return err
		}},
		{"getDestinations", func(context.Context) error { _, err := bus(account); return err }},
		{"createSubscription", subscribe},
		{"getSubscription", subscribe},
		{"rotateApplicationClientSecret", rotate},
	}, nil
}

// succeed makes every call once.
func (w *world) succeed(ctx context.Context, calls []call) error {
	for _, c := range calls {
		w.clock.Advance(time.Second)
		if err := c.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.op, err)
		}
	}
	return nil
}

// oddSKUs writes and reads every SKU, single and in a search, and compares what
// comes back.
func (w *world) oddSKUs(ctx context.Context) error {
	for i, sku := range skus {
		ours := []string{"0.10", "1234567.89", "0.01", "9999999.99"}[i%4]
		want, err := price.ParseMoney(ours, "EUR")
		if err != nil {
			return err
		}
		if _, err := w.client.Patch(ctx, w.account, amazon.Patch{Marketplace: market, SKU: sku, Edit: price.Edit{Set: price.Prices{Our: &want}}}); err != nil {
			return fmt.Errorf("%q: %w", sku, err)
		}
		w.clock.Advance(time.Minute)
		got, _, err := w.client.Get(ctx, w.account, market, sku)
		if err == nil && (got.SKU != sku || got.Prices.Our == nil || *got.Prices.Our != want) {
			err = fmt.Errorf("read back %q at %v, want %s", got.SKU, got.Prices.Our, want)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", sku, err)
		}
		if sku == "x,y" {
			continue // cannot be searched
		}
		found, _, err := w.client.Search(ctx, w.account, market, []price.SKU{sku, "PLAIN"})
		if err != nil || !slices.ContainsFunc(found, func(l amazon.Listing) bool { return l.SKU == sku }) {
			return fmt.Errorf("search for %q finds %d, %w", sku, len(found), err)
		}
	}
	return nil
}

// together writes one SKU in two marketplaces with one request.
func (w *world) together(ctx context.Context) error {
	edit := func() price.Edit { return price.Edit{Set: price.Prices{Our: w.next()}} }
	both := amazon.Patch{Marketplace: market, SKU: "価格", Edit: edit(), Also: []amazon.MarketEdit{{Marketplace: france, Edit: edit()}}}
	if got, err := w.client.Patch(ctx, w.account, both); err != nil || got.Status != amazon.Accepted {
		return fmt.Errorf("two marketplaces: %+v, %w", got, err)
	}
	w.clock.Advance(time.Minute)
	for m, e := range map[price.MarketplaceID]price.Edit{market: both.Edit, france: both.Also[0].Edit} {
		got, _, err := w.client.Get(ctx, w.account, m, both.SKU)
		if met, _ := e.Met(got.Prices); err != nil || !met {
			return fmt.Errorf("two marketplaces: %s shows %v, want %v, %w", m, got.Prices.Our, e.Set.Our, err)
		}
	}
	return nil
}

// refusals lets every operation be refused, with every status that the models
// declare for it and in the ways that Amazon has for prices.
func (w *world) refusals(ctx context.Context, calls []call) error {
	for _, c := range calls {
		op, ok := w.judge.spec.Operation(c.op)
		if !ok {
			return fmt.Errorf("the contract has no %s", c.op)
		}
		for status := 400; status < 600; status++ {
			if !op.Declares(status) {
				continue
			}
			id, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: c.op, Status: status, Times: 1})
			if err != nil {
				return err
			}
			w.clock.Advance(time.Second)
			err = c.do(ctx)
			w.fake.RemoveFault(id)
			// After a conflict the client looks up what is there.
			if err == nil && status == http.StatusConflict {
				continue
			}
			var e *amazon.Error
			if !errors.As(err, &e) || e.Status != status || (e.Op != c.op && status != http.StatusConflict) {
				return fmt.Errorf("%s refused with %d: the client says %w", c.op, status, err)
			}
		}
	}
	return w.ownRefusals(ctx)
}

// ownRefusals are refusals that the fake makes by itself.
func (w *world) ownRefusals(ctx context.Context) error {
	below := price.FromMinor(100, "EUR")
	got, err := w.client.Patch(ctx, w.account, amazon.Patch{Marketplace: market, SKU: "BOUND", Edit: price.Edit{Set: price.Prices{Our: &below}}})
	if err != nil || got.Status != amazon.Invalid || len(got.Issues) == 0 {
		return fmt.Errorf("a price below the minimum: %+v, %w", got, err)
	}
	feeds := spapi.NewFeeds(w.client)
	for i, do := range []func() error{
		func() error { _, _, err := w.client.Get(ctx, w.account, market, "NONE/é"); return err },
		func() error { _, _, err := w.client.Report(ctx, w.account, "none/é"); return err },
		func() error { _, err := w.client.Document(ctx, w.account, "none"); return err },
		func() error { _, _, err := feeds.Status(ctx, w.account, "none"); return err },
	} {
		var e *amazon.Error
		if err := do(); !errors.As(err, &e) || e.Status != http.StatusNotFound {
			return errors.Join(errors.New("refusal "+strconv.Itoa(i)+": want 404"), err)
		}
	}
	return nil
}
