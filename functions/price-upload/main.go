// Command price-upload is the Lambda function behind the API's plans, batches
// and offers: it plans price files, takes plan tokens, and reports.
package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
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
	files := s3.Client(aws, cfg.Stage == runtime.Local)
	secrets := secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, 5*time.Minute)
	keys := identity.NewKeys(db, identity.PeppersFrom(secrets, cfg.Secrets.Pepper), app.Clock, rand.Reader)
	sealer := envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock)
	h := newHandler(deps{
		app: app, cfg: cfg, db: db, blobs: s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names()),
		queue:       sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header)),
		planQueue:   sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Plans, sqs.WithTrace(trace.Header)),
		tables:      sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Downloads, sqs.WithTrace(trace.Header)),
		notices:     sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Notices, sqs.WithTrace(trace.Header)),
		connections: &connect.Service{DB: db, Clock: app.Clock},
		ledger:      ledger.New(db, sealer, app.Clock, rand.Reader),
		sealer:      sealer, hashes: keys.Hashes,
		random: rand.Reader, revoke: keys.Revoke,
	})
	router, err := h.router()
	if err != nil {
		return err
	}
	app.Start(runtime.JSON(router.Lambda(keys)), sealer.Close)
	return nil
}
