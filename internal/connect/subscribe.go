package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// SubscriptionState says whether Amazon tells us about a connection.
type SubscriptionState string

// The states of a subscription.
const (
	Standing    SubscriptionState = "standing"     // Amazon sends the notification
	NotStanding SubscriptionState = "not-standing" // Reason says why; tried again every day
)

// Subscription is what is known about one kind of notification of a connection.
type Subscription struct {
	Type   amazon.NotificationType `json:"type"`
	State  SubscriptionState       `json:"state"`
	ID     string                  `json:"id,omitempty"`     // Amazon's
	Since  time.Time               `json:"since,omitzero"`   // it stands
	Reason string                  `json:"reason,omitempty"` // why it does not, Amazon's words
	At     time.Time               `json:"at"`               // of the last look
}

// Subscriptions asks for a connection's notifications to be set up, some time
// soon. Repeating it is harmless.
type Subscriptions interface {
	RequestSubscriptions(ctx context.Context, t tenant.ID, c price.ConnectionID) error
}

// Subscriber has Amazon tell us about connections. All fields are needed; a
// zero destination leaves its notifications not standing.
type Subscriber struct {
	Connections *Service // DB and Clock are enough
	Amazon      amazon.Notifications
	Bus, Queue  amazon.Destination
}

// wanted are the notifications that every connection is subscribed to.
var wanted = []amazon.NotificationType{amazon.ListingStatusChange, amazon.ListingIssuesChange, amazon.FeedFinished}

// destinationName is what our destinations are called at Amazon, with their kind.
const destinationName = "price-manager-"

// subscribeWithin bounds the calls to Amazon, so that what became of them can
// still be written down.
const subscribeWithin = 25 * time.Second

// Subscribe sets up what is missing of a connection's notifications, records
// what stands and what does not, and returns it. What Amazon refuses or does not
// answer is no error: notifications only have prices read sooner, and the next
// look tries again. A connection that is not active is left alone.
//
// Crash points: what was made at Amazon is found there the next time.
func (s *Subscriber) Subscribe(ctx context.Context, t tenant.ID, id price.ConnectionID) ([]Subscription, error) {
	c, err := s.Connections.Get(ctx, t, id)
	if err != nil || c.State != Active {
		return nil, err
	}
	limited, cancel := clock.WithDeadline(ctx, s.Connections.Clock, s.Connections.Clock.Now().Add(subscribeWithin))
	defer cancel()
	now := make([]Subscription, 0, len(wanted))
	for _, kind := range wanted {
		had := c.subscription(kind)
		sub := Subscription{Type: kind, State: Standing, Since: had.Since, At: s.Connections.Clock.Now()}
		sub.ID, err = s.subscribe(limited, c.Account(t), kind)
		var refused *amazon.Error
		switch {
		case errors.As(err, &refused) && had.State == Standing && passing(refused):
			sub = had // what stood is not known to have ended
		case errors.As(err, &refused):
			sub.State, sub.Since, sub.Reason = NotStanding, time.Time{}, reasonOf(refused)
		case err != nil:
			return nil, err
		case had.State != Standing || had.ID != sub.ID:
			sub.Since = sub.At
		}
		now = append(now, sub)
	}
	return now, s.record(ctx, t, c, now)
}

// subscribe makes one subscription, or finds it.
func (s *Subscriber) subscribe(ctx context.Context, a amazon.Account, kind amazon.NotificationType) (string, error) {
	to, known, err := s.destination(ctx, a.Region, kind)
	if err != nil {
		return "", err
	}
	id, err := s.Amazon.Subscribe(ctx, a, kind, to)
	var e *amazon.Error
	if !known || !errors.As(err, &e) || (e.Status != 400 && e.Status != 404) {
		return id, err
	}
	// The destination that we remember may have been removed at Amazon.
	again, cerr := s.create(ctx, a.Region, kind)
	switch {
	case cerr != nil:
		return "", cerr
	case again == to:
		return "", err
	}
	return s.Amazon.Subscribe(ctx, a, kind, again)
}

