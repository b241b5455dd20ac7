package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/tenant"
)

// Message is one message of a queue.
type Message struct {
	ID   string
	Body []byte
	// Attempt is how often it was delivered, this time included: at least 1.
	Attempt int
}

// envelope are the members that our messages have in common.
type envelope struct {
	Kind   string    `json:"kind"`
	Tenant tenant.ID `json:"tenant"`
	Batch  string    `json:"batch"`
	Trace  string    `json:"trace"`
}

// ErrMalformed is a message that nobody can ever handle. It fails on each
// delivery until the queue moves it to its dead-letter queue, where a person
// finds it; acknowledging it would lose it.
var ErrMalformed = errors.New("runtime: malformed message")

// errNotMade is the error of a message until it was handled: what a crew leaves
// out comes back.
var errNotMade = errors.New("runtime: the message was not handled")

// Decode reads the message's JSON body into v; a body that does not fit is
// ErrMalformed.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Body, v); err != nil {
		return fmt.Errorf("%w %s: %w", ErrMalformed, m.ID, err)
	}
	return nil
}

// SQS makes a Handler that runs h on each message of a batch, all at the same
// time, in the trace of the message's producer and with its tenant and batch
// in the log. A message whose h fails or panics comes back after the queue's
// visibility timeout, the others are done.
//
// When every message failed the invocation fails. For the messages that is the
// same (all come back), but only a failed invocation counts as an error on the
// function's dashboard and makes Lambda slow its polling down, which is right
// when nothing works.
func (a *App) SQS(h func(context.Context, Message) error) Handler { return a.SQSCrew(h, together) }

// Crew makes the calls of one invocation, one for each message: all of them, at
// the same time. The invocation ends when it returns, so that it may do other
// work beside them. A call never panics.
type Crew func(ctx context.Context, calls []func())

// together is the Crew that does nothing else.
func together(_ context.Context, calls []func()) {
	var wg sync.WaitGroup
	for _, call := range calls {
		wg.Go(call)
	}
	wg.Wait()
}

// SQSCrew is SQS with a crew.
func (a *App) SQSCrew(h func(context.Context, Message) error, crew Crew) Handler {
	return JSON(func(ctx context.Context, ev events.SQSEvent) (events.SQSEventResponse, error) {
		errs := make([]error, len(ev.Records))
		calls := make([]func(), len(ev.Records))
		for i, rec := range ev.Records {
			errs[i] = errNotMade
			calls[i] = func() { errs[i] = a.message(ctx, rec, h) }
		}
		crew(ctx, calls)
		// Never nil: a null list is read as total failure by some pollers.
		out := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for i, err := range errs {
			if err != nil {
				out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: ev.Records[i].MessageId})
			}
		}
		if n := len(out.BatchItemFailures); n > 0 && n == len(ev.Records) {
			return events.SQSEventResponse{}, fmt.Errorf("runtime: all %d messages failed: %w", n, errors.Join(errs...))
		}
		return out, nil
	})
}

// message runs h on one message and turns whatever goes wrong into an error.
func (a *App) message(ctx context.Context, rec events.SQSMessage, h func(context.Context, Message) error) (err error) {
	start := a.Clock.Now()
	var env envelope
	end := func(error) {}
	defer func() {
		outcome := "done"
		if v := recover(); v != nil {
			err = fmt.Errorf("runtime: message %s: panic: %v", rec.MessageId, v)
			a.Log.ErrorContext(ctx, "message panicked", "messageId", rec.MessageId, "cause", err, "stack", string(debug.Stack()))
			outcome = "panicked"
		} else if err != nil {
			a.Log.ErrorContext(ctx, "message failed", "messageId", rec.MessageId, "kind", env.Kind, "cause", err)
			outcome = "failed"
		}
		end(err)
		a.Metrics.Emit(map[metrics.Dim]string{metrics.Outcome: outcome},
			metrics.Count("Messages", 1), metrics.Millis("MessageTime", a.Clock.Now().Sub(start)))
	}()
	m := Message{ID: rec.MessageId, Body: []byte(rec.Body), Attempt: 1}
	if n, err := strconv.Atoi(rec.Attributes["ApproximateReceiveCount"]); err == nil && n > 1 {
		m.Attempt = n
	}
	if err := m.Decode(&env); err != nil {
		return err
	}
	if env.Tenant != "" && !env.Tenant.Valid() {
		return fmt.Errorf("%w %s: tenant is not well formed", ErrMalformed, m.ID)
	}
	ctx = logs.With(ctx, logs.Fields{Tenant: env.Tenant, Batch: env.Batch})
	from := env.Trace
	if from == "" {
		from = rec.Attributes["AWSTraceHeader"]
	}
	ctx, end = trace.Resume(ctx, from, a.Base.Service)
	return h(ctx, m)
}
