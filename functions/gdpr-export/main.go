// Command gdpr-export is the Lambda function that hands tenants their data: it
// answers the API's /exports and /ledger routes and works off the privacy queue.
package main

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
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
	objects := s3.Client(aws, cfg.Stage == runtime.Local)
	sealer := envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock)
	blobs := s3.New(objects, awss3.NewPresignClient(objects), cfg.Buckets.Names())
	h, err := newHandler(deps{
		app: app, cfg: cfg, db: db, sealer: sealer, random: rand.Reader,
		blobs: blobs, objects: blobs, spool: spool(""),
		queue:   sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Privacy, sqs.WithTrace(trace.Header)),
		secrets: secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, secretsFor),
	})
	if err != nil {
		return err
	}
	app.Start(h.events().Handle, sealer.Close)
	return nil
}
