// Command audit-stream is the Lambda function that turns changes of the tables
// into ledger events, and has the price history and the detectors follow. It reads
// the streams of the offers, identity, connections and privacy tables.
package main

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"pricemanager/internal/audit"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/history"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/watch"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, aws, err := runtime.OpenWithAWS(ctx, &cfg)
	if err != nil {
		return err
	}
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	sealer := envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock)
	log := ledger.New(db, sealer, app.Clock, rand.Reader)
	objects := s3.Client(aws, cfg.Stage == runtime.Local)
	past := &history.History{Ledger: log, Blobs: s3.New(objects, awss3.NewPresignClient(objects), cfg.Buckets.Names()), Clock: app.Clock}
	doors := privacy.Doors{DB: db}
	h := &handler{
		app: app, tables: cfg.Tables.Names(),
		pump: &ledger.Pump{Log: log, Mappers: audit.Mappers()}, growth: growth{grow: past.Grow, closed: doors.Closed},
		alert: alert{follow: (&watch.Watcher{DB: db, Ledger: log, Clock: app.Clock, Doors: doors}).Follow},
	}
	stream := h.stream
	if cfg.Stage == runtime.Local {
		stream = h.all
	}
	app.Start(runtime.JSON(stream), sealer.Close)
	return nil
}
