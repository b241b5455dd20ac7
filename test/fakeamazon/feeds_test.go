package fakeamazon_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

const feedType = "application/json; charset=UTF-8"

// message is one PATCH message that sets our_price in Germany.
func message(id int, sku, value string) string {
	text, _ := json.Marshal(sku)
	return fmt.Sprintf(`{"messageId":%d,"sku":%s,"operationType":"PATCH",%s`, id, text, ourPrice(value)[1:])
}

func feedOf(messages ...string) string {
	return `{"header":{"sellerId":"` + alice + `","version":"2.0","report":{"includedData":["issues","offers"],"apiVersion":"2021-08-01"}},"messages":[` +
		strings.Join(messages, ",") + `]}`
}

// feedDocument makes a document and uploads to it.
func (w *world) feedDocument(content string) string {
	w.t.Helper()
	doc := w.call("POST", "/eu/feeds/2021-06-30/documents", `{"contentType":"`+feedType+`"}`).json(w.t)
	if got := w.upload(doc["url"].(string), feedType, content); got.Code != 200 {
		w.t.Fatalf("upload: %d %s", got.Code, got.Body)
	}
	return doc["feedDocumentId"].(string)
}

func (w *world) upload(link, contentType, content string) reply {
	r := httptest.NewRequest("PUT", link, strings.NewReader(content))
	r.Header.Set("Content-Type", contentType)
	return w.do(r)
}

func (w *world) createFeed(document string) reply {
	return w.call("POST", "/eu/feeds/2021-06-30/feeds", fmt.Sprintf(`{"feedType":"JSON_LISTINGS_FEED","marketplaceIds":[%q,%q],"inputFeedDocumentId":%q}`, de, fr, document))
}

func (w *world) submit(content string) string {
	w.t.Helper()
	got := w.createFeed(w.feedDocument(content))
	if got.Code != 202 {
		w.t.Fatalf("createFeed: %d %s", got.Code, got.Body)
	}
	return got.json(w.t)["feedId"].(string)
}

func (w *world) feedStatus(id string) (status, document string) {
	w.t.Helper()
	got := w.call("GET", "/eu/feeds/2021-06-30/feeds/"+id, "").json(w.t)
	document, _ = got["resultFeedDocumentId"].(string)
	return got["processingStatus"].(string), document
}

type feedReport struct {
	Header struct{ FeedID, SellerID string }
	Issues []struct {
		MessageID                    int
		SKU, Code, Severity, Message string
	}
	Summary struct {
		Errors, MessagesProcessed, MessagesAccepted, MessagesInvalid int
		ItemSummary                                                  *struct{ Items, Errors int }
	}
	Items []struct {
		SKU    string
		Offers []struct{ Price struct{ Amount string } }
	}
}

// finish waits for the feed to end with a status and reads its report.
func (w *world) finish(id, status string) (out feedReport) {
	w.t.Helper()
	w.clock.Advance(10 * time.Minute)
	got, document := w.feedStatus(id)
	if got != status {
		w.t.Fatalf("feed %s: %s, want %s", id, got, status)
	}
	if document == "" {
		return out
	}
	doc := w.call("GET", "/eu/feeds/2021-06-30/documents/"+document, "").json(w.t)
	content := w.do(httptest.NewRequest("GET", doc["url"].(string), nil))
	zip, err := gzip.NewReader(content.Body)
	w.must(err)
	w.must(json.NewDecoder(zip).Decode(&out))
	return out
}

