package spapi_test

import (
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func (w *world) recent(t *testing.T, since, until time.Time) []amazon.FeedInfo {
	t.Helper()
	list, err := w.feeds().Recent(t.Context(), w.account, since, until)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAFeedWhoseAnswerWasLostIsFoundAmongTheRecentOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	minor := int64(100)
	submit := func() (string, error) {
		minor++
		return w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, []amazon.Patch{ours("S", minor)})
	}
	known, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	since := w.clock.Now()
	for _, kind := range []fakeamazon.FaultKind{fakeamazon.CutBefore, fakeamazon.CutAfter} {
		if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: kind, Op: "createFeed", Times: 1}); err != nil {
			t.Fatal(err)
		}
		if id, err := submit(); amazon.Classify(err) != amazon.Unknown || id != "" {
			t.Fatalf("%s: %q, %v", kind, id, err)
		}
	}
	until := w.clock.Now()
	found := w.recent(t, since, until)
	if len(found) != 1 || found[0].ID == known || found[0].Status != amazon.FeedInQueue || found[0].Document != "" || !found[0].Created.Equal(since) {
		t.Fatalf("found %+v", found)
	}
	doc := w.finish(t, found[0].ID, amazon.FeedDone)
	if got := w.recent(t, since, until); len(got) != 1 || got[0].Status != amazon.FeedDone || got[0].Document != doc || doc == "" {
		t.Errorf("at its end: %+v", got)
	}
	w.obeys(t)
}

// A window's ends belong to it, and so does the rest of the second of its end.
func TestRecentFeedsAreThoseOfTheWindowWithBothItsEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	w.clock.Advance(300 * time.Millisecond)
	begin := w.clock.Now()
	var ids []string
	for i := range int64(4) {
		id, err := w.feeds().Submit(t.Context(), w.account, []price.MarketplaceID{germany}, []amazon.Patch{ours("S", 100+i)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		w.clock.Advance(2 * time.Minute)
	}
	for name, c := range map[string]struct {
		from, to time.Duration
		want     []string
	}{
		"all, until now":       {0, 8 * time.Minute, ids},
		"all, into the future": {0, time.Hour, ids},
		"the first alone":      {0, 0, ids[:1]},
		"those in the middle":  {2 * time.Minute, 4 * time.Minute, ids[1:3]},
		"between two":          {time.Minute, 119 * time.Second, nil},
	} {
		got := w.recent(t, begin.Add(c.from), begin.Add(c.to))
		ok := len(got) == len(c.want)
		for i := range min(len(got), len(c.want)) {
			ok = ok && got[i].ID == c.want[i] && !got[i].Created.IsZero()
		}
		if !ok {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
	}
	w.obeys(t)
}

func TestRecentFeedsHaveTheBudgetThatAmazonGivesThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	for range 10 {
		w.recent(t, now.Add(-time.Hour), now)
	}
	if _, err := w.feeds().Recent(t.Context(), w.account, now.Add(-time.Hour), now); amazon.Classify(err) != amazon.RetryAfter {
		t.Errorf("the eleventh: %v", err)
	}
	w.clock.Advance(46 * time.Second)
	w.recent(t, now.Add(-time.Hour), now)
}
