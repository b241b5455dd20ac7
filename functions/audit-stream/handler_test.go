package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/audit"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const owner tenant.ID = "t_aaaaaa"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type world struct {
	*handler
	log *ledger.Log
}

func setup(t *testing.T) world {
	t.Helper()
	clk := clock.NewManual(start)
	db := memory.New(clk)
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader)
	return world{log: log, handler: &handler{
		app:    &runtime.App{Log: logs.New(io.Discard, runtime.Base{}.LogLevel, "audit-stream", "test"), Clock: clk},
		tables: map[store.Table]string{store.Identity: "pm-identity", store.Offers: "pm-offers", store.Privacy: "pm-privacy"},
		pump:   &ledger.Pump{Log: log, Mappers: audit.Mappers()},
	}}
}

// created is the stream's record of a new export request.
func created(t *testing.T, seq int, id string) events.DynamoDBEventRecord {
	t.Helper()
	raw := fmt.Sprintf(`{
		"eventName": "INSERT", "eventSource": "aws:dynamodb",
		"eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/pm-privacy/stream/2026-01-01T00:00:00.000",
		"dynamodb": {
			"ApproximateCreationDateTime": %d, "SequenceNumber": "%d", "StreamViewType": "NEW_AND_OLD_IMAGES",
			"Keys": {"pk": {"S": "%s#export"}, "sk": {"S": "%s"}},
			"NewImage": {"pk": {"S": "%s#export"}, "sk": {"S": "%s"}, "state": {"S": "running"}, "by": {"S": "key:1"}, "at": {"N": "%d"}}
		}}`, start.Unix(), 100+seq, owner, id, owner, id, start.UnixMilli())
	var r events.DynamoDBEventRecord
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (w world) targets(t *testing.T) (out []string) {
	t.Helper()
	leaves, err := w.log.Events(context.Background(), owner, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		var e ledger.Event
		if err := json.Unmarshal(l.Event, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Target)
	}
	return out
}

func (w world) handle(t *testing.T, records ...events.DynamoDBEventRecord) []string {
	t.Helper()
	out, err := w.stream(context.Background(), events.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	if out.BatchItemFailures == nil {
		t.Fatal("the list of failures is null")
	}
	failed := []string{}
	for _, f := range out.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func TestStreamRecordsBecomeEventsOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for range 2 {
		if failed := w.handle(t, created(t, 1, "exp_1"), created(t, 2, "exp_2")); len(failed) != 0 {
			t.Fatalf("failed %v", failed)
		}
	}
	if got := w.targets(t); !slices.Equal(got, []string{"exp_1", "exp_2"}) {
		t.Errorf("events of %v", got)
	}
}

func TestTheAnswerHasAListEvenWhenNothingFailed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	out, err := runtime.JSON(w.stream)(context.Background(), json.RawMessage(`{"Records":[]}`))
	if err != nil || !bytes.Equal(out, []byte(`{"batchItemFailures":[]}`)) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestAMalformedRecordIsReportedAndNeverAcknowledged(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*events.DynamoDBEventRecord){
		"foreign table": func(r *events.DynamoDBEventRecord) { r.EventSourceArn = "arn:aws:dynamodb:x:1:table/other/stream/1" },
		"no tenant":     func(r *events.DynamoDBEventRecord) { r.Change.Keys["pk"] = events.NewStringAttribute("export") },
		"no keys":       func(r *events.DynamoDBEventRecord) { r.Change.Keys = nil },
		"wrong key":     func(r *events.DynamoDBEventRecord) { r.Change.Keys["pk"] = events.NewNumberAttribute("1") },
		"a float":       func(r *events.DynamoDBEventRecord) { r.Change.NewImage["at"] = events.NewNumberAttribute("1.5") },
		"no images":     func(r *events.DynamoDBEventRecord) { r.Change.NewImage = nil },
		"new state":     func(r *events.DynamoDBEventRecord) { r.Change.NewImage["state"] = events.NewStringAttribute("odd") },
	} {
		w := setup(t)
		bad := created(t, 2, "exp_2")
		spoil(&bad)
		if failed := w.handle(t, created(t, 1, "exp_1"), bad, created(t, 3, "exp_3")); !slices.Equal(failed, []string{"102"}) {
			t.Errorf("%s: failed %v, want the second record", name, failed)
		}
		if got := w.targets(t); !slices.Equal(got, []string{"exp_1"}) {
			t.Errorf("%s: events of %v", name, got)
		}
		// What was before it is not doubled, what is after it is not lost.
		if failed := w.handle(t, created(t, 1, "exp_1"), created(t, 2, "exp_2"), created(t, 3, "exp_3")); len(failed) != 0 {
			t.Errorf("%s: repaired: %v", name, failed)
		}
		if got := w.targets(t); !slices.Equal(got, []string{"exp_1", "exp_2", "exp_3"}) {
			t.Errorf("%s: repaired: events of %v", name, got)
		}
	}
}

func TestTheLocalAWSGetsAPartialFailureAsAWholeOne(t *testing.T) {
	t.Parallel()
	w := setup(t)
	good, bad := created(t, 1, "exp_1"), created(t, 2, "exp_2")
	bad.Change.Keys = nil
	if _, err := w.all(context.Background(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{good, bad}}); !errors.Is(err, errPartly) {
		t.Errorf("a batch of which a part failed: %v", err)
	}
	if _, err := w.all(context.Background(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{good}}); err != nil {
		t.Errorf("the good part again: %v", err)
	}
	if got := w.targets(t); !slices.Equal(got, []string{"exp_1"}) {
		t.Errorf("events of %v", got)
	}
}

func TestAPanicBecomesAFailedRecord(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.pump.Mappers[store.Privacy] = func(store.Record) []ledger.Event { panic("boom") }
	if failed := w.handle(t, created(t, 1, "exp_1")); !slices.Equal(failed, []string{"101"}) {
		t.Errorf("failed %v", failed)
	}
}

func TestEveryStreamedTableHasAMapper(t *testing.T) {
	t.Parallel()
	m := audit.Mappers()
	for _, table := range store.Streamed() {
		if m[table] == nil {
			t.Errorf("no mapper for %s: its changes would block the stream", table)
		}
	}
}
