// Command amazon-events is the Lambda function that hears Amazon's
// notifications: those about listings from EventBridge, those about feeds and
// about our own credentials from a queue.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret/rotation"
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
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	h := &handler{
		app: app, connections: &connect.Service{DB: db, Clock: app.Clock}, rotation: rotation.NewClient(lambda.NewFromConfig(aws), cfg.Rotation),
		bell: lane.Bell{DB: db, Now: app.Clock.Now, Trace: trace.Header,
			Queue: sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Doorbell, sqs.WithTrace(trace.Header))},
	}
	app.Start(h.serve())
	return nil
}
