// Command scheduler is the Lambda function that EventBridge wakes: it sweeps
// lanes that nobody drives, has price files fetched and catalogues read again,
// archives ledger checkpoints, compares items with the ledger, and tells how long open incidents have been known.
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

	"pricemanager/internal/audit"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/store"
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
	blobs := s3.New(files, awss3.NewPresignClient(files), cfg.Buckets.Names())
	h := &handler{
		app: app, db: db, blobs: blobs,
		bell: lane.Bell{DB: db, Now: app.Clock.Now, Trace: trace.Header,
			Queue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header))},
		pulls: pull.Bell{DB: db, Now: app.Clock.Now, Trace: trace.Header,
			Queue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Pulls, sqs.WithTrace(trace.Header))},
		log: ledger.New(db, sealer, app.Clock, rand.Reader).WithSigner(
			ledger.SignerFrom(secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, 5*time.Minute), cfg.Secrets.LedgerSigner)),
	}
	h.audit = &audit.Reconciler{DB: db, Blobs: blobs, Ledger: h.log, Mappers: audit.Mappers(), Clock: app.Clock,
		Outbox: ledger.Outbox{DB: db, Table: store.Offers, Clock: app.Clock}, Closed: privacy.Doors{DB: db}.Closed}
	app.Start(runtime.JSON(h.job))
	return nil
}
