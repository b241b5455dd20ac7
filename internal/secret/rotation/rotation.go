// Package rotation is the function secret-rotation as its callers see it: what
// it is sent, and a client that invokes it. Nobody else may replace Amazon's
// credentials or the peppers.
//
// Everything it is asked can be asked again. An error leaves open whether it
// took effect, and never holds a secret.
package rotation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/internal/secret"
)

// Op is what the function is asked for.
type Op string

// The operations.
const (
	// Tick goes on with what was interrupted and begins what is due, for every
	// secret. A schedule asks for it, and whoever hears that something is due.
	Tick Op = "secrets"
	// Rotate begins a rotation of one secret now.
	Rotate Op = "rotate"
	// Take puts a new client secret of Amazon's into use.
	Take Op = "take"
)

// The secrets that rotate.
const (
	LWA    = "lwa"
	Pepper = "pepper"
)

// Request is an event of the function: one of ours with Op, or one of Secrets
// Manager's with Step.
type Request struct {
	Op   Op     `json:"job,omitempty"`
	Name string `json:"name,omitempty"` // Rotate: LWA or Pepper

	ClientID  string    `json:"clientId,omitempty"`  // Take
	NewSecret string    `json:"newSecret,omitempty"` // Take
	Ends      time.Time `json:"ends,omitzero"`       // Take: when Amazon will refuse it

	Step     secret.Step `json:"Step,omitempty"`
	SecretID string      `json:"SecretId,omitempty"`           // the secret's ARN
	Version  string      `json:"ClientRequestToken,omitempty"` // of the pending version
}

// API is the part of the SDK's Lambda client that is used.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

var _ API = (*lambda.Client)(nil)

// Client invokes the function.
type Client struct {
	api      API
	function string
}

// NewClient returns a client of the function named.
func NewClient(api API, function string) *Client { return &Client{api, function} }

// Tick has everything done that is due.
func (c *Client) Tick(ctx context.Context) error { return c.invoke(ctx, Request{Op: Tick}) }

// Take hands over a client secret that Amazon has made for the application.
func (c *Client) Take(ctx context.Context, clientID string, s secret.Value, ends time.Time) error {
	return c.invoke(ctx, Request{Op: Take, ClientID: clientID, NewSecret: s.Reveal(), Ends: ends})
}

func (c *Client) invoke(ctx context.Context, r Request) error {
	payload, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("rotation: encode request: %w", err)
	}
	out, err := c.api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &c.function, Payload: payload})
	if err != nil {
		return fmt.Errorf("rotation: %s: %w", r.Op, err) // errors of the SDK never quote the payload
	}
	if f := aws.ToString(out.FunctionError); f != "" {
		return fmt.Errorf("rotation: %s: function error %s; its log says more", r.Op, f)
	}
	return nil
}
