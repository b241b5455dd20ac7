package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/test/contract"
	"pricemanager/test/replay"
)

// canary is the client secret in the recorded events.
const canary = "canary-new-client-secret"

// world is the function over memory stores, where one seller account belongs to
// a tenant. What it writes to its log and its metrics is kept.
type world struct {
	queue   *memory.Queue
	handler *handler
	out     *output
	taken   []taken
	ticks   int
	broken  error // what the rotation answers
}

type taken struct {
	client string
	secret string
	ends   time.Time
}

func (w *world) Tick(context.Context) error { w.ticks++; return w.broken }

func (w *world) Take(_ context.Context, client string, s secret.Value, ends time.Time) error {
	w.taken = append(w.taken, taken{client, s.Reveal(), ends})
	return w.broken
}

// output keeps what is written to it, by the log and by the metrics at once.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	w := &world{queue: memory.NewQueue(clk), out: &output{}}
	// The seller account that a tenant has proven to own.
	err := db.Put(t.Context(), store.Directory, store.Connections, store.Item{
		Key:   store.Key{PK: "seller#EU#A2REPLAY", SK: "claim"},
		Attrs: map[string]any{"tenant": "t_replay0001", "connection": "conn_" + strings.Repeat("a", 26)},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = &handler{
		app:         &runtime.App{Log: slog.New(slog.NewJSONHandler(w.out, nil)), Metrics: metrics.New(w.out, clk, "amazon-events", "local"), Clock: clk},
		connections: &connect.Service{DB: db, Clock: clk}, bell: lane.Bell{DB: db, Queue: w.queue, Now: clk.Now}, rotation: w,
	}
	return w
}

// rung fails the test unless the seller's lane was rung so many times.
func (w *world) rung(t *testing.T, want int) {
	t.Helper()
	messages := w.queue.Receive(10, time.Minute)
	if len(messages) != want {
		t.Fatalf("%d doorbells, want %d", len(messages), want)
	}
	for _, m := range messages {
		d, err := lane.ParseDoorbell(m.Body)
		if err != nil || d.Kind != lane.KindLane || d.Tenant != "t_replay0001" || !strings.HasPrefix(string(d.Connection), "conn_") {
			t.Errorf("rang %+v, %v", d, err)
		}
	}
}

func TestRecordedNotificationsAreTaken(t *testing.T) {
	var w *world
	listing := func(want string, rung int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			var r result
			if err != nil || json.Unmarshal(out, &r) != nil || r.Outcome != want {
				t.Fatalf("%s, %v; want %s", out, err, want)
			}
			w.rung(t, rung)
		}
	}
	queued := func(want string, rung int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed()(t, out, err)
			if !strings.Contains(w.out.String(), `"outcome":"`+want+`"`) {
				t.Errorf("want %s: %s", want, w.out)
			}
			w.rung(t, rung)
		}
	}
	// failed leaves the message where it is, and says nothing of what it holds.
	failed := func(contains string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Error(contains)(t, out, err)
			if strings.Contains(w.out.String()+err.Error()+string(out), canary) {
				t.Errorf("the secret is told: %v\n%s", err, w.out)
			}
			w.rung(t, 0)
		}
	}
	ends := func(t *testing.T, out json.RawMessage, err error) {
		t.Helper()
		queued("secret-ends", 0)(t, out, err)
		at, known, err := w.handler.connections.SecretEnd(context.Background())
		if err != nil || !known || !at.Equal(time.Date(2027, 2, 20, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("the secret ends at %v, %t, %v", at, known, err)
		}
		if !strings.Contains(w.out.String(), `"ClientSecretEnding":1`) || !strings.Contains(w.out.String(), `"ClientSecretLeft":7776000`) {
			t.Errorf("the alarm's metric is missing: %s", w.out)
		}
		if w.ticks != 1 {
			t.Errorf("the rotation was begun %d times", w.ticks)
		}
	}
	replay.Run(t, "amazon-events", true, func(t *testing.T) replay.Handler {
		w = newWorld(t)
		return replay.Handler(w.handler.serve())
	}, map[string]replay.Check{
		"success-status-change":         listing("noticed", 1),
		"success-issues-change":         listing("noticed", 1),
		"success-other-type":            listing("ignored", 0),
		"success-unknown-seller":        listing("unknown-seller", 0),
		"failure-no-sku":                replay.Error("lacks its seller"),
		"failure-unknown-marketplace":   replay.Error("lacks its seller"),
		"success-feed-finished":         queued("feed-ended", 1),
		"success-feed-unknown-seller":   queued("unknown-seller", 0),
		"success-feed-of-a-vendor":      queued("ignored", 0),
		"success-feed-of-another-type":  queued("ignored", 0),
		"success-queue-other-type":      queued("ignored", 0),
		"success-secret-expiry":         ends,
		"success-new-secret":            queued("secret-taken", 0),
		"failure-new-secret-malformed":  failed("not a notification"),
		"failure-secret-expiry-no-time": failed("not a notification"),
		"failure-feed-without-id":       failed("not a notification"),
		"partial-not-a-notification": func(t *testing.T, out json.RawMessage, err error) {
			replay.Failed("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333")(t, out, err)
			w.rung(t, 1)
		},
	})
}

