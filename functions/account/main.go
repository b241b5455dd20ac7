// Command account is the Lambda function behind the API's people: sign-up, sign-in,
// members, invitations, sessions, API keys and the company's settings. It also writes
// to owners whose guards were changed.
package main

import (
	"context"
	"crypto/rand"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/mail/ses"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/signin/cognito"
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
	db, keys := dynamo.New(dynamodb.NewFromConfig(aws), cfg.Tables.Names()), kms.NewFromConfig(aws)
	sealer := envelope.New(awskms.New(keys, cfg.Secrets.DataKey), db, app.Clock)
	h, err := newHandler(deps{
		app: app, cfg: cfg, db: db, sealer: sealer, random: rand.Reader,
		queue:    sqs.New(awssqs.NewFromConfig(aws), cfg.Queues.Notices, sqs.WithTrace(trace.Header)),
		index:    awskms.NewIndex(keys, cfg.IndexKey).Of,
		provider: cognito.New(cip.NewFromConfig(aws), cfg.UserPool, cfg.Client),
		mail:     ses.New(sesv2.NewFromConfig(aws), cfg.MailFrom),
		secrets:  secret.NewCached(secretsmanager.New(sm.NewFromConfig(aws)), app.Clock, 5*time.Minute),
	})
	if err != nil {
		return err
	}
	app.Start(h.events().Handle, sealer.Close)
	return nil
}
