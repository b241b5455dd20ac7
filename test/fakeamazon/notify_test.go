package fakeamazon_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

const bus = `{"name":"n","resourceSpecification":{"eventBridge":{"accountId":"123456789012","region":"eu-central-1"}}}`

// grantless returns a token of the application.
func (w *world) grantless(scope string) string {
	w.t.Helper()
	status, got := w.grant("grant_type", "client_credentials", "scope", scope)
	if status != 200 {
		w.t.Fatalf("grantless: %d %v", status, got)
	}
	return got["access_token"].(string)
}

// as calls with another token.
func (w *world) as(token, method, target, body string) reply {
	own := w.token
	defer func() { w.token = own }()
	w.token = token
	return w.call(method, target, body)
}

func (w *world) destination(body string) string {
	w.t.Helper()
	got := w.as(w.grantless("sellingpartnerapi::notifications"), "POST", "/eu/notifications/v1/destinations", body)
	if got.Code != 200 {
		w.t.Fatalf("createDestination: %d %s", got.Code, got.Body)
	}
	return got.json(w.t)["payload"].(map[string]any)["destinationId"].(string)
}

func (w *world) subscribe(kind, version, destination string) reply {
	return w.call("POST", "/eu/notifications/v1/subscriptions/"+kind, fmt.Sprintf(`{"payloadVersion":%q,"destinationId":%q}`, version, destination))
}

type event struct {
	NotificationType, PayloadVersion string
	Payload                          struct {
		SellerID, MarketplaceID, ASIN, SKU string
		Status, Severities                 []string
	}
	NotificationMetadata struct{ NotificationID, SubscriptionID string }
}

func (w *world) events(after int64) (events []event, last int64) {
	w.t.Helper()
	for _, n := range w.fake.Notifications(after) {
		var e event
		w.must(json.Unmarshal(n.Body, &e))
		events, last = append(events, e), n.Seq
	}
	return events, last
}

func TestDestinationsAndSubscriptionsAreMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.grantless("sellingpartnerapi::notifications")
	id := w.destination(bus)
	queue := w.destination(`{"name":"q","resourceSpecification":{"sqs":{"arn":"arn:aws:sqs:eu-central-1:123456789012:q"}}}`)
	if got := w.as(token, "POST", "/eu/notifications/v1/destinations", bus); got.Code != 409 {
		t.Errorf("the same event bus again: %d", got.Code)
	}
	if got := w.as(token, "POST", "/na/notifications/v1/destinations", bus); got.Code != 200 {
		t.Errorf("in another region: %d %s", got.Code, got.Body)
	}
	if got := w.as(token, "GET", "/eu/notifications/v1/destinations", ""); len(got.json(t)["payload"].([]any)) != 2 || !strings.Contains(got.Body.String(), "aws.partner/sellingpartnerapi.amazon.com/123456789012/") {
		t.Errorf("destinations: %s", got.Body)
	}
	w.clock.Advance(time.Minute)
	for name, c := range map[string]struct {
		kind, version, destination string
		want                       int
	}{
		"status":                        {"LISTINGS_ITEM_STATUS_CHANGE", "1.0", id, 200},
		"version that was taken away":   {"LISTINGS_ITEM_ISSUES_CHANGE", "1.0", id, 400},
		"event bus type to a queue":     {"LISTINGS_ITEM_ISSUES_CHANGE", "2023-12-13", queue, 400},
		"queue type to an event bus":    {"ANY_OFFER_CHANGED", "1.0", id, 400},
		"unknown type":                  {"PRICE_CHANGED", "1.0", id, 400},
		"destination that is not there": {"LISTINGS_ITEM_ISSUES_CHANGE", "2023-12-13", "x", 400},
	} {
		w.clock.Advance(time.Second)
		if got := w.subscribe(c.kind, c.version, c.destination); got.Code != c.want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	w.clock.Advance(time.Minute)
	if got := w.subscribe("LISTINGS_ITEM_STATUS_CHANGE", "1.0", id); got.Code != 409 {
		t.Errorf("subscribed twice: %d", got.Code)
	}
	if got := w.call("GET", "/eu/notifications/v1/subscriptions/LISTINGS_ITEM_STATUS_CHANGE?payloadVersion=1.0", ""); got.Code != 200 {
		t.Errorf("getSubscription: %d", got.Code)
	}
	if got := w.call("GET", "/eu/notifications/v1/subscriptions/LISTINGS_ITEM_ISSUES_CHANGE", ""); got.Code != 404 {
		t.Errorf("a subscription that is not there: %d", got.Code)
	}
	w.clean()
	if got := w.call("POST", "/eu/notifications/v1/destinations", bus); got.Code != 403 {
		t.Errorf("a seller's token for a destination: %d", got.Code)
	}
	w.clean("protocol")
	if got := w.as(w.grantless("sellingpartnerapi::client_credential:rotation"), "GET", "/eu/notifications/v1/destinations", ""); got.Code != 403 {
		t.Errorf("a token of another scope: %d", got.Code)
	}
}

func TestWhoSubscribedHearsThatAListingChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "new/1"}, {Marketplace: de, SKU: "deaf"}}))
	w.accepted("deaf", de, ourPrice("1.00")) // before anybody listened
	id := w.destination(bus)
	for kind, version := range map[string]string{"LISTINGS_ITEM_STATUS_CHANGE": "1.0", "LISTINGS_ITEM_ISSUES_CHANGE": "2023-12-13"} {
		if got := w.subscribe(kind, version, id); got.Code != 200 {
			t.Fatalf("%s: %d %s", kind, got.Code, got.Body)
		}
	}
	w.accepted("S1", de, ourPrice("20")) // a price alone is no such change
	w.accepted("new/1", de, ourPrice("5"))
	got, last := w.events(0)
	if len(got) != 1 || got[0].NotificationType != "LISTINGS_ITEM_STATUS_CHANGE" || got[0].Payload.SKU != "new/1" || got[0].Payload.SellerID != alice ||
		got[0].Payload.MarketplaceID != string(de) || strings.Join(got[0].Payload.Status, " ") != "BUYABLE DISCOVERABLE" || got[0].NotificationMetadata.SubscriptionID == "" {
		t.Fatalf("the first price of a listing: %+v", got)
	}
	// A feed is heard of as well.
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "new/2"}}))
	_, last = w.events(last)
	w.finish(w.submit(feedOf(message(1, "new/2", "3.00"))), "DONE")
	got, last = w.events(last)
	if len(got) != 1 || got[0].Payload.SKU != "new/2" || len(got[0].Payload.Status) != 2 {
		t.Errorf("after a feed: %+v", got)
	}
	// Somebody else sets a minimum above the price.
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "new/1", Price: "5", Min: "6"}}))
	got, last = w.events(last)
	if len(got) != 2 || got[1].NotificationType != "LISTINGS_ITEM_ISSUES_CHANGE" || got[1].PayloadVersion != "2023-12-13" || got[1].Payload.Severities[0] != "ERROR" {
		t.Fatalf("an issue appeared: %+v", got)
	}
	w.accepted("new/1", de, ourPrice("7"))
	if got, _ = w.events(last); len(got) != 2 || got[1].Payload.Severities[0] != "NONE" || got[0].NotificationMetadata.NotificationID == got[1].NotificationMetadata.NotificationID {
		t.Errorf("the issue went away: %+v", got)
	}
	var admin []fakeamazon.Notification
	if w.admin("GET", "notifications?after=1", "", &admin); len(admin) != len(w.fake.Notifications(0))-1 || admin[0].Destination.EventBridge == nil {
		t.Errorf("admin route: %+v", admin)
	}
	w.clean()
}

