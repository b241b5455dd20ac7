package contract

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDocumentsThatTheSchemasRefuseAreViolations(t *testing.T) {
	t.Parallel()
	s := spec(t)
	feed := func(message string) string {
		return `{"header":{"sellerId":"A2S","version":"2.0"},"messages":[` + message + `]}`
	}
	const patch = `"operationType":"PATCH","productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer","value":[{"marketplace_id":"M"}]}]`
	good := `{"messageId":1,"sku":"a/b",` + patch + `}`
	report := func(issue string) string {
		return `{"header":{"sellerId":"A2S","version":"2.0","feedId":"1"},"issues":[` + issue + `],"summary":{"errors":0,"warnings":0,"messagesProcessed":1,"messagesAccepted":1,"messagesInvalid":0}}`
	}
	event := func(kind, payload string) string {
		return `{"NotificationVersion":"1.0","NotificationType":"` + kind + `","PayloadVersion":"1.0","EventTime":"2026-11-22T09:00:00Z","Payload":` + payload +
			`,"NotificationMetadata":{"ApplicationId":"a","SubscriptionId":"s","PublishTime":"2026-11-22T09:00:00Z","NotificationId":"n"}}`
	}
	for name, c := range map[string]struct{ kind, text, want string }{
		"feed":                       {DocumentFeed, feed(good), ""},
		"every operation":            {DocumentFeed, feed(good + `,{"messageId":2,"sku":"x","operationType":"DELETE"},{"messageId":3,"sku":"y","operationType":"UPDATE","productType":"P","attributes":{"a":1}}`), ""},
		"no messages":                {DocumentFeed, feed(""), "minItems"},
		"25,000 messages":            {DocumentFeed, feed(strings.Repeat(good+",", 24_999) + good), ""},
		"25,001 messages":            {DocumentFeed, feed(strings.Repeat(good+",", 25_000) + good), "maxItems"},
		"message id 0":               {DocumentFeed, feed(`{"messageId":0,"sku":"x",` + patch + `}`), "messages/0/messageId"},
		"message id beyond 31 bits":  {DocumentFeed, feed(`{"messageId":2147483648,"sku":"x",` + patch + `}`), "messages/0/messageId"},
		"no SKU":                     {DocumentFeed, feed(`{"messageId":1,"sku":"",` + patch + `}`), "messages/0/sku"},
		"patch with attributes":      {DocumentFeed, feed(`{"messageId":1,"sku":"x","attributes":{"a":1},` + patch + `}`), "attributes"},
		"patch without product type": {DocumentFeed, feed(strings.Replace(good, `"productType":"PRODUCT",`, "", 1)), "productType"},
		"member the schema has not":  {DocumentFeed, feed(strings.Replace(good, `"sku"`, `"mode":"x","sku"`, 1)), "mode"},
		"version 1":                  {DocumentFeed, strings.Replace(feed(good), "2.0", "1.0", 1), "version"},
		"report":                     {DocumentFeedReport, report(`{"messageId":1,"severity":"ERROR","message":"m","attributeName":"a"}`), ""},
		"issue without severity":     {DocumentFeedReport, report(`{"messageId":1,"message":"m"}`), "issues/0"},
		"status":                     {DocumentListingStatus, event("LISTINGS_ITEM_STATUS_CHANGE", `{"SellerId":"A","Sku":"x","Status":[]}`), ""},
		"status as the schema says":  {DocumentListingStatus, event("LISTINGS_ITEM_STATUS_CHANGED", `{"SellerId":"A","Sku":"x","Status":["BUYABLE"]}`), ""},
		"unknown status":             {DocumentListingStatus, event("LISTINGS_ITEM_STATUS_CHANGE", `{"SellerId":"A","Sku":"x","Status":["SOLD"]}`), "Status/0"},
		"issues":                     {DocumentListingIssues, event("LISTINGS_ITEM_ISSUES_CHANGE", `{"SellerId":"A","Sku":"x","Severities":["NONE"]}`), ""},
		"issues of another type":     {DocumentListingIssues, event("LISTINGS_ITEM_STATUS_CHANGE", `{"SellerId":"A","Sku":"x","Severities":["NONE"]}`), "NotificationType"},
		"no document":                {"ORDERS", `{}`, "no such kind"},
		"cut":                        {DocumentFeed, feed(good)[:80], "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := s.CheckDocument(c.kind, []byte(c.text))
			if (err != nil) != (c.want != "") || (err != nil && (!errors.Is(err, ErrViolation) || !strings.Contains(err.Error(), c.want))) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	bad := feed(strings.Repeat(`{"messageId":0},`, 1000) + good)
	if err := s.CheckDocument(DocumentFeed, []byte(bad)); err == nil || strings.Count(err.Error(), ";") != maxProblems || !strings.Contains(err.Error(), "more") {
		t.Errorf("a thousand mistakes: %s", fmt.Sprint(err)[:200])
	}
}