func TestFeedTakesEffectMessageByMessageInAnOrderOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var listings []fakeamazon.Listing
	var messages []string
	for i := range 20 {
		sku := fmt.Sprintf("F %d/#ü", i)
		listings = append(listings, fakeamazon.Listing{Marketplace: de, SKU: price.SKU(sku), Price: "5.00", Min: "2.00"})
		messages = append(messages, message(i+1, sku, fmt.Sprintf("6.%02d", i)))
	}
	w.must(w.fake.AddListings(price.EU, alice, listings))
	messages = append(messages, message(98, "F 1/#ü", "1.99"), message(99, "UNKNOWN", "7.00"))
	id := w.submit(feedOf(messages...))
	if s, doc := w.feedStatus(id); s != "IN_QUEUE" || doc != "" {
		t.Errorf("at first: %s %q", s, doc)
	}
	var changed []int
	seen := map[int]bool{}
	states := map[string]bool{}
	for range 500 {
		w.clock.Advance(time.Second)
		s, _ := w.feedStatus(id)
		states[s] = true
		for i, l := range listings {
			if got := w.listing(de, string(l.SKU)).Price; got != "5.00" && !seen[i] {
				seen[i] = true
				changed = append(changed, i)
				if got != fmt.Sprintf("6.%02d", i) {
					t.Errorf("%s costs %s", l.SKU, got)
				}
			}
		}
	}
	if len(changed) != 20 || !states["IN_PROGRESS"] || !states["DONE"] {
		t.Fatalf("changed %v, states %v", changed, states)
	}
	inOrder := true
	for i, c := range changed {
		inOrder = inOrder && i == c
	}
	if inOrder {
		t.Error("the messages took effect in the order of the feed")
	}
	r := w.finish(id, "DONE")
	if r.Header.FeedID != id || r.Summary.MessagesProcessed != 22 || r.Summary.MessagesAccepted != 21 || r.Summary.MessagesInvalid != 1 || r.Summary.Errors != 1 ||
		len(r.Issues) != 1 || r.Issues[0].MessageID != 98 || r.Issues[0].SKU != "F 1/#ü" || r.Issues[0].Severity != "ERROR" {
		t.Errorf("report: %+v", r)
	}
	if r.Summary.ItemSummary == nil || r.Summary.ItemSummary.Items != 20 || len(r.Items) != 20 || r.Items[0].Offers[0].Price.Amount != "6.00" {
		t.Errorf("items: %+v", r.Items)
	}
	if got := w.fake.Effects(); len(got) != 20 || got[0].Count != 1 {
		t.Errorf("%d effects", len(got))
	}
	w.clean()
}

func TestFeedDocumentTakesOneKindOfContentForFiveMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.call("POST", "/eu/feeds/2021-06-30/documents", `{"contentType":"`+feedType+`"}`).json(t)
	link := doc["url"].(string)
	content := feedOf(message(1, "S1", "20"))
	if got := w.createFeed(doc["feedDocumentId"].(string)); got.Code != 400 {
		t.Errorf("a feed of nothing: %d", got.Code)
	}
	if got := w.upload(link, "application/json", content); got.Code != 403 || !strings.Contains(got.Body.String(), "SignatureDoesNotMatch") {
		t.Errorf("another content type: %d %s", got.Code, got.Body)
	}
	if got := w.do(httptest.NewRequest("GET", link, nil)); got.Code != 403 {
		t.Errorf("reading through an upload link: %d", got.Code)
	}
	if got := w.upload(strings.Replace(link, "Signature=", "Signature=0", 1), feedType, content); got.Code != 403 {
		t.Errorf("a forged link: %d", got.Code)
	}
	w.clock.Advance(5 * time.Minute)
	if got := w.upload(link, feedType, content); got.Code != 200 {
		t.Errorf("after five minutes: %d %s", got.Code, got.Body)
	}
	w.clock.Advance(time.Second)
	if got := w.upload(link, feedType, content); got.Code != 403 || !strings.Contains(got.Body.String(), "expired") {
		t.Errorf("later: %d %s", got.Code, got.Body)
	}
	w.clean("protocol")
	w.clock.Advance(48 * time.Hour)
	w.token = w.authorize(price.EU, alice)
	if got := w.createFeed(doc["feedDocumentId"].(string)); got.Code != 400 {
		t.Errorf("a document of the day before yesterday: %d", got.Code)
	}
}

