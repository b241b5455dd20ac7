// Command price-plan is the Lambda function that makes the plans of uploaded
// price files, in as many runs as that takes.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/store/sqs"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, err := runtime.Open(ctx, &cfg)
	if err != nil {
		return err
	}
	aws, err := app.AWS(ctx)
	if err != nil {
		return err
	}
	files := s3.Client(aws, cfg.Stage == runtime.Local)
	h := newHandler(deps{
		app: app, db: dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names()),
		blobs: s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names()),
		queue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Plans, sqs.WithTrace(trace.Header)),
	})
	app.Start(app.SQS(h.message))
	return nil
}