func TestNotifyIsCalledAsTimeGoesBy(t *testing.T) {
	t.Parallel()
	heard := make(chan fakeamazon.Notification, 10)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *fakeamazon.Config) { c.Notify = func(n fakeamazon.Notification) { heard <- n } })
		defer func() { w.must(w.fake.Close()) }()
		if got := w.subscribe("LISTINGS_ITEM_STATUS_CHANGE", "1.0", w.destination(bus)); got.Code != 200 {
			t.Fatal(got.Code)
		}
		w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "N", Price: "5"}}))
		for len(heard) == 0 {
			synctest.Wait()
			w.clock.Advance(100 * time.Millisecond)
		}
		if n := <-heard; n.Type != "LISTINGS_ITEM_STATUS_CHANGE" || !strings.Contains(string(n.Body), `"Sku":"N"`) {
			t.Errorf("%+v", n)
		}
	})
}

func TestRotationSendsTheNewSecretToTheQueueAndNowhereElse(t *testing.T) {
	t.Parallel()
	var queue []secret.Value
	w := newWorld(t, func(c *fakeamazon.Config) {
		c.SecretQueue = func(m secret.Value) { queue = append(queue, m) }
		c.SecretLife = 180 * 24 * time.Hour
	})
	rotate := func(token string) reply {
		return w.as(token, "POST", "/eu/applications/2023-11-30/clientSecret", "")
	}
	w.clock.Advance(90*24*time.Hour - 1)
	if got := w.fake.Notifications(0); len(got) != 0 {
		t.Errorf("before notice is due: %v", got)
	}
	w.clock.Advance(1)
	notice := w.fake.Notifications(0)
	if len(notice) != 1 || notice[0].Type != "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY" || !strings.Contains(string(notice[0].Body), `"clientSecretExpiryTime":"2027-05-21T09:00:00Z"`) {
		t.Fatalf("notice: %+v", notice)
	}
	if got := rotate(w.grantless("sellingpartnerapi::notifications")); got.Code != 403 {
		t.Errorf("with the wrong scope: %d", got.Code)
	}
	token := w.grantless("sellingpartnerapi::client_credential:rotation")
	if got := rotate(token); got.Code != 204 || got.Body.Len() != 0 {
		t.Fatalf("rotate: %d %s", got.Code, got.Body)
	}
	if got := rotate(token); got.Code != 429 {
		t.Errorf("again within a minute: %d", got.Code)
	}
	w.clean("over-budget")
	var m struct {
		Payload struct {
			New struct{ NewClientSecret, OldClientSecretExpiryTime string } `json:"applicationOAuthClientNewSecret"`
		}
	}
	if len(queue) != 1 {
		t.Fatalf("%d messages", len(queue))
	}
	w.must(json.Unmarshal([]byte(queue[0].Reveal()), &m))
	next := m.Payload.New.NewClientSecret
	if m.Payload.New.OldClientSecretExpiryTime != "2027-02-27T09:00:00Z" || next == "" {
		t.Errorf("message: %s", queue[0].Reveal())
	}
	with := func(s string) int {
		status, _ := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications", "client_secret", s)
		return status
	}
	w.clock.Advance(7*24*time.Hour - 1)
	if with(hidden) != 200 || with(next) != 200 {
		t.Error("a secret does not work within the overlap")
	}
	w.clock.Advance(1)
	if with(hidden) != 401 || with(next) != 200 {
		t.Error("after the overlap the old secret works, or the new one does not")
	}
	w.clock.Advance(173 * 24 * time.Hour)
	if with(next) != 401 {
		t.Error("a secret works beyond its life")
	}
	if got := w.fake.Notifications(1); len(got) != 1 {
		t.Errorf("%d notices about the new secret", len(got))
	}
	for _, n := range append(w.fake.Notifications(0), fakeamazon.Notification{Body: json.RawMessage(fmt.Sprintf("%+v", w.fake.Requests(fakeamazon.Query{})))}) {
		if strings.Contains(string(n.Body), next) {
			t.Error("the new secret is in a notification or the log")
		}
	}
}

func TestRotationWithoutAQueueIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.as(w.grantless("sellingpartnerapi::client_credential:rotation"), "POST", "/eu/applications/2023-11-30/clientSecret", ""); got.Code != 400 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if status, _ := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications"); status != 200 {
		t.Errorf("the secret changed: %d", status)
	}
}
