package lane

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAFeedThatAmazonSaysIsOverIsAskedAboutAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		m.takes = 20 * time.Minute
		skus := w.stock(300)
		w.apply("bat_a", "19.00", skus...)
		w.run(20*time.Minute + 10*time.Second)
		if s := m.status(0); !s.Final() {
			t.Fatalf("the feed is %s", s)
		}
		w.wantOneFeed("bat_a", "running")                            // by itself the lane looks minutes later
		for _, id := range []string{"feed-99", "feed-1", "feed-1"} { // one of somebody else, and notices come at least once
			if err := w.engine.Bell.FeedEnded(t.Context(), seller, conn, id); err != nil {
				t.Fatal(err)
			}
		}
		w.run(30 * time.Second)
		w.wantOneFeed("bat_a", "settled")
		w.wantCounts("bat_a", Counts{Observed: 300})
		if n, err := w.engine.Bell.Sweep(t.Context()); err != nil || n != 0 {
			t.Errorf("the lane is left open: %d rung, %v", n, err)
		}
	})
}
