// Command price-sync is the Lambda function that drives lanes: it is rung by
// the doorbell queue, sends prices to Amazon, reads them back, and imports
// catalogues.
package main

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/connect"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/spapi"
	"pricemanager/internal/spapi/broker"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/store/sqs"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, aws, err := runtime.OpenWithAWS(ctx, &cfg)
	if err != nil {
		return err
	}
	local := cfg.Stage == runtime.Local
	tokens := broker.NewClient(lambda.NewFromConfig(aws), cfg.TokenBroker, app.Clock, rand.Reader)
	amazon, err := spapi.New(spapi.Options{
		Endpoints: cfg.Amazon.Endpoints(), Tokens: tokens, Clock: app.Clock, UserAgent: cfg.UserAgent(),
		Wrap: trace.RoundTripper, Negotiated: app.Negotiated, AllowInsecure: local,
	})
	if err != nil {
		return err
	}
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	files := s3.Client(aws, local)
	h := newHandler(deps{
		app: app, cfg: cfg, db: db, blobs: s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names()),
		queue:     sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header)),
		planQueue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Plans, sqs.WithTrace(trace.Header)),
		amazon:    amazon, previews: amazon, feeds: spapi.NewFeeds(amazon), connections: &connect.Service{DB: db, Clock: app.Clock},
		notifications: spapi.NewNotifications(amazon, tokens),
	})
	app.Start(app.SQSCrew(h.message, h.crew))
	return nil
}
