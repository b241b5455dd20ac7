package fakeamazon

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

// Notification is one message that the fake sent.
type Notification struct {
	Seq    int64        `json:"seq"`
	Region price.Region `json:"region,omitempty"`
	Seller string       `json:"seller,omitempty"`
	Type   string       `json:"type"`
	// Destination is where Amazon sends it; zero for those about the application,
	// which go to a queue that is registered by hand.
	Destination Resource `json:"destination"`
	// Body is Amazon's envelope. EventBridge delivers it as the detail of an event.
	Body json.RawMessage `json:"body"`
}

// Resource is a destination's queue or event bus, as the models describe it.
type Resource struct {
	SQS         *Queue    `json:"sqs,omitempty"`
	EventBridge *EventBus `json:"eventBridge,omitempty"`
}

// Queue is an SQS queue.
type Queue struct {
	ARN string `json:"arn"`
}

// EventBus is a partner event source in an AWS account; Amazon gives the name.
type EventBus struct {
	Name    string `json:"name,omitempty"`
	Region  string `json:"region"`
	Account string `json:"accountId"`
}

// post keeps the sent notifications and those still to be handed to
// Config.Notify. The fake's lock guards it.
type post struct {
	sent   []Notification
	outbox []Notification
	count  int64
}

const (
	notifyEvery = 200 * time.Millisecond
	// maxSent bounds the notifications that are remembered.
	maxSent = 10_000
)

// metadata is the part of the envelope that every notification ends with. The
// two kinds of capitals are Amazon's own.
type metadata struct {
	Application  string    `json:"ApplicationId"`
	Subscription string    `json:"SubscriptionId"`
	Published    time.Time `json:"PublishTime"`
	ID           string    `json:"NotificationId"`
}

type envelope struct {
	Version  string    `json:"NotificationVersion"`
	Type     string    `json:"NotificationType"`
	Payloads string    `json:"PayloadVersion"`
	Event    time.Time `json:"EventTime"`
	Payload  any       `json:"Payload"`
	Metadata metadata  `json:"NotificationMetadata"`
}

type statusPayload struct {
	Seller      string              `json:"SellerId"`
	Marketplace price.MarketplaceID `json:"MarketplaceId"`
	ASIN        string              `json:"Asin"`
	SKU         price.SKU           `json:"Sku"`
	Created     time.Time           `json:"CreatedDate"`
	Status      []string            `json:"Status"`
}

type issuesPayload struct {
	Seller      string              `json:"SellerId"`
	Marketplace price.MarketplaceID `json:"MarketplaceId"`
	ASIN        string              `json:"Asin"`
	SKU         price.SKU           `json:"Sku"`
	Severities  []string            `json:"Severities"`
	Actions     []string            `json:"EnforcementActions"`
}

// face is what a notification can tell about a listing.
type face struct {
	status []string
	issues []string // codes, to notice a change between two errors
}

func (l *listing) face(m price.Marketplace) face {
	out := face{status: l.status(m)}
	for _, i := range l.visible {
		for _, is := range judge(m, i) {
			out.issues = append(out.issues, is.Code)
		}
	}
	return out
}

// listingChanged sends what the seller's subscriptions ask for about a listing
// that looked like before until at. The caller holds the lock.
func (f *Fake) listingChanged(k sellerKey, m price.Marketplace, l *listing, before face, at time.Time) {
	after := l.face(m)
	if !slices.Equal(before.status, after.status) {
		f.notify(k, contract.DocumentListingStatus, at, statusPayload{k.id, m.ID, l.asin, l.sku, l.created, after.status})
	}
	if !slices.Equal(before.issues, after.issues) {
		p := issuesPayload{k.id, m.ID, l.asin, l.sku, []string{"NONE"}, []string{}}
		if len(after.issues) > 0 {
			p.Severities, p.Actions = []string{"ERROR"}, []string{"LISTING_SUPPRESSED"}
		}
		f.notify(k, contract.DocumentListingIssues, at, p)
	}
}

