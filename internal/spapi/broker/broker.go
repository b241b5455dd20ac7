// Package broker is the token broker as its callers see it: a client that
// invokes its Lambda function. The broker is the only one that may read a
// refresh token; everybody else gets access tokens, from here, and keeps them
// in memory only.
//
// Errors are *amazon.Error with the OAuth error code that Login with Amazon
// gave, so that a withdrawn authorisation is told from a passing failure; when
// the broker itself cannot be reached the request did not take effect as far
// as Amazon's listings go, and the caller tries again.
package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/internal/amazon"
	"pricemanager/internal/amazon/tokencache"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi/broker/wire"
	"pricemanager/internal/tenant"
)

// API is the part of the SDK's Lambda client that is used.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

var _ API = (*lambda.Client)(nil)

// early is how long before its expiry a token is given up. The broker gives its
// own up sooner, so that what it hands out is worth keeping.
const early = time.Minute

// ahead is how long before that a token in use is replaced: late enough that the
// broker has replaced its own, early enough for a few attempts.
const ahead = 2 * time.Minute

// Client invokes the broker. It is safe for concurrent use.
type Client struct {
	api      API
	function string
	tokens   *tokencache.Cache
}

// NewClient returns a client of the function named. random spreads refreshes.
func NewClient(api API, function string, c clock.Clock, random io.Reader) *Client {
	b := &Client{api: api, function: function}
	b.tokens = tokencache.New(c, random, early, ahead, func(ctx context.Context, a amazon.Account) (amazon.Token, error) {
		return b.invoke(ctx, wire.Request{Op: wire.Access, Tenant: a.Tenant, Connection: a.Connection, Grant: a.Grant})
	})
	return b
}

// Access returns an access token of the account's connection.
// One without an authorisation, which is what a disconnected connection has, gets
// the answer that Amazon gives to one that was withdrawn.
func (b *Client) Access(ctx context.Context, a amazon.Account) (secret.Value, error) {
	if a.Grant == 0 {
		return secret.Value{}, &amazon.Error{Op: "token-broker access", Status: 400, Code: "invalid_grant", Message: "the connection is disconnected"}
	}
	t, err := b.tokens.Get(ctx, a)
	return t.Access, err
}

// Exchange trades a code for tokens. The refresh token stays at the broker as
// that of authorisation grant. A code works once: do not repeat.
func (b *Client) Exchange(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64, code secret.Value, redirectURI string) (amazon.Token, error) {
	return b.invoke(ctx, wire.Request{Op: wire.Exchange, Tenant: t, Connection: c, Grant: grant, Code: code.Reveal(), RedirectURI: redirectURI})
}

// Discard destroys the refresh token of authorisation grant, if there is one.
func (b *Client) Discard(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64) error {
	_, err := b.invoke(ctx, wire.Request{Op: wire.Discard, Tenant: t, Connection: c, Grant: grant})
	return err
}

// Grantless returns an access token of the application for a scope. It is asked
// for anew each time: that is a few times a year.
func (b *Client) Grantless(ctx context.Context, scope amazon.Scope) (secret.Value, error) {
	t, err := b.invoke(ctx, wire.Request{Op: wire.Grantless, Scope: scope})
	return t.Access, err
}

func (b *Client) invoke(ctx context.Context, r wire.Request) (amazon.Token, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return amazon.Token{}, fmt.Errorf("broker: encode request: %w", err)
	}
	out, err := b.api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &b.function, Payload: payload}, func(o *lambda.Options) {
		if r.Op == wire.Exchange {
			o.RetryMaxAttempts = 1 // the SDK must not send a code twice
		}
	})
	if err != nil {
		return amazon.Token{}, failed(r.Op, err)
	}
	if f := aws.ToString(out.FunctionError); f != "" {
		return amazon.Token{}, failed(r.Op, fmt.Errorf("function error %s", f))
	}
	var answer wire.Response
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		// Not wrapped: the decoder quotes what it read, which may be a token.
		return amazon.Token{}, failed(r.Op, errors.New("answer is not a response"))
	}
	if e := answer.Error; e != nil {
		return amazon.Token{}, &amazon.Error{Op: e.Op, Code: e.Code, Status: e.Status, Message: e.Message, RequestID: e.RequestID,
			RetryAfter: time.Duration(e.RetryAfter) * time.Millisecond, Reached: e.Reached}
	}
	if r.Op == wire.Discard {
		return amazon.Token{}, nil
	}
	if answer.AccessToken == "" || answer.ExpiresAt == nil {
		return amazon.Token{}, failed(r.Op, errors.New("answer has no token"))
	}
	return amazon.Token{Access: secret.New(answer.AccessToken), Expires: *answer.ExpiresAt}, nil
}

// failed says that the broker could not be asked. Errors of the SDK never quote
// the payload.
func failed(op wire.Op, err error) *amazon.Error {
	return &amazon.Error{Op: "token-broker " + string(op), Err: err}
}