// Destinations are the application's, one of each kind in a region, and so in
// the directory: they name nobody.
const (
	destinationPK  = "destination#" // + region; SK: bus or queue
	busSK, queueSK = "bus", "queue"

	aDestination, aResource = "destination", "resource"
)

func (s *Subscriber) place(r price.Region, kind amazon.NotificationType) (store.Key, amazon.Destination) {
	if kind.ByQueue() {
		return store.Key{PK: destinationPK + string(r), SK: queueSK}, s.Queue
	}
	return store.Key{PK: destinationPK + string(r), SK: busSK}, s.Bus
}

// resourceText tells destinations apart: one that leads elsewhere, because the
// product was moved, is made anew.
func resourceText(d amazon.Destination) string {
	return strings.TrimSpace(d.QueueARN + " " + d.EventBridgeAccount + " " + d.EventBridgeRegion)
}

// destination returns the id of the destination for a notification, and whether
// it was known already.
func (s *Subscriber) destination(ctx context.Context, r price.Region, kind amazon.NotificationType) (id string, known bool, err error) {
	key, d := s.place(r, kind)
	it, err := s.Connections.DB.Get(ctx, store.Directory, store.Connections, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return "", false, fmt.Errorf("connect: read destination: %w", err)
	case it.Str(aResource) == resourceText(d):
		return it.Str(aDestination), true, nil
	}
	id, err = s.create(ctx, r, kind)
	return id, false, err
}

// create makes the destination at Amazon, or finds it there, and remembers it.
// Workers that do so at the same time get the same id.
func (s *Subscriber) create(ctx context.Context, r price.Region, kind amazon.NotificationType) (string, error) {
	key, d := s.place(r, kind)
	id, err := s.Amazon.CreateDestination(ctx, r, destinationName+key.SK, d)
	if err != nil {
		return "", err
	}
	_, err = s.Connections.DB.Update(ctx, store.Directory, store.Connections, key, store.Update{
		Set: map[string]any{aDestination: id, aResource: resourceText(d)},
		If:  []store.Cond{store.AnyOf(store.Ne(aDestination, id), store.Ne(aResource, resourceText(d)))},
	})
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: it says so already
		return "", fmt.Errorf("connect: remember destination: %w", err)
	}
	return id, nil
}

// record keeps what was found, unless the connection was authorised anew since:
// then its own look is on the way.
func (s *Subscriber) record(ctx context.Context, t tenant.ID, c Connection, now []Subscription) error {
	encoded, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("connect: subscriptions: %w", err)
	}
	_, err = s.Connections.DB.Update(ctx, t, store.Connections, connectionKey(c.ID), store.Update{
		Set: map[string]any{aSubscriptions: encoded},
		If:  []store.Cond{store.Eq(aState, string(Active)), store.Eq(aGrant, c.Grant)},
	})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("connect: record subscriptions: %w", err)
	}
	return nil
}

// passing reports whether an error says nothing about the subscription. A
// conflict does: the subscription leads elsewhere.
func passing(e *amazon.Error) bool {
	out := amazon.Classify(e)
	return e.Status != 409 && (out == amazon.Retry || out == amazon.RetryAfter || out == amazon.Unknown)
}

func (c Connection) subscription(kind amazon.NotificationType) Subscription {
	for _, s := range c.Subscriptions {
		if s.Type == kind {
			return s
		}
	}
	return Subscription{}
}

// reasonOf puts a refusal into words for the seller: Amazon's own where there
// are any, and nothing of our insides.
func reasonOf(e *amazon.Error) string {
	words := strings.TrimSpace(strings.Trim(e.Code+": "+e.Message, ": "))
	switch {
	case amazon.Classify(e) == amazon.Reauthorise:
		words = "Amazon does not accept the authorisation: " + words
	case e.Status == 0 && e.Code == "":
		words = "Amazon could not be asked"
	case words == "":
		words = fmt.Sprintf("Amazon answered HTTP %d", e.Status)
	}
	return clip(words)
}

// clip bounds what is kept of Amazon's words.
func clip(words string) string {
	if len(words) > maxReason {
		return strings.ToValidUTF8(words[:maxReason], "")
	}
	return words
}
