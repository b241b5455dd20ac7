// Command token-broker is the Lambda function that alone may read refresh
// tokens. Other functions invoke it directly and get access tokens.
package main

import (
	"context"
	"crypto/rand"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/spapi"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, err := runtime.Open(ctx, &cfg)
	if err != nil {
		return err
	}
	aws, err := app.AWS(ctx)
	if err != nil {
		return err
	}
	lwa, err := spapi.NewLWA(spapi.LWAOptions{
		Endpoint: cfg.Amazon.LWA, Clock: app.Clock, UserAgent: cfg.UserAgent(),
		Wrap: trace.RoundTripper, AllowInsecure: cfg.Stage == runtime.Local,
	})
	if err != nil {
		return err
	}
	vault := secretsmanager.New(sm.NewFromConfig(aws), secretsmanager.WithKey(cfg.Secrets.DataKey))
	h := &handler{log: app.Log, broker: connect.NewBroker(connect.BrokerOptions{
		Vault: vault, Static: secret.NewCached(vault, app.Clock, 5*time.Minute), LWAKey: cfg.Secrets.LWA,
		Prefix: cfg.Secrets.ConnectionPrefix, LWA: lwa, Clock: app.Clock, Random: rand.Reader,
		// Not the one that rotates the client secret: nobody here does that yet.
		Scopes: []amazon.Scope{amazon.ScopeNotifications},
	})}
	app.Start(runtime.JSON(h.handle))
	return nil
}
