package spapi

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/amazon"
)

const (
	// feedPage is the largest page of getFeeds.
	feedPage = 100
	// maxFeedPages is the burst of getFeeds, so that one list cannot outrun its
	// budget. Five feeds in five minutes fill as many pages in sixteen hours.
	maxFeedPages = 10
)

// errPages ends a list that does not end by itself.
var errPages = errors.New("the list of feeds has too many pages: ask for less time")

// Recent lists the seller's listings feeds of a time. A feed that is on two
// pages, because others were made between them, counts once, as it was seen
// last.
func (f Feeds) Recent(ctx context.Context, a amazon.Account, since, until time.Time) ([]amazon.FeedInfo, error) {
	if since.IsZero() || until.Before(since) {
		return nil, notSent(opFeeds.name, "the time from %v to %v", since, until)
	}
	filter := []param{
		{"feedTypes", []string{amazon.ListingsFeed}}, {"pageSize", []string{strconv.Itoa(feedPage)}},
		// Whole seconds: the second that a time lies in is asked for in full.
		{"createdSince", []string{since.UTC().Truncate(time.Second).Format(time.RFC3339)}},
	}
	if until.Before(f.c.clock.Now()) { // otherwise until now, which is the default
		filter = append(filter, param{"createdUntil", []string{until.UTC().Add(time.Second - 1).Truncate(time.Second).Format(time.RFC3339)}})
	}
	found := map[string]amazon.FeedInfo{}
	for range maxFeedPages {
		next, err := f.page(ctx, a, filter, found)
		if err != nil {
			return nil, err
		}
		if next == "" {
			return slices.SortedFunc(maps.Values(found), func(x, y amazon.FeedInfo) int {
				return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
			}), nil
		}
		filter = []param{{"nextToken", []string{next}}} // and nothing else: it holds the filters
	}
	return nil, &amazon.Error{Op: opFeeds.name, Err: errPages}
}

// page reads one page into found and returns the token of the next.
func (f Feeds) page(ctx context.Context, a amazon.Account, filter []param, found map[string]amazon.FeedInfo) (string, error) {
	var out struct {
		Feeds []struct {
			ID      string            `json:"feedId"`
			Type    string            `json:"feedType"`
			Status  amazon.FeedStatus `json:"processingStatus"`
			Result  string            `json:"resultFeedDocumentId"`
			Created time.Time         `json:"createdTime"`
		} `json:"feeds"`
		Next string `json:"nextToken"`
	}
	told, err := f.c.do(ctx, a, call{op: opFeeds, query: filter}, &out)
	if err != nil {
		return "", harmless(err)
	}
	for _, feed := range out.Feeds {
		if feed.ID == "" || feed.Status == "" || feed.Created.IsZero() {
			return "", harmless(mismatch(opFeeds, told, errors.New("a feed without its id, state or time")))
		}
		if feed.Type == amazon.ListingsFeed {
			found[feed.ID] = amazon.FeedInfo{ID: feed.ID, Status: feed.Status, Document: feed.Result, Created: feed.Created}
		}
	}
	return out.Next, nil
}
