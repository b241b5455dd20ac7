// Command token-broker is the Lambda function that alone may read refresh
// tokens. Other functions invoke it directly and get access tokens.
package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg config
	app, aws, err := runtime.OpenWithAWS(ctx, &cfg)
	if err != nil {
		return err
	}
	lwa, err := spapi.NewLWA(spapi.LWAOptions{
		Endpoint: cfg.Amazon.LWA, Clock: app.Clock, UserAgent: cfg.UserAgent(),
		Wrap: trace.RoundTripper, Negotiated: app.Negotiated, AllowInsecure: cfg.Stage == runtime.Local,
	})
	if err != nil {
		return err
	}
	vault := secretsmanager.New(sm.NewFromConfig(aws), secretsmanager.WithKey(cfg.Secrets.DataKey))
	db := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names())
	h := &handler{log: app.Log, clock: app.Clock, random: rand.Reader, outbox: ledger.Outbox{DB: db, Table: store.Connections, Clock: app.Clock}, broker: connect.NewBroker(connect.BrokerOptions{
		Vault: vault, Static: secret.NewCached(vault, app.Clock, 5*time.Minute), LWAKey: cfg.Secrets.LWA,
		Prefix: cfg.Secrets.ConnectionPrefix, LWA: lwa, Clock: app.Clock, Random: rand.Reader,
		// Not the one that rotates the client secret: secret-rotation has that.
		Scopes: []amazon.Scope{amazon.ScopeNotifications},
		Shared: &connect.Shared{DB: db, Sealer: envelope.New(awskms.New(kms.NewFromConfig(aws), cfg.SealKey), db, app.Clock), Clock: app.Clock},
		Health: &connect.Book{DB: db, Clock: app.Clock},
	})}
	app.Start(runtime.JSON(h.handle))
	return nil
}