func TestContentThatIsNoFeedIsAViolationAndFatal(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"cut":                     feedOf(message(1, "S1", "20"))[:100],
		"no version":              strings.Replace(feedOf(message(1, "S1", "20")), `"version":"2.0",`, "", 1),
		"message id twice":        feedOf(message(1, "S1", "20"), message(1, "S2", "20")),
		"header of another":       strings.Replace(feedOf(message(1, "S1", "20")), alice, "A2BOB", 1),
		"no messages":             feedOf(),
		"message without patches": feedOf(`{"messageId":1,"sku":"S1","operationType":"PATCH","productType":"PRODUCT"}`),
	} {
		w := newWorld(t)
		r := w.finish(w.submit(content), "FATAL")
		if len(r.Issues) != 1 || r.Issues[0].MessageID != 0 || r.Summary.MessagesProcessed != 0 || w.listing(de, "S1").Price != "19.99" {
			t.Errorf("%s: %+v", name, r)
		}
		if len(w.fake.Violations()) != 1 {
			t.Errorf("%s: %d violations", name, len(w.fake.Violations()))
		}
	}
}

func TestASixthFeedWithinFiveMinutesIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var documents []string
	for range 7 {
		documents = append(documents, w.feedDocument(feedOf(message(1, "OTHER", "20"))))
	}
	for i, document := range documents[:5] {
		if got := w.createFeed(document); got.Code != 202 {
			t.Fatalf("feed %d: %d %s", i, got.Code, got.Body)
		}
	}
	w.clock.Advance(5*time.Minute - 1)
	if got := w.createFeed(documents[5]); got.Code != 429 || !strings.Contains(got.Body.String(), "QuotaExceeded") {
		t.Errorf("the sixth: %d %s", got.Code, got.Body)
	}
	w.clean("over-budget")
	w.clock.Advance(1)
	if got := w.createFeed(documents[5]); got.Code != 202 {
		t.Errorf("five minutes later: %d", got.Code)
	}
	if got := w.createFeed(documents[0]); got.Code != 202 {
		t.Errorf("%d", got.Code)
	}
	w.clean("over-budget", "protocol") // the document was used before
}

func TestAFeedCanBeCancelledInTheQueueOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cancel := func(id string) int { return w.call("DELETE", "/eu/feeds/2021-06-30/feeds/"+id, "").Code }
	first := w.submit(feedOf(message(1, "S1", "20")))
	if got := cancel(first); got != 200 {
		t.Errorf("in the queue: %d", got)
	}
	w.finish(first, "CANCELLED")
	if w.listing(de, "S1").Price != "19.99" {
		t.Error("a cancelled feed took effect")
	}
	second := w.submit(feedOf(message(1, "S1", "21")))
	for s := ""; s != "IN_PROGRESS"; s, _ = w.feedStatus(second) {
		w.clock.Advance(time.Second)
	}
	if got := cancel(second); got != 400 {
		t.Errorf("in progress: %d", got)
	}
	// Confirmed and yet too late.
	if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.FeedCancelLate}); err != nil {
		t.Fatal(err)
	}
	third := w.submit(feedOf(message(1, "S1", "22")))
	if got := cancel(third); got != 200 {
		t.Errorf("cancel too late: %d", got)
	}
	w.finish(second, "DONE")
	w.finish(third, "DONE")
	if got := w.listing(de, "S1").Price; got != "22" {
		t.Errorf("after a cancellation that came too late: %s", got)
	}
	w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2BOB", Region: price.EU, Marketplaces: []price.MarketplaceID{de}}))
	w.token = w.authorize(price.EU, "A2BOB")
	if got := cancel(third); got != 404 {
		t.Errorf("another seller's feed: %d", got)
	}
	w.clean()
}

