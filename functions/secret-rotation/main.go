// Command secret-rotation is the Lambda function that alone replaces Amazon's
// client secret and the peppers of API keys: when they are due, when Amazon has
// sent a new one, and when a person or Secrets Manager says so.
package main

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store/dynamo"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, aws, err := runtime.OpenWithAWS(ctx, &cfg)
	if err != nil {
		return err
	}
	local := cfg.Stage == runtime.Local
	lwa, err := spapi.NewLWA(spapi.LWAOptions{
		Endpoint: cfg.Amazon.LWA, Clock: app.Clock, UserAgent: cfg.UserAgent(), Wrap: trace.RoundTripper,
		Negotiated: app.Negotiated, AllowInsecure: local,
	})
	if err != nil {
		return err
	}
	amazon, err := spapi.New(spapi.Options{
		Endpoints: cfg.Amazon.Endpoints(), Clock: app.Clock, UserAgent: cfg.UserAgent(), Wrap: trace.RoundTripper,
		Negotiated: app.Negotiated, AllowInsecure: local,
	})
	if err != nil {
		return err
	}
	vault := secretsmanager.NewVersions(sm.NewFromConfig(aws))
	h := &handler{
		app: app, names: cfg.Secrets.Secrets,
		lwa: &connect.Rotation{
			DB: dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names()), Vault: vault, Name: cfg.Secrets.LWA,
			LWA: lwa, Amazon: amazon, Region: price.EU, Clock: app.Clock,
		},
		pepper: identity.PepperRotation{Vault: vault, Name: cfg.Secrets.Pepper, Clock: app.Clock, Random: rand.Reader},
	}
	app.Start(runtime.JSON(h.handle))
	return nil
}