// bodies are the notifications of a recorded event.
func bodies(t *testing.T, name string) (list [][]byte) {
	t.Helper()
	var e struct{ Records []struct{ Body string } }
	if err := json.Unmarshal(replay.Event(t, "amazon-events", name), &e); err != nil {
		t.Fatal(err)
	}
	for _, r := range e.Records {
		list = append(list, []byte(r.Body))
	}
	return list
}

func TestRecordedNotificationsAreWhatAmazonsSchemasSay(t *testing.T) {
	t.Parallel()
	spec, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{
		"success-feed-finished": contract.DocumentFeedFinished, "success-feed-of-a-vendor": contract.DocumentFeedFinished,
		"success-secret-expiry": contract.DocumentSecretExpiry, "success-new-secret": contract.DocumentNewSecret,
	} {
		if err := spec.CheckDocument(kind, bodies(t, name)[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A seller may have the same id in two regions, and the notification names none.
func TestAFeedsEndIsToldToEveryRegionOfItsSeller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := w.handler.connections.DB
	err := db.Put(t.Context(), store.Directory, store.Connections, store.Item{
		Key:   store.Key{PK: "seller#NA#A2REPLAY", SK: "claim"},
		Attrs: map[string]any{"tenant": "t_replay0001", "connection": "conn_" + strings.Repeat("b", 26)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // notifications come at least once
		if _, err := w.handler.serve()(t.Context(), replay.Event(t, "amazon-events", "success-feed-finished")); err != nil {
			t.Fatal(err)
		}
	}
	w.rung(t, 4)
}

// Whoever takes a new secret is given all of it, and the message is then done; as
// long as it is not taken the message stays.
func TestANewSecretReachesWhoeverTakesItAndStaysUntilThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = errors.New("not now")
	out, err := w.handler.serve()(t.Context(), replay.Event(t, "amazon-events", "success-new-secret"))
	replay.Error("not now")(t, out, err)
	w.broken = nil
	out, err = w.handler.serve()(t.Context(), replay.Event(t, "amazon-events", "success-new-secret"))
	replay.Failed()(t, out, err)
	want := taken{"amzn1.application-oa2-client.local", canary, time.Date(2027, 5, 21, 9, 0, 0, 0, time.UTC)}
	if len(w.taken) != 2 || w.taken[0] != want || w.taken[1] != want {
		t.Errorf("took %+v", w.taken)
	}
	if strings.Contains(w.out.String(), canary) {
		t.Errorf("the secret is in the log: %s", w.out)
	}
}

func TestANoticeIsKeptWhenTheRotationCannotBeBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = errors.New("not now")
	out, err := w.handler.serve()(t.Context(), replay.Event(t, "amazon-events", "success-secret-expiry"))
	replay.Failed()(t, out, err)
	if _, known, err := w.handler.connections.SecretEnd(t.Context()); !known || err != nil {
		t.Errorf("the end is not recorded: %v", err)
	}
}

func TestAnOldNoticeAboutASecretRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.handler.connections.SecretEnds(t.Context(), time.Date(2027, 8, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	out, err := w.handler.serve()(t.Context(), replay.Event(t, "amazon-events", "success-secret-expiry"))
	replay.Failed()(t, out, err)
	if strings.Contains(w.out.String(), "ClientSecretEnding") {
		t.Errorf("an alarm: %s", w.out)
	}
}

func FuzzAMessageIsTakenOrRefusedAndNeverRepeated(f *testing.F) {
	f.Add("APPLICATION_OAUTH_CLIENT_NEW_SECRET", "2027-05-21T09:00:00.000Z")
	f.Add("APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY", "")
	f.Add("FEED_PROCESSING_FINISHED", "x")
	f.Fuzz(func(t *testing.T, kind, text string) {
		w := newWorld(t)
		body, err := json.Marshal(map[string]any{"notificationType": kind, "payload": map[string]any{
			"applicationOAuthClientNewSecret":    map[string]string{"clientId": text, "newClientSecret": canary, "newClientSecretExpiryTime": text},
			"applicationOAuthClientSecretExpiry": map[string]string{"clientSecretExpiryTime": text},
			"feedProcessingFinishedNotification": map[string]string{"sellerId": text, "feedId": text, "feedType": text},
		}})
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		if err := w.handler.message(t.Context(), runtime.Message{ID: "m", Body: body, Attempt: 1}); err != nil {
			told = err.Error()
		}
		if told += w.out.String(); strings.Contains(told, canary) && !strings.Contains(kind, canary) {
			t.Errorf("told: %s", told)
		}
	})
}
