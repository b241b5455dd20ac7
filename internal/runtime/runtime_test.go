package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"pgregory.net/rapid"

	"pricemanager/internal/runtime/logs"
)

func batch(bodies ...string) json.RawMessage {
	ev := events.SQSEvent{Records: []events.SQSMessage{}}
	for i, b := range bodies {
		ev.Records = append(ev.Records, events.SQSMessage{MessageId: fmt.Sprintf("m%d", i), Body: b, EventSource: "aws:sqs"})
	}
	raw, _ := json.Marshal(ev)
	return raw
}

func TestEachMessageFailsOrSucceedsByItself(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	h := testApp(&logged).SQS(func(ctx context.Context, m Message) error {
		var in struct{ Do string }
		if err := m.Decode(&in); err != nil {
			return err
		}
		switch in.Do {
		case "fail":
			return errors.New("refused " + token)
		case "panic":
			panic("boom " + token)
		}
		if f := logs.From(ctx); f.Tenant != "t_alpha00001" || f.Batch != "bat_1" {
			return fmt.Errorf("context %+v", f)
		}
		return nil
	})
	out, err := h(context.Background(), batch(
		`{"tenant":"t_alpha00001","batch":"bat_1"}`, `{"do":"fail"}`, `{"do":"panic"}`, `not json`, `"text"`, ``,
		`{"tenant":"../etc"}`, `{"do":7}`, `{"tenant":"t_alpha00001","batch":"bat_1","trace":"nonsense"}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"},{"itemIdentifier":"m3"},{"itemIdentifier":"m4"},{"itemIdentifier":"m5"},{"itemIdentifier":"m6"},{"itemIdentifier":"m7"}]}`
	if string(out) != want {
		t.Errorf("answer %s, want %s", out, want)
	}
	if strings.Contains(logged.String(), "CANARY") {
		t.Errorf("a log line leaks: %s", logged.String())
	}
}

func TestAnswerWithoutFailuresIsAnEmptyListNotNull(t *testing.T) {
	t.Parallel()
	h := testApp(&bytes.Buffer{}).SQS(func(context.Context, Message) error { return nil })
	for _, ev := range []json.RawMessage{batch(`{}`), batch()} {
		if out, err := h(context.Background(), ev); err != nil || string(out) != `{"batchItemFailures":[]}` {
			t.Errorf("%s, %v", out, err)
		}
	}
}

func TestInvocationFailsWhenEveryMessageFailed(t *testing.T) {
	t.Parallel()
	h := testApp(&bytes.Buffer{}).SQS(func(context.Context, Message) error { return errors.New("no") })
	if out, err := h(context.Background(), batch(`{}`, `{}`)); err == nil || out != nil {
		t.Errorf("%s, %v", out, err)
	}
}

func TestMessagesRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	all.Add(5)
	h := testApp(&bytes.Buffer{}).SQS(func(context.Context, Message) error {
		all.Done()
		all.Wait() // returns only when all five are here
		return nil
	})
	if _, err := h(context.Background(), batch(`{}`, `{}`, `{}`, `{}`, `{}`)); err != nil {
		t.Fatal(err)
	}
}

// TestExactlyTheFailedMessagesComeBack is the promise of the batch runner for
// any mixture of outcomes.
func TestExactlyTheFailedMessagesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "fail", "panic", "junk"}), 1, 12).Draw(rt, "kinds")
		var bodies []string
		want := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for i, k := range kinds {
			body := fmt.Sprintf(`{"kind":%q}`, k)
			if k == "junk" {
				body = "{"
			}
			bodies = append(bodies, body)
			if k != "ok" {
				want.BatchItemFailures = append(want.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: fmt.Sprintf("m%d", i)})
			}
		}
		h := testApp(&bytes.Buffer{}).SQS(func(_ context.Context, m Message) error {
			switch {
			case strings.Contains(string(m.Body), "fail"):
				return errors.New("no")
			case strings.Contains(string(m.Body), "panic"):
				panic("no")
			}
			return nil
		})
		out, err := h(context.Background(), batch(bodies...))
		if len(want.BatchItemFailures) == len(kinds) {
			if err == nil {
				rt.Fatal("everything failed and the invocation did not")
			}
			return
		}
		b, _ := json.Marshal(want)
		if err != nil || string(out) != string(b) {
			rt.Fatalf("%s, %v, want %s", out, err, b)
		}
	})
}

