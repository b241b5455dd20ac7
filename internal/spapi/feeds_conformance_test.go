package spapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/spapi"
	"pricemanager/test/fakeamazon"
)

func (w *world) feeds() amazon.Feeds { return spapi.NewFeeds(w.client) }

// finish waits until the feed has ended and returns its report's document.
func (w *world) finish(t *testing.T, id string, want amazon.FeedStatus) string {
	t.Helper()
	w.clock.Advance(10 * time.Minute)
	s, doc, err := w.feeds().Status(t.Context(), w.account, id)
	if err != nil || s != want || !s.Final() {
		t.Fatalf("feed %s: %s, %v, want %s", id, s, err, want)
	}
	return doc
}

func (w *world) outcomes(t *testing.T, r amazon.FeedReport) []amazon.FeedOutcome {
	t.Helper()
	var out []amazon.FeedOutcome
	if err := w.feeds().Result(t.Context(), w.account, r, func(o amazon.FeedOutcome) error { out = append(out, o); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func ours(sku price.SKU, minor int64) amazon.Patch {
	return amazon.Patch{Marketplace: germany, SKU: sku, Edit: price.Edit{Set: price.Prices{Our: euro(minor)}}}
}

func TestAFeedSetsWhatPatchesWouldSet(t *testing.T) {
	t.Parallel()
	skus := []price.SKU{"PLAIN", oddSKU, commaSKU, "..", " ", `"quoted"\`, "<&>", "価格"}
	var listings []fakeamazon.Listing
	for _, sku := range skus {
		listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: sku, Price: "20.00", Min: "2.00", B2B: "19.00"})
	}
	w := newWorld(t, append(listings, fakeamazon.Listing{Marketplace: france, SKU: "FR", Price: "1.00"})...)
	start := time.Date(2026, 12, 1, 8, 30, 0, 0, time.UTC)
	set := price.Prices{
		Our: euro(1990), Max: euro(99999999), Sale: &price.Sale{Price: *euro(1799), Start: start, End: start.AddDate(0, 0, 7)},
		B2B: euro(1810), Tiers: []price.Tier{{Quantity: 10, Price: *euro(1750)}},
	}
	var patches []amazon.Patch
	for _, sku := range skus {
		patches = append(patches, amazon.Patch{Marketplace: germany, SKU: sku, Edit: price.Edit{Set: set, Clear: []price.Field{price.FieldMin}}})
	}
	patches = append(patches, amazon.Patch{Marketplace: france, SKU: "FR", Edit: price.Edit{Set: price.Prices{Our: euro(123)}}})
	id, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany, france}, patches)
	if err != nil {
		t.Fatal(err)
	}
	if s, doc, err := w.feeds().Status(t.Context(), w.account, id); err != nil || s != amazon.FeedInQueue || doc != "" || s.Final() {
		t.Errorf("at first %s, %q, %v", s, doc, err)
	}
	doc := w.finish(t, id, amazon.FeedDone)
	for i, o := range w.outcomes(t, amazon.FeedReport{Feed: id, Document: doc, Messages: len(patches)}) {
		if o.Index != i || o.Status != amazon.Accepted || len(o.Issues) != 0 {
			t.Errorf("outcome %+v", o)
		}
	}
	for _, sku := range skus {
		w.shows(t, sku, set)
	}
	if l, _ := w.fake.Listing(price.EU, seller, france, "FR"); l.Price != "1.23" {
		t.Errorf("France costs %s", l.Price)
	}
	w.obeys(t)
}

func TestEachPatchOfAFeedLearnsItsOwnOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t,
		fakeamazon.Listing{Marketplace: germany, SKU: "A", Price: "20.00", Min: "15.00"},
		fakeamazon.Listing{Marketplace: germany, SKU: "B", Price: "20.00"})
	id, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, []amazon.Patch{ours("B", 100), ours("A", 1400), ours("UNKNOWN", 5)})
	if err != nil {
		t.Fatal(err)
	}
	report := amazon.FeedReport{Feed: id, Document: w.finish(t, id, amazon.FeedDone), Messages: 3}
	got := w.outcomes(t, report)
	if len(got) != 3 || got[0].Status != amazon.Accepted || got[1].Status != amazon.Invalid || got[2].Status != amazon.Accepted ||
		got[1].Issues[0].Severity != "ERROR" || got[1].Issues[0].Code == "" || got[1].Issues[0].Message == "" {
		t.Errorf("outcomes %+v", got)
	}
	if w.listed(t, "A") != "20.00" || w.listed(t, "B") != "1.00" {
		t.Errorf("A costs %s, B %s", w.listed(t, "A"), w.listed(t, "B"))
	}
	// A report that does not account for every patch proves nothing about those
	// it does not name.
	report.Messages = 4
	if got := w.outcomes(t, report); got[0].Status != amazon.Unsaid || got[1].Status != amazon.Invalid || got[3].Status != amazon.Unsaid {
		t.Errorf("outcomes of a report about fewer patches: %+v", got)
	}
	stop := errors.New("stop")
	n := 0
	if err := w.feeds().Result(t.Context(), w.account, report, func(amazon.FeedOutcome) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("stopped after %d with %v", n, err)
	}
	report.Feed = "another"
	if err := w.feeds().Result(t.Context(), w.account, report, func(amazon.FeedOutcome) error { n++; return nil }); amazon.Classify(err) != amazon.Retry || n != 1 {
		t.Errorf("the report of another feed: %v", err)
	}
	w.obeys(t)
}

func (w *world) listed(t *testing.T, sku price.SKU) string {
	t.Helper()
	l, ok := w.fake.Listing(price.EU, seller, germany, sku)
	if !ok {
		t.Fatalf("no listing %s", sku)
	}
	return l.Price
}

func TestALostAnswerLeavesAFeedUnknownOnlyIfThereMayBeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	for i, c := range []struct {
		ft   fakeamazon.Fault
		want amazon.Outcome
	}{
		{fakeamazon.Fault{Kind: fakeamazon.CutAfter, Op: "createFeedDocument"}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createFeedDocument", Status: 500}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createFeedDocument", Status: 408}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createFeedDocument", Status: 403}, amazon.Reauthorise},
		{fakeamazon.Fault{Kind: fakeamazon.CutAfter, Op: "uploadFeedDocument"}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.CutBefore, Op: "uploadFeedDocument"}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "uploadFeedDocument", Status: 403}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "uploadFeedDocument", Status: 503}, amazon.Retry},
		{fakeamazon.Fault{Kind: fakeamazon.CutAfter, Op: "createFeed"}, amazon.Unknown},
		{fakeamazon.Fault{Kind: fakeamazon.CutBefore, Op: "createFeed"}, amazon.Unknown}, // the client cannot know the difference
		{fakeamazon.Fault{Kind: fakeamazon.AnswerAfter, Op: "createFeed", Status: 500}, amazon.Unknown},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createFeed", Status: 429}, amazon.RetryAfter},
		{fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createFeed", Status: 400}, amazon.Permanent},
	} {
		c.ft.Times = 1
		if _, err := w.fake.AddFault(c.ft); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(2 * time.Minute) // createFeed is allowed again
		id, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, []amazon.Patch{ours("S", int64(i+1))})
		if amazon.Classify(err) != c.want || id != "" {
			t.Errorf("%s of %s: %s, %v", c.ft.Kind, c.ft.Op, amazon.Classify(err), err)
		}
		if strings.Contains(fmt.Sprint(err), "X-Amz") {
			t.Errorf("the error shows the signed address: %v", err)
		}
	}
	w.obeys(t)
}

func TestASixthFeedIsThrottledAndCancellingTooLateSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	submit := func(minor int64) (string, error) {
		return w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, []amazon.Patch{ours("S", minor)})
	}
	var ids []string
	for i := range int64(5) {
		id, err := submit(100 + i)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if _, err := submit(200); amazon.Classify(err) != amazon.RetryAfter {
		t.Errorf("the sixth: %v", err)
	}
	for _, id := range ids[1:] {
		if err := w.feeds().Cancel(t.Context(), w.account, id); err != nil {
			t.Error(err)
		}
		w.finishCancelled(t, id)
	}
	w.finish(t, ids[0], amazon.FeedDone)
	if err := w.feeds().Cancel(t.Context(), w.account, ids[0]); amazon.Classify(err) != amazon.Permanent {
		t.Errorf("cancelling what is done: %v", err)
	}
	if got := w.listed(t, "S"); got != "1.00" {
		t.Errorf("S costs %s", got)
	}
	if _, _, err := w.feeds().Status(t.Context(), w.account, "1"); amazon.Classify(err) != amazon.Permanent {
		t.Errorf("an unknown feed: %v", err)
	}
}

func (w *world) finishCancelled(t *testing.T, id string) {
	t.Helper()
	if s, doc, err := w.feeds().Status(t.Context(), w.account, id); err != nil || s != amazon.FeedCancelled || doc != "" {
		t.Errorf("after cancelling: %s %q %v", s, doc, err)
	}
}

// The largest feed that Amazon takes goes through whole, and one patch more
// makes two.
func TestTwentyFiveThousandPatchesAreOneFeedAndOneMoreIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S-24999/ü", Price: "1.00"})
	patches := make([]amazon.Patch, amazon.MaxFeedMessages+1)
	for i := range patches {
		patches[i] = ours(price.SKU(fmt.Sprintf("S-%d/ü", i)), int64(i+1))
	}
	if _, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, patches); amazon.Classify(err) != amazon.Permanent {
		t.Errorf("one too many: %v", err)
	}
	parts := [][]amazon.Patch{patches[:amazon.MaxFeedMessages], patches[amazon.MaxFeedMessages:]}
	// The fake judges every message of a feed: on a busy machine that takes longer
	// than a call may by itself.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var ids []string
	for _, part := range parts {
		id, err := w.feeds().Submit(ctx, w.account, []price.MarketplaceID{germany}, part)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	w.clock.Advance(20 * time.Minute)
	for i, id := range ids {
		_, doc, err := w.feeds().Status(t.Context(), w.account, id)
		if err != nil {
			t.Fatal(err)
		}
		got := w.outcomes(t, amazon.FeedReport{Feed: id, Document: doc, Messages: len(parts[i])})
		accepted := 0
		for _, o := range got {
			if o.Status == amazon.Accepted {
				accepted++
			}
		}
		if accepted != len(parts[i]) {
			t.Errorf("feed %d: %d of %d accepted", i, accepted, len(parts[i]))
		}
	}
	if got := w.listed(t, "S-24999/ü"); got != "250.00" {
		t.Errorf("the last one of the first feed costs %s", got)
	}
	w.obeys(t)
}

func TestNotificationsAreSetUpOnceAndFoundAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := spapi.NewNotifications(w.client, w)
	bus := amazon.Destination{EventBridgeAccount: "123456789012", EventBridgeRegion: "eu-central-1"}
	var destinations, subscriptions []string
	for range 2 {
		d, err := n.CreateDestination(t.Context(), price.EU, "price-manager", bus)
		if err != nil {
			t.Fatal(err)
		}
		destinations = append(destinations, d)
		for _, kind := range []amazon.NotificationType{amazon.ListingStatusChange, amazon.ListingIssuesChange} {
			s, err := n.Subscribe(t.Context(), w.account, kind, d)
			if err != nil {
				t.Fatal(err)
			}
			subscriptions = append(subscriptions, s)
		}
	}
	if destinations[0] != destinations[1] || !cmp.Equal(subscriptions[:2], subscriptions[2:]) || subscriptions[0] == subscriptions[1] {
		t.Errorf("destinations %v, subscriptions %v", destinations, subscriptions)
	}
	queue, err := n.CreateDestination(t.Context(), price.EU, "queue", amazon.Destination{QueueARN: "arn:aws:sqs:eu-central-1:123456789012:q"})
	if err != nil || queue == destinations[0] {
		t.Fatalf("%s, %v", queue, err)
	}
	second, err := n.CreateDestination(t.Context(), price.EU, "other", amazon.Destination{EventBridgeAccount: "210987654321", EventBridgeRegion: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Second)
	var e *amazon.Error
	if _, err := n.Subscribe(t.Context(), w.account, amazon.ListingStatusChange, second); !errors.As(err, &e) || e.Status != 409 {
		t.Errorf("subscribed to two destinations: %v", err)
	}
	if _, err := n.Subscribe(t.Context(), w.account, amazon.ListingIssuesChange, ""); amazon.Classify(err) != amazon.Permanent {
		t.Errorf("to nowhere: %v", err)
	}
	for _, bad := range []amazon.Destination{{}, {EventBridgeAccount: "1"}, {EventBridgeAccount: "1", EventBridgeRegion: "r", QueueARN: "q"}} {
		if _, err := n.CreateDestination(t.Context(), price.EU, "x", bad); amazon.Classify(err) != amazon.Permanent {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	w.obeys(t)
}

func TestAFeedThatEndsBadlyIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	var listings []fakeamazon.Listing
	var patches []amazon.Patch
	for i := range 6 {
		sku := price.SKU(fmt.Sprintf("S%d", i))
		listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: sku, Price: "20.00"})
		patches = append(patches, ours(sku, 100))
	}
	run := func(kind fakeamazon.FaultKind, want amazon.FeedStatus) (*world, amazon.FeedReport, int) {
		w := newWorld(t, listings...)
		if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		id, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, patches)
		if err != nil {
			t.Fatal(err)
		}
		report := amazon.FeedReport{Feed: id, Document: w.finish(t, id, want), Messages: len(patches)}
		changed := 0
		for _, p := range patches {
			if w.listed(t, p.SKU) == "1.00" {
				changed++
			}
		}
		w.obeys(t)
		return w, report, changed
	}
	w, report, changed := run(fakeamazon.FeedPartly, amazon.FeedDone)
	accepted := 0
	for _, o := range w.outcomes(t, report) {
		if o.Status == amazon.Accepted {
			accepted++
		}
		if (o.Status == amazon.Accepted) != (w.listed(t, patches[o.Index].SKU) == "1.00") {
			t.Errorf("patch %d is %s and costs %s", o.Index, o.Status, w.listed(t, patches[o.Index].SKU))
		}
	}
	if accepted != 4 || changed != 4 {
		t.Errorf("%d accepted, %d changed", accepted, changed)
	}
	w, report, changed = run(fakeamazon.FeedFatal, amazon.FeedFatal)
	if changed != 3 || report.Document != "" {
		t.Errorf("fatal: %d changed, report %q", changed, report.Document)
	}
	err := w.feeds().Result(t.Context(), w.account, report, func(amazon.FeedOutcome) error { t.Error("an outcome without a report"); return nil })
	if amazon.Classify(err) != amazon.Permanent {
		t.Errorf("no report: %v", err)
	}
}
