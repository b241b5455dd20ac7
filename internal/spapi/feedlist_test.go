package spapi

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/amazon"
)

// pages serves getFeeds: the first page without a token, the others by theirs.
func pages(t *testing.T, first string, rest map[string]string) (Feeds, *[]url.Values) {
	t.Helper()
	var asked []url.Values
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q)
		if r.Method != http.MethodGet || r.URL.Path != "/feeds/2021-06-30/feeds" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		if page, ok := rest[q.Get("nextToken")]; ok {
			fmt.Fprint(w, page)
			return
		}
		fmt.Fprint(w, first)
	})
	return NewFeeds(c), &asked
}

func feedAt(id, status, minute string) string {
	return fmt.Sprintf(`{"feedId":%q,"feedType":"JSON_LISTINGS_FEED","createdTime":"2026-11-22T08:%s:00Z","processingStatus":%q}`, id, minute, status)
}

var window = time.Date(2026, 11, 22, 8, 0, 0, 999_999_999, time.UTC)

func TestEveryPageOfRecentFeedsIsRead(t *testing.T) {
	t.Parallel()
	const other = `{"feedId":"x","feedType":"POST_INVENTORY","createdTime":"2026-11-22T08:30:00Z","processingStatus":"DONE"}`
	feeds, asked := pages(t, `{"feeds":[`+feedAt("c", "IN_QUEUE", "30")+`,`+other+`,`+feedAt("b", "IN_PROGRESS", "20")+`],"nextToken":"t/2"}`, map[string]string{
		// b has moved to the second page, and ended meanwhile.
		"t/2": `{"feeds":[` + feedAt("b", "DONE", "20") + `],"nextToken":"t3"}`,
		"t3":  `{"feeds":[` + feedAt("a", "FATAL", "10") + `]}`,
	})
	got, err := feeds.Recent(t.Context(), account, window, window.Add(30*time.Minute))
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 8, minute, 0, 0, time.UTC) }
	want := []amazon.FeedInfo{{ID: "a", Status: amazon.FeedFatal, Created: at(10)}, {ID: "b", Status: amazon.FeedDone, Created: at(20)}, {ID: "c", Status: amazon.FeedInQueue, Created: at(30)}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if d := cmp.Diff([]url.Values{
		{"feedTypes": {"JSON_LISTINGS_FEED"}, "pageSize": {"100"}, "createdSince": {"2026-11-22T08:00:00Z"}, "createdUntil": {"2026-11-22T08:30:01Z"}},
		{"nextToken": {"t/2"}}, {"nextToken": {"t3"}}, // a token goes alone
	}, *asked); d != "" {
		t.Error(d)
	}
}

// A list that may lack a feed would let its prices be written a second time.
func TestAListOfFeedsIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	good := feedAt("a", "DONE", "10")
	for name, page := range map[string]string{
		"no end":      `{"feeds":[` + good + `],"nextToken":"again"}`,
		"no id":       `{"feeds":[` + good + `,{"feedType":"JSON_LISTINGS_FEED","createdTime":"2026-11-22T08:30:00Z","processingStatus":"DONE"}]}`,
		"no state":    `{"feeds":[{"feedId":"a","feedType":"JSON_LISTINGS_FEED","createdTime":"2026-11-22T08:30:00Z"}]}`,
		"no time":     `{"feeds":[{"feedId":"a","feedType":"JSON_LISTINGS_FEED","processingStatus":"DONE"}]}`,
		"broken":      `{"feeds":[` + good,
		"not a list":  `{"feeds":{"a":1}}`,
		"second page": `{"feeds":[` + good + `],"nextToken":"missing"}`,
	} {
		feeds, asked := pages(t, page, map[string]string{"missing": "<html>"})
		got, err := feeds.Recent(t.Context(), account, window, window.Add(time.Minute))
		if amazon.Classify(err) != amazon.Retry || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if len(*asked) > maxFeedPages {
			t.Errorf("%s: %d pages", name, len(*asked))
		}
	}
	feeds, asked := pages(t, `{"feeds":[]}`, nil)
	for name, w := range map[string][2]time.Time{"no beginning": {{}, window}, "backwards": {window, window.Add(-1)}} {
		if _, err := feeds.Recent(t.Context(), account, w[0], w[1]); amazon.Classify(err) != amazon.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := feeds.Recent(t.Context(), account, window, window); err != nil || len(got) != 0 || len(*asked) != 1 {
		t.Errorf("an empty list: %v, %v", got, err)
	}
}
