package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Events are the handlers of a function that serves several kinds of events.
// A kind without a handler is refused.
type Events struct {
	API    Handler // API Gateway REST proxy
	SQS    Handler
	Stream Handler // DynamoDB stream
	Direct Handler // EventBridge, schedules and direct invocations
}

// Handle sends an event to the handler of its kind.
func (e Events) Handle(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	kind, err := sniff(event)
	if err != nil {
		return nil, err
	}
	h := map[kindOfEvent]Handler{apiEvent: e.API, sqsEvent: e.SQS, streamEvent: e.Stream, directEvent: e.Direct}[kind]
	if h == nil {
		return nil, fmt.Errorf("runtime: this function takes no %s events", kind)
	}
	return h(ctx, event)
}

type kindOfEvent string

const (
	apiEvent    kindOfEvent = "API Gateway"
	sqsEvent    kindOfEvent = "SQS"
	streamEvent kindOfEvent = "DynamoDB stream"
	directEvent kindOfEvent = "direct"
)

var errEvent = errors.New("runtime: the event is not a JSON object")

// sniff finds the kind of an event by its top-level members, reading no more
// of it than it must: an upload's body can be megabytes.
func sniff(event []byte) (kindOfEvent, error) {
	d := json.NewDecoder(bytes.NewReader(event))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", errEvent
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", errEvent
		}
		switch name {
		case "httpMethod":
			return apiEvent, nil
		case "Records":
			var records []struct{ EventSource string }
			if err := d.Decode(&records); err != nil || len(records) == 0 {
				return "", fmt.Errorf("runtime: the event's Records are empty or not records")
			}
			switch records[0].EventSource {
			case "aws:sqs":
				return sqsEvent, nil
			case "aws:dynamodb":
				return streamEvent, nil
			default:
				return "", fmt.Errorf("runtime: records of an unknown source")
			}
		}
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return "", errEvent
		}
	}
	return directEvent, nil
}