func TestEventsGoToTheHandlerOfTheirKind(t *testing.T) {
	t.Parallel()
	say := func(s string) Handler {
		return func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(s), nil }
	}
	all := Events{API: say("api"), SQS: say("sqs"), Stream: say("stream"), Direct: say("direct")}
	for ev, want := range map[string]string{
		`{"resource":"/x","path":"/x","httpMethod":"GET","Records":[]}`: "api",
		`{"Records":[{"messageId":"1","eventSource":"aws:sqs"}]}`:       "sqs",
		`{"Records":[{"eventID":"1","eventSource":"aws:dynamodb"}]}`:    "stream",
		`{"job":"sweep"}`: "direct",
		`{"version":"0","detail-type":"Scheduled Event","detail":{"httpMethod":"GET"}}`: "direct",
		`{}`: "direct",
	} {
		if out, err := all.Handle(context.Background(), json.RawMessage(ev)); err != nil || string(out) != want {
			t.Errorf("%s went to %s, %v; want %s", ev, out, err, want)
		}
		if _, err := (Events{}).Handle(context.Background(), json.RawMessage(ev)); err == nil {
			t.Errorf("%s was taken by a function without handlers", ev)
		}
	}
	for _, ev := range []string{"", "null", "[]", "7", `{"Records":[]}`, `{"Records":7}`, `{"Records":[{"eventSource":"aws:s3"}]}`, `{"a":`} {
		if _, err := all.Handle(context.Background(), json.RawMessage(ev)); err == nil {
			t.Errorf("%q was taken", ev)
		}
	}
}

func TestFailuresReachLambdaAndTheLogWithoutCredentials(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]Handler{
		"error": func(context.Context, json.RawMessage) (json.RawMessage, error) {
			return nil, fmt.Errorf("exchange: %w", errors.New("invalid_grant for "+token))
		},
		"panic": func(context.Context, json.RawMessage) (json.RawMessage, error) { panic(token) },
	} {
		var logged bytes.Buffer
		ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "lambda-request-1"})
		out, err := testApp(&logged).guard(h)(ctx, nil)
		if err == nil || out != nil {
			t.Fatalf("%s: %s, %v", name, out, err)
		}
		if strings.Contains(err.Error(), "CANARY") || strings.Contains(logged.String(), "CANARY") {
			t.Errorf("%s leaks: %v, %s", name, err, logged.String())
		}
		if !strings.Contains(logged.String(), `"requestId":"lambda-request-1"`) || !strings.Contains(logged.String(), `"level":"ERROR"`) {
			t.Errorf("%s is logged as %s", name, logged.String())
		}
	}
}

func TestJSONRefusesEventsOfAnotherShape(t *testing.T) {
	t.Parallel()
	h := JSON(func(_ context.Context, in struct{ N int }) (int, error) { return in.N + 1, nil })
	if out, err := h(context.Background(), json.RawMessage(`{"N":1}`)); err != nil || string(out) != "2" {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := h(context.Background(), json.RawMessage(`{"N":"x"}`)); err == nil {
		t.Error("a text was taken as a number")
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`))
	f.Add([]byte(`{"httpMethod":"GET"}`))
	app := testApp(&bytes.Buffer{})
	ok := func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage("{}"), nil }
	all := Events{API: ok, Stream: ok, Direct: ok, SQS: app.SQS(func(context.Context, Message) error { return nil })}
	f.Fuzz(func(t *testing.T, ev []byte) {
		out, err := all.Handle(context.Background(), ev)
		if err == nil && !json.Valid(out) {
			t.Fatalf("%s gave %s", ev, out)
		}
	})
}