func (f *Fake) notify(k sellerKey, kind string, at time.Time, payload any) {
	sub := f.subscription(k, kind)
	if sub == nil {
		return
	}
	n := f.next()
	body := envelope{"1.0", kind, sub.PayloadVersion, at, payload,
		metadata{f.cfg.Application.ID, sub.ID, f.cfg.Clock.Now(), f.pace.id("notification", n)}}
	f.send(Notification{Region: k.region, Seller: k.id, Type: kind, Destination: f.resourceOf(sub)}, body)
}

// resourceOf is where a subscription's notifications go.
func (f *Fake) resourceOf(sub *subscription) Resource {
	for _, d := range f.destinations {
		if d.ID == sub.DestinationID {
			return d.Resource
		}
	}
	return Resource{}
}

// feedEnded tells who listens that a feed is over, once.
func (f *Fake) feedEnded(job *feedJob) {
	job.Told = true
	f.touch()
	sub := f.subscription(job.key(), contract.DocumentFeedFinished)
	if sub == nil {
		return
	}
	told := map[string]string{
		"sellerId": job.Seller, "accountId": "amzn1.merchant.o." + job.Seller, "feedId": job.ID, "feedType": listingsFeed,
		"processingStatus": job.status(job.Done),
	}
	if job.reported(job.Done) {
		told["resultFeedDocumentId"] = job.Result
	}
	body := f.plainEnvelope(contract.DocumentFeedFinished, sub.PayloadVersion, map[string]any{"feedProcessingFinishedNotification": told})
	body.Event, body.Metadata.Subscription = job.Done, sub.ID
	f.send(Notification{Region: job.Region, Seller: job.Seller, Type: contract.DocumentFeedFinished, Destination: f.resourceOf(sub)}, body)
}

// send checks and keeps a notification. A wrong one is the fake's fault.
func (f *Fake) send(n Notification, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // the fake's own types
	}
	if err := f.spec.CheckDocument(n.Type, raw); err != nil {
		f.log.violate(&Request{Op: n.Type, Seller: n.Seller}, f.cfg.Clock.Now(), "fake", "%v", err)
	}
	f.post.count++
	n.Seq, n.Body = f.post.count, f.unaskedLocked(raw)
	if len(f.post.sent) >= 2*maxSent {
		f.post.sent = slices.Clone(f.post.sent[maxSent:])
	}
	f.post.sent = append(f.post.sent, n)
	if f.cfg.Notify != nil {
		f.post.outbox = append(f.post.outbox, n)
	}
}

// Notifications returns what was sent after a Seq, oldest first.
func (f *Fake) Notifications(after int64) []Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(f.cfg.Clock.Now())
	out := []Notification{}
	for _, n := range f.post.sent {
		if n.Seq > after {
			out = append(out, n)
		}
	}
	return out
}

// deliver hands notifications to Config.Notify as time goes by, until Close.
func (f *Fake) deliver() {
	for f.cfg.Clock.Sleep(f.life, notifyEvery) == nil {
		f.mu.Lock()
		f.advance(f.cfg.Clock.Now())
		batch := f.post.outbox
		f.post.outbox = nil
		f.mu.Unlock()
		for _, n := range batch {
			f.cfg.Notify(n)
		}
	}
}

// transports are the notification types that the fake lets sellers subscribe
// to: how they travel, and the only payload version.
var transports = map[string]struct {
	eventBridge bool
	version     string
}{
	contract.DocumentListingStatus: {true, "1.0"},
	contract.DocumentListingIssues: {true, "2023-12-13"},
	"ANY_OFFER_CHANGED":            {false, "1.0"},
	contract.DocumentFeedFinished:  {false, "2020-09-04"},
	"ACCOUNT_STATUS_CHANGED":       {false, "2021-01-01"},
}

// payload is the models' wrapper of the Notifications API.
func payload(v any) answer { return answer{http.StatusOK, map[string]any{"payload": v}, ""} }

func badRequest(message string) answer { return refuse(http.StatusBadRequest, message, "") }
