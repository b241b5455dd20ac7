// Package sqs is the store.Queue over a standard SQS queue.
//
// What is promised when things fail: as package store says. A Send whose answer
// was lost is repeated, so the message may be there twice; a doorbell rung twice
// does no harm, and whoever sends anything else makes its consumer idempotent.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/store"
)

// API is the part of *sqs.Client that Queue uses.
type API interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var _ API = (*sqs.Client)(nil)

// Queue is a store.Queue over SQS.
type Queue struct {
	client API
	url    string
	trace  func(context.Context) string
}

var _ store.Queue = (*Queue)(nil)

// Option changes a Queue from its defaults.
type Option func(*Queue)

// WithTrace sends the X-Ray header that trace finds in the context, such as
// "Root=1-...;Parent=...;Sampled=1", along with each message, so that the
// consumer's invocation continues the trace. "" sends none.
func WithTrace(trace func(context.Context) string) Option {
	return func(q *Queue) { q.trace = trace }
}

// New returns the queue with the given URL.
func New(client API, url string, options ...Option) *Queue {
	q := &Queue{client: client, url: url, trace: func(context.Context) string { return "" }}
	for _, o := range options {
		o(q)
	}
	return q
}

// Send enqueues body.
func (q *Queue) Send(ctx context.Context, body []byte, delay time.Duration) error {
	seconds, err := store.CheckMessage(body, delay)
	if err != nil {
		return err
	}
	in := &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(body)), DelaySeconds: seconds}
	if header := q.trace(ctx); header != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {
				DataType: aws.String("String"), StringValue: &header,
			},
		}
	}
	if _, err := q.client.SendMessage(ctx, in); err != nil {
		var api smithy.APIError
		if errors.As(err, &api) && (api.ErrorCode() == "RequestThrottled" || api.ErrorCode() == "ThrottlingException") {
			return fmt.Errorf("%w: %w", store.ErrThrottled, err)
		}
		return fmt.Errorf("sqs: %w", err)
	}
	return nil
}
