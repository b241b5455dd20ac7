// Command price-pull is the Lambda function that fetches price files and exchange
// rates from the addresses that sellers name, and has plans made of the files.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
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
	client, err := cfg.client()
	if err != nil {
		return err
	}
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	sealer := envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock)
	files := s3.Client(aws, cfg.Stage == runtime.Local)
	blobs := s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names())
	h := newHandler(deps{
		app: app, db: db, sealer: sealer, blobs: blobs, files: blobs,
		planQueue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Plans, sqs.WithTrace(trace.Header)),
		fetch:     client, visibility: cfg.Visibility,
	})
	app.Start(app.SQS(h.message), sealer.Close)
	return nil
}
