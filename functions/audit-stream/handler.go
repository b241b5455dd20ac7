package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Buckets runtime.Buckets
	Secrets runtime.Secrets
}

type handler struct {
	app    *runtime.App
	tables map[store.Table]string
	pump   *ledger.Pump
	growth growth
	alert  alert
}

// errPartly fails an invocation of which a part succeeded.
var errPartly = errors.New("audit-stream: a part of the batch did not get into the ledger")

// all is stream for the local AWS: ministack 1.5.33 does not read which records
// of a stream failed and would go on after them, so the whole batch has to come
// again.
func (h *handler) all(ctx context.Context, ev events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	out, err := h.stream(ctx, ev)
	if err == nil && len(out.BatchItemFailures) > 0 {
		err = errPartly
	}
	return out, err
}

// stream takes one batch of a table's stream. A record that did not get into
// its ledger is reported, and the stream comes again from there until it does,
// or until its retries are used up and it goes to the dead-letter queue: it is
// never acknowledged unwritten. Records that come again without need change
// nothing.
func (h *handler) stream(ctx context.Context, ev events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	start := h.app.Clock.Now()
	records, failed, err := h.records(ev)
	// What comes before a malformed record is written first. What comes after
	// waits: nobody can say whose order it would break.
	stuck, handled := h.pump.Handle(ctx, records)
	if len(stuck) > 0 {
		failed = stuck // the pump's records all come before the malformed one
	}
	// Never nil: a null list is read as total failure by some pollers.
	out := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	for _, seq := range failed {
		out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: seq})
	}
	for _, cause := range []error{err, handled} {
		if cause != nil {
			h.app.Log.ErrorContext(ctx, "records did not get into the ledger", "cause", cause, "records", len(ev.Records), "from", failed)
		}
	}
	h.growth.note(ctx, records, func(t tenant.ID, err error) {
		h.app.Log.WarnContext(ctx, "a price history did not grow; it is read from the ledger meanwhile", "tenant", t, "cause", err)
	})
	h.alert.note(ctx, h.app, records)
	h.app.Metrics.Emit(nil,
		metrics.Count("StreamRecords", int64(len(ev.Records))), metrics.Count("StreamFailures", int64(len(failed))),
		metrics.Millis("StreamTime", h.app.Clock.Now().Sub(start)))
	return out, nil
}

// records reads the batch up to the first malformed record, and returns that
// one's number.
func (h *handler) records(ev events.DynamoDBEvent) (records []store.Record, failed []string, err error) {
	for _, raw := range ev.Records {
		r, err := h.record(raw)
		if err != nil {
			return records, []string{raw.Change.SequenceNumber}, err
		}
		records = append(records, r)
	}
	return records, nil, nil
}

// record turns a panic over an image that cannot be into that record's error.
func (h *handler) record(raw events.DynamoDBEventRecord) (r store.Record, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("audit-stream: record %s: panic: %v", raw.Change.SequenceNumber, v)
		}
	}()
	return dynamo.Record(h.tables, raw)
}
