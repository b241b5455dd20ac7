package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/test/fakeamazon"
)

// tokens are the broker's, as a client is given them.
type tokens struct{ w *world }

func (k tokens) Access(ctx context.Context, a amazon.Account) (secret.Value, error) {
	t, err := k.w.broker.Access(ctx, a)
	return t.Access, err
}

func (k tokens) Grantless(ctx context.Context, s amazon.Scope) (secret.Value, error) {
	t, err := k.w.broker.Grantless(ctx, s)
	return t.Access, err
}

func (w *world) subscriber() *connect.Subscriber {
	w.t.Helper()
	client, err := spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: w.address + "/eu"}, Tokens: tokens{w},
		Clock: w.clock, UserAgent: "PriceManager/1 (Language=Go/1.26)", AllowInsecure: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return &connect.Subscriber{
		Connections: &connect.Service{DB: w.db, Clock: w.clock}, Amazon: spapi.NewNotifications(client, tokens{w}),
		Bus:   amazon.Destination{EventBridgeAccount: "123456789012", EventBridgeRegion: "eu-central-1"},
		Queue: amazon.Destination{QueueARN: "arn:aws:sqs:eu-central-1:123456789012:q"},
	}
}

// subscribe looks after a connection's notifications a day later and returns
// what the connection says then.
func (w *world) subscribe(s *connect.Subscriber, id price.ConnectionID) []connect.Subscription {
	w.t.Helper()
	w.clock.Advance(24 * time.Hour)
	got, err := s.Subscribe(w.t.Context(), alpha, id)
	if err != nil {
		w.t.Fatal(err)
	}
	shown := w.get(alpha, id).Subscriptions
	if d := cmp.Diff(got, shown); d != "" {
		w.t.Errorf("recorded is not what was found: %s", d)
	}
	return shown
}

func (w *world) fault(f fakeamazon.Fault) {
	w.t.Helper()
	if _, err := w.fake.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) calls(op string) int { return len(w.fake.Requests(fakeamazon.Query{Op: op})) }

func TestAnAuthorisedSellerIsSubscribedOnceAndLookedAfterDaily(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.connect(alpha, seller1), w.connect(alpha, seller2)
	if want := []price.ConnectionID{first.ID, second.ID}; !cmp.Equal(want, w.asked) {
		t.Errorf("asked for the subscriptions of %v, want %v", w.asked, want)
	}
	s := w.subscriber()
	got := w.subscribe(s, first.ID)
	since := w.clock.Now()
	if len(got) != 3 {
		t.Fatalf("subscriptions %+v", got)
	}
	for i, kind := range []amazon.NotificationType{"LISTINGS_ITEM_STATUS_CHANGE", "LISTINGS_ITEM_ISSUES_CHANGE", "FEED_PROCESSING_FINISHED"} {
		if g := got[i]; g.Type != kind || g.State != connect.Standing || g.ID == "" || !g.Since.Equal(since) || g.Reason != "" || !g.At.Equal(since) {
			t.Errorf("%+v", g)
		}
	}
	again := w.subscribe(s, first.ID)
	for i := range again {
		if again[i].ID != got[i].ID || !again[i].Since.Equal(since) || !again[i].At.Equal(w.clock.Now()) {
			t.Errorf("a day later %+v, was %+v", again[i], got[i])
		}
	}
	w.subscribe(s, second.ID)
	w.subscribe(w.subscriber(), second.ID)
	if n := w.calls("createDestination"); n != 2 {
		t.Errorf("%d destinations were made, want the bus and the queue", n)
	}
	if v := w.fake.Violations(); len(v) != 0 {
		t.Errorf("violations %+v", v)
	}
}

func TestASubscriptionThatFailsSaysWhyAndFailsNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	s := w.subscriber()
	w.fault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createSubscription", Status: 403, Times: 1})
	w.fault(fakeamazon.Fault{Kind: fakeamazon.CutAfter, Op: "createSubscription", Times: 1})
	got := w.subscribe(s, c.ID)
	if g := got[0]; g.State != connect.NotStanding || !strings.Contains(g.Reason, "Unauthorized") || !g.Since.IsZero() || g.ID != "" {
		t.Errorf("refused: %+v", g)
	}
	if g := got[1]; g.State != connect.NotStanding || g.Reason != "Amazon could not be asked" {
		t.Errorf("no answer: %+v", g)
	}
	if g := got[2]; g.State != connect.Standing {
		t.Errorf("the third: %+v", g)
	}
	if now := w.get(alpha, c.ID); now.State != connect.Active || now.Reason != "" {
		t.Errorf("the connection is %+v", now)
	}
	// The next day makes the first and finds the second, which was made.
	for _, g := range w.subscribe(s, c.ID) {
		if g.State != connect.Standing {
			t.Errorf("the next day: %+v", g)
		}
	}
	// What stood is not given up for a day on which Amazon does not answer.
	before := w.get(alpha, c.ID).Subscriptions
	w.fault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "createSubscription", Status: 503})
	if d := cmp.Diff(before, w.subscribe(s, c.ID)); d != "" {
		t.Error(d)
	}
}

func TestADestinationThatLeadsNowhereIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	// What another deployment left: its destinations are gone at Amazon.
	for _, sk := range []string{"bus", "queue"} {
		resource := map[string]string{"bus": "123456789012 eu-central-1", "queue": "arn:aws:sqs:eu-central-1:123456789012:q"}[sk]
		err := w.db.Put(t.Context(), store.Directory, store.Connections, store.Item{Key: store.Key{PK: "destination#EU", SK: sk},
			Attrs: map[string]any{"destination": "gone", "resource": resource}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range w.subscribe(w.subscriber(), c.ID) {
		if g.State != connect.Standing {
			t.Errorf("%+v", g)
		}
	}
	// A queue elsewhere is another destination. Amazon keeps the old subscription.
	moved := w.subscriber()
	moved.Queue.QueueARN = "arn:aws:sqs:eu-central-1:123456789012:moved"
	got := w.subscribe(moved, c.ID)
	if got[0].State != connect.Standing || got[2].State != connect.NotStanding || !strings.Contains(got[2].Reason, "already") {
		t.Errorf("after a move: %+v", got)
	}
}

func TestAConnectionThatIsNotActiveIsNotSubscribed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pending, _ := w.start(alpha)
	s := w.subscriber()
	if got := w.subscribe(s, pending); got != nil {
		t.Errorf("pending: %+v", got)
	}
	c := w.connect(alpha, seller1)
	if err := w.service.MarkReauthorise(t.Context(), c.Account(alpha), "gone"); err != nil {
		t.Fatal(err)
	}
	if got := w.subscribe(s, c.ID); got != nil {
		t.Errorf("to be authorised again: %+v", got)
	}
	if _, err := s.Subscribe(t.Context(), beta, c.ID); !errors.Is(err, connect.ErrNotFound) {
		t.Errorf("a foreign connection: %v", err)
	}
	if n := w.calls("createSubscription") + w.calls("createDestination"); n != 0 {
		t.Errorf("Amazon was asked %d times", n)
	}
}

// authorisedMeanwhile lets a new consent happen while Amazon is being asked.
type authorisedMeanwhile struct {
	amazon.Notifications
	do func()
}

func (a *authorisedMeanwhile) Subscribe(ctx context.Context, acc amazon.Account, t amazon.NotificationType, d string) (string, error) {
	a.do()
	return a.Notifications.Subscribe(ctx, acc, t, d)
}

func TestWhatWasFoundForAnOldAuthorisationIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	s := w.subscriber()
	s.Amazon = &authorisedMeanwhile{s.Amazon, func() {
		_, err := w.db.Update(t.Context(), alpha, store.Connections, store.Key{PK: "connections", SK: string(c.ID)}, store.Update{Set: map[string]any{"grant": int64(7)}})
		if err != nil {
			t.Error(err)
		}
	}}
	if _, err := s.Subscribe(t.Context(), alpha, c.ID); err != nil {
		t.Fatal(err)
	}
	if now := w.get(alpha, c.ID); now.Subscriptions != nil {
		t.Errorf("recorded %+v", now.Subscriptions)
	}
}

func TestALostRingForSubscriptionsDoesNotFailTheConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.askErr = errors.New("no queue")
	if c := w.connect(alpha, seller1); c.State != connect.Active || len(w.asked) != 1 || len(w.rung) != 1 {
		t.Errorf("connection %+v, asked %v, imported %v", c, w.asked, w.rung)
	}
}

func TestTheEndOfTheClientSecretIsKnownFromItsLatestNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, known, err := w.service.SecretEnd(t.Context()); known || err != nil {
		t.Errorf("known before a notice: %t, %v", known, err)
	}
	end := time.Date(2027, 2, 20, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at  time.Time
		new bool
	}{{end, true}, {end, true}, {end.AddDate(0, -6, 0), false}, {end.AddDate(0, 6, 0), true}} {
		if got, err := w.service.SecretEnds(t.Context(), c.at); got != c.new || err != nil {
			t.Errorf("%v: %t, %v", c.at, got, err)
		}
	}
	if at, known, err := w.service.SecretEnd(t.Context()); !known || err != nil || !at.Equal(end.AddDate(0, 6, 0)) {
		t.Errorf("%v, %t, %v", at, known, err)
	}
	for _, it := range w.everything() {
		if text, _ := json.Marshal(it); strings.Contains(string(text), "first-secret") {
			t.Errorf("the secret itself is in %s", text)
		}
	}
}
