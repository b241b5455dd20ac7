// Command price-export is the Lambda function that makes the tables which sellers
// take away, in as many runs as that takes.
package main

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/ledger"
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
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	files := s3.Client(aws, cfg.Stage == runtime.Local)
	sealer := envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock)
	h := newHandler(deps{
		app: app, db: db, blobs: s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names()),
		queue:  sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Downloads, sqs.WithTrace(trace.Header)),
		ledger: ledger.New(db, sealer, app.Clock, rand.Reader),
	})
	app.Start(app.SQS(h.message), sealer.Close)
	return nil
}
