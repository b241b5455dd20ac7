// Command gdpr-erasure is the Lambda function that erases tenants: it takes the
// requests, works off the erasure queue, and looks every quarter of an hour what
// can go on. No other function may delete everything.
package main

import (
	"context"
	"crypto/rand"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/signin/cognito"
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
	client := dynamodb.NewFromConfig(aws)
	db := dynamo.New(client, cfg.Tables.Names())
	objects := s3.Client(aws, cfg.Stage == runtime.Local)
	h, err := newHandler(deps{
		app: app, cfg: cfg, db: db, random: rand.Reader, sweeper: dynamo.NewSweeper(client, db),
		blobs:    s3.New(objects, awss3.NewPresignClient(objects), cfg.Buckets.Names()),
		queue:    sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Erasures, sqs.WithTrace(trace.Header)),
		doorbell: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header)),
		keys:     envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.Secrets.DataKey), db, app.Clock),
		tokens:   broker.NewClient(lambda.NewFromConfig(aws), cfg.TokenBroker, app.Clock, rand.Reader),
		secrets:  secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, secretsFor),
		// No app client: nobody signs in here.
		deleteUser: cognito.New(cip.NewFromConfig(aws), cfg.UserPool, "").Delete,
	})
	if err != nil {
		return err
	}
	app.Start(h.events().Handle)
	return nil
}
