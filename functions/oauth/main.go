// Command oauth is the Lambda function behind the API's connections: it sends
// sellers to Amazon's consent page and takes them back.
package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/limit"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/spapi"
	"pricemanager/internal/spapi/broker"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/sqs"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, aws, err := runtime.OpenWithAWS(ctx, &cfg)
	if err != nil {
		return err
	}
	sellers, err := spapi.New(spapi.Options{
		Endpoints: cfg.Amazon.Endpoints(), Clock: app.Clock, UserAgent: cfg.UserAgent(),
		Wrap: trace.RoundTripper, Negotiated: app.Negotiated, AllowInsecure: cfg.Stage == runtime.Local,
	})
	if err != nil {
		return err
	}
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	bell := lane.Bell{DB: db, Now: app.Clock.Now, Trace: trace.Header,
		Queue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header))}
	tokens := broker.NewClient(lambda.NewFromConfig(aws), cfg.TokenBroker, app.Clock, rand.Reader)
	secrets := secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, 5*time.Minute)
	keys := identity.NewKeys(db, identity.PeppersFrom(secrets, cfg.Secrets.Pepper), app.Clock, rand.Reader)
	router, err := newRouter(app.Log, app.Metrics, &connect.Service{DB: db, Clock: app.Clock, Random: rand.Reader,
		Config: cfg.consent(), Tokens: tokens, Sellers: sellers, Importer: bell, Subscriptions: bell}, keys.Hashes, limit.Quotas(cfg.Limits))
	if err == nil {
		app.Start(runtime.JSON(router.Lambda(keys)))
	}
	return err
}