func TestFeedFaults(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, ft fakeamazon.Fault, status string) (*world, feedReport, int) {
		t.Helper()
		w := newWorld(t)
		var messages []string
		for i := range 9 {
			sku := fmt.Sprintf("F%d", i)
			w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: price.SKU(sku), Price: "5"}}))
			messages = append(messages, message(i+1, sku, "6"))
		}
		if _, err := w.fake.AddFault(ft); err != nil {
			t.Fatal(err)
		}
		id := w.submit(feedOf(messages...))
		if ft.Kind == fakeamazon.FeedStuck {
			w.clock.Advance(ft.Latency)
			w.token = w.authorize(price.EU, alice)
			if s, _ := w.feedStatus(id); s != "IN_QUEUE" {
				t.Errorf("after %v: %s", ft.Latency, s)
			}
		}
		r := w.finish(id, status)
		changed := 0
		for i := range 9 {
			if w.listing(de, fmt.Sprintf("F%d", i)).Price == "6" {
				changed++
			}
		}
		w.clean()
		return w, r, changed
	}
	t.Run("stuck", func(t *testing.T) {
		t.Parallel()
		if _, r, changed := run(t, fakeamazon.Fault{Kind: fakeamazon.FeedStuck, Latency: 6 * time.Hour}, "DONE"); changed != 9 || r.Summary.MessagesAccepted != 9 {
			t.Errorf("%d changed, %+v", changed, r.Summary)
		}
	})
	t.Run("partly", func(t *testing.T) {
		t.Parallel()
		if _, r, changed := run(t, fakeamazon.Fault{Kind: fakeamazon.FeedPartly}, "DONE"); changed != 6 || r.Summary.MessagesInvalid != 3 || len(r.Issues) != 3 || r.Issues[0].Code != "4000000" {
			t.Errorf("%d changed, %+v", changed, r)
		}
	})
	t.Run("fatal", func(t *testing.T) {
		t.Parallel()
		if _, r, changed := run(t, fakeamazon.Fault{Kind: fakeamazon.FeedFatal}, "FATAL"); changed != 5 || r.Header.FeedID != "" {
			t.Errorf("%d changed, %+v", changed, r)
		}
	})
	t.Run("success that is none", func(t *testing.T) {
		t.Parallel()
		w, r, changed := run(t, fakeamazon.Fault{Kind: fakeamazon.DropPrice, SKU: "F4"}, "DONE")
		if changed != 8 || r.Summary.MessagesAccepted != 9 || w.listing(de, "F4").Price != "5" {
			t.Errorf("%d changed, %+v", changed, r.Summary)
		}
	})
}

func TestAFeedUnderWaySurvivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	w := newWorld(t, func(c *fakeamazon.Config) { c.StateFile = file })
	var messages []string
	for i := range 10 {
		sku := fmt.Sprintf("F%d", i)
		w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: price.SKU(sku), Price: "5"}}))
		messages = append(messages, message(i+1, sku, "6"))
	}
	id := w.submit(feedOf(messages...))
	for len(w.fake.Effects()) < 5 {
		w.clock.Advance(time.Second)
	}
	w.must(w.fake.Close())
	w.open()
	r := w.finish(id, "DONE")
	if r.Summary.MessagesAccepted != 10 {
		t.Errorf("%+v", r.Summary)
	}
	for i := range 10 {
		if got := w.listing(de, fmt.Sprintf("F%d", i)).Price; got != "6" {
			t.Errorf("F%d costs %s", i, got)
		}
	}
	if got := len(w.fake.Effects()); got != 5 {
		t.Errorf("%d messages took effect after the restart, want 5", got)
	}
	w.clean()
}

func TestTheSameSeedGivesTheSameFeed(t *testing.T) {
	t.Parallel()
	trace := func() string {
		w := newWorld(t)
		var b bytes.Buffer
		id := w.submit(feedOf(message(1, "S1", "20"), message(2, "S1", "21"), message(3, "S1", "22")))
		for range 200 {
			w.clock.Advance(3 * time.Second)
			s, _ := w.feedStatus(id)
			fmt.Fprintln(&b, s, w.listing(de, "S1").Price)
		}
		return b.String()
	}
	if d := cmp.Diff(trace(), trace()); d != "" {
		t.Error(d)
	}
}
