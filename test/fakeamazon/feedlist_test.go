package fakeamazon_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// feedList asks for one page and returns the ids on it and the next token.
func (w *world) feedList(query string) (ids []string, next string) {
	w.t.Helper()
	got := w.call("GET", "/eu/feeds/2021-06-30/feeds?"+query, "")
	if got.Code != 200 {
		w.t.Fatalf("%s: %d %s", query, got.Code, got.Body)
	}
	page := got.json(w.t)
	for _, f := range page["feeds"].([]any) {
		ids = append(ids, f.(map[string]any)["feedId"].(string))
	}
	next, _ = page["nextToken"].(string)
	return ids, next
}

// rest waits until getFeeds has a budget again.
func (w *world) rest() { w.clock.Advance(8 * time.Minute); w.token = w.authorize(price.EU, alice) }

const listed = "feedTypes=JSON_LISTINGS_FEED"

func TestFeedsAreListedNewestFirstAndPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, w.submit(feedOf(message(1, "S1", fmt.Sprint(20+i)))))
		w.clock.Advance(time.Minute)
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	first, next := w.feedList(listed + "&pageSize=2")
	late := w.submit(feedOf(message(1, "S1", "25"))) // between two pages: it moves none
	second, more := w.feedList("nextToken=" + next)
	third, end := w.feedList("nextToken=" + more)
	if got := slices.Concat(first, second, third); !slices.Equal(got, newest) || len(second) != 2 || end != "" {
		t.Errorf("pages %v %v %v, want %v", first, second, third, newest)
	}
	if all, next := w.feedList(listed); !slices.Equal(all, append([]string{late}, newest...)) || next != "" {
		t.Errorf("all: %v", all)
	}
	if none, _ := w.feedList("feedTypes=POST_INVENTORY_AVAILABILITY_DATA"); len(none) != 0 {
		t.Errorf("of another type: %v", none)
	}
	w.rest()
	between := "&createdSince=" + start.Add(time.Minute).Format(time.RFC3339) + "&createdUntil=" + start.Add(3*time.Minute).Format(time.RFC3339)
	if got, _ := w.feedList(listed + between); !slices.Equal(got, []string{ids[3], ids[2], ids[1]}) {
		t.Errorf("of three minutes: %v", got)
	}
	if got := w.call("DELETE", "/eu/feeds/2021-06-30/feeds/"+late, ""); got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	if got, _ := w.feedList(listed + "&processingStatuses=CANCELLED,FATAL&marketplaceIds=" + string(fr)); !slices.Equal(got, []string{late}) {
		t.Errorf("those that were cancelled: %v", got)
	}
	if got, _ := w.feedList(listed + "&marketplaceIds=" + string(gb)); len(got) != 0 {
		t.Errorf("of Britain: %v", got)
	}
	w.clean()
	w.clock.Advance(28 * 24 * time.Hour)
	w.token = w.authorize(price.EU, alice)
	if got, _ := w.feedList(listed); len(got) != 0 {
		t.Errorf("after 28 days: %v", got)
	}
}

func TestAPageTokenGoesAloneAndOnlyForItsSeller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 2 {
		w.submit(feedOf(message(1, "S1", fmt.Sprint(20+i))))
	}
	_, next := w.feedList(listed + "&pageSize=1")
	for name, query := range map[string]string{
		"with a filter": "nextToken=" + next + "&" + listed,
		"nothing":       "",
		"no type":       "pageSize=10",
		"no token":      "nextToken=" + url.QueryEscape("nonsense!"),
	} {
		if got := w.call("GET", "/eu/feeds/2021-06-30/feeds?"+query, ""); got.Code != 400 || !strings.Contains(got.Body.String(), "InvalidInput") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2BOB", Region: price.EU, Marketplaces: []price.MarketplaceID{de}}))
	w.token = w.authorize(price.EU, "A2BOB")
	if got := w.call("GET", "/eu/feeds/2021-06-30/feeds?nextToken="+next, ""); got.Code != 400 {
		t.Errorf("another seller's token: %d", got.Code)
	}
	if got, _ := w.feedList(listed); len(got) != 0 {
		t.Errorf("another seller sees %v", got)
	}
	w.clean()
	for name, query := range map[string]string{"101 on a page": "&pageSize=101", "no time": "&createdSince=yesterday", "state that is none": "&processingStatuses=LOST"} {
		if got := w.call("GET", "/eu/feeds/2021-06-30/feeds?"+listed+query, ""); got.Code != 400 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	w.clean("contract", "contract", "contract")
}
