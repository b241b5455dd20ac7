package main

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/plan"
	"pricemanager/internal/runtime"
	"pricemanager/test/replay"
)

// deliver hands what is in the queue to the function and reports how much that was.
func (w *world) deliver(t *testing.T) int {
	t.Helper()
	sent := w.queue.Receive(10, runtime.RunFor)
	var ev events.SQSEvent
	for _, m := range sent {
		ev.Records = append(ev.Records, events.SQSMessage{MessageId: m.ID, Body: string(m.Body), EventSource: "aws:sqs"})
	}
	in, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.serve(t.Context(), in)
	replay.Failed()(t, out, err)
	for _, m := range sent {
		w.queue.Delete(m.ID)
	}
	return len(sent)
}

func TestARunThatHasNoTimeLeftSendsForTheNextWhichMakesTheOnePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, _, err := w.plans.List(t.Context(), seller, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.serve(t.Context(), replay.Event(t, "price-plan", "success-handed-on"))
	replay.Failed()(t, out, err)
	p, err := w.plans.Load(t.Context(), seller, long)
	if err != nil || p.State != plan.Reading || p.Token != "" || p.Progress.RowsRead != 1_000 || p.Progress.Rows != longRows {
		t.Fatalf("after the first run: %s %+v, %v", p.State, p.Progress, err)
	}
	if n := w.deliver(t); n != 1 {
		t.Fatalf("%d messages were sent for the next run", n)
	}
	p, err = w.plans.Load(t.Context(), seller, long)
	if err != nil || p.State != plan.Ready || p.Summary.Rows != longRows || p.Summary.Planned != 1 || w.queue.Len() != 0 {
		t.Fatalf("after the second run: %s %+v with %d messages, %v", p.State, p.Summary, w.queue.Len(), err)
	}
	token := p.Token
	// The first message once more, as a queue may deliver it.
	out, err = w.serve(t.Context(), replay.Event(t, "price-plan", "success-handed-on"))
	replay.Failed()(t, out, err)
	if p, err = w.plans.Load(t.Context(), seller, long); err != nil || p.Token != token || w.queue.Len() != 0 {
		t.Errorf("delivered again: token %q and %d messages, %v; want %q", p.Token, w.queue.Len(), err, token)
	}
	rows := 0
	for after := ""; ; {
		page, err := w.plans.Rows(context.Background(), seller, long, after, 1_000, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			if rows++; r.N != int64(rows) {
				t.Fatalf("row %d is numbered %d", rows, r.N)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	after, _, err := w.plans.List(t.Context(), seller, "", 100)
	if err != nil || rows != longRows || len(after) != len(before) {
		t.Errorf("%d rows in %d plans, %v; want %d in %d", rows, len(after), err, longRows, len(before))
	}
}
