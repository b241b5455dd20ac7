package fakeamazon_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pricemanager/test/fakeamazon"
)

const queue = `{"name":"q","resourceSpecification":{"sqs":{"arn":"arn:aws:sqs:eu-central-1:123456789012:q"}}}`

type feedEnd struct {
	EventTime time.Time
	Payload   struct {
		Feed struct {
			SellerID, AccountID, FeedID, FeedType, ProcessingStatus, ResultFeedDocumentID string
		} `json:"feedProcessingFinishedNotification"`
	}
	NotificationMetadata struct{ SubscriptionID, NotificationID string }
}

func (w *world) feedEnds() (ends []feedEnd) {
	w.t.Helper()
	for _, n := range w.fake.Notifications(0) {
		if n.Type != "FEED_PROCESSING_FINISHED" {
			continue
		}
		var e feedEnd
		w.must(json.Unmarshal(n.Body, &e))
		if n.Destination.SQS == nil || n.Destination.SQS.ARN != "arn:aws:sqs:eu-central-1:123456789012:q" || n.Seller != alice {
			w.t.Errorf("it went to %+v of %s", n.Destination, n.Seller)
		}
		ends = append(ends, e)
	}
	return ends
}

func TestTheEndOfAFeedIsToldOnceToWhoListens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.finish(w.submit(feedOf(message(1, "S1", "20"))), "DONE") // before anybody listens
	if got := w.subscribe("FEED_PROCESSING_FINISHED", "2020-09-04", w.destination(queue)); got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.FeedFatal, Skip: 1, Times: 1}); err != nil {
		t.Fatal(err)
	}
	done := w.submit(feedOf(message(1, "S1", "21")))
	fatal := w.submit(feedOf(message(1, "S1", "22"), message(2, "OTHER", "1")))
	cancelled := w.submit(feedOf(message(1, "S1", "23")))
	if got := w.feedEnds(); len(got) != 0 {
		t.Fatalf("told of %+v while all are under way", got)
	}
	if got := w.call("DELETE", "/eu/feeds/2021-06-30/feeds/"+cancelled, ""); got.Code != 200 {
		t.Fatal(got.Code)
	}
	w.finish(done, "DONE")
	w.clock.Advance(20 * time.Minute)
	w.feedStatus(fatal)
	_, document := w.feedStatus(done)
	got := w.feedEnds()
	if len(got) != 3 {
		t.Fatalf("told of %+v", got)
	}
	for i, want := range []struct{ id, status, document string }{{cancelled, "CANCELLED", ""}, {done, "DONE", document}, {fatal, "FATAL", ""}} {
		f := got[i].Payload.Feed
		if f.FeedID != want.id || f.ProcessingStatus != want.status || f.ResultFeedDocumentID != want.document || f.SellerID != alice ||
			f.FeedType != "JSON_LISTINGS_FEED" || !strings.HasSuffix(f.AccountID, alice) || got[i].NotificationMetadata.SubscriptionID == "" {
			t.Errorf("%d: %+v", i, got[i])
		}
		if i > 0 && got[i].EventTime.Before(got[i-1].EventTime) {
			t.Errorf("%d ended at %v, after one of %v", i, got[i].EventTime, got[i-1].EventTime)
		}
	}
	w.clean()
}

func TestASecretsEndIsNoticedWhenATestSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if code := w.admin("POST", "secret-expiry?at=2027-02-20T09:00:00Z", "", nil); code != 204 {
		t.Fatal(code)
	}
	if code := w.admin("POST", "secret-expiry?at=soon", "", nil); code != 400 {
		t.Errorf("no time: %d", code)
	}
	got := w.fake.Notifications(0)
	if len(got) != 1 || got[0].Type != "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY" || !strings.Contains(string(got[0].Body), `"clientSecretExpiryTime":"2027-02-20T09:00:00Z"`) {
		t.Errorf("%+v", got)
	}
	if status, _ := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications"); status != 200 {
		t.Errorf("the secret stopped working: %d", status)
	}
	w.clean()
}
