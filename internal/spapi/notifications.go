package spapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// Grantless hands out tokens that speak for the application. Errors are
// *amazon.Error.
type Grantless interface {
	Grantless(ctx context.Context, scope amazon.Scope) (secret.Value, error)
}

// Notifications sets up notifications. It is safe for concurrent use.
type Notifications struct {
	c      *Client
	tokens Grantless
}

var _ amazon.Notifications = Notifications{}

// NewNotifications returns the notifications of a client's accounts; tokens
// are needed for destinations, which belong to the application.
func NewNotifications(c *Client, tokens Grantless) Notifications { return Notifications{c, tokens} }

// resource is the models' DestinationResource.
type resource struct {
	SQS *queueResource `json:"sqs,omitempty"`
	Bus *busResource   `json:"eventBridge,omitempty"`
}

type queueResource struct {
	ARN string `json:"arn"`
}

type busResource struct {
	Region  string `json:"region"`
	Account string `json:"accountId"`
}

func (r resource) same(other resource) bool {
	switch {
	case r.SQS != nil && other.SQS != nil:
		return *r.SQS == *other.SQS
	case r.Bus != nil && other.Bus != nil:
		return *r.Bus == *other.Bus
	}
	return false
}

type destination struct {
	ID       string   `json:"destinationId"`
	Resource resource `json:"resource"`
}

// CreateDestination makes a destination, or finds the one that there is.
func (n Notifications) CreateDestination(ctx context.Context, region price.Region, name string, d amazon.Destination) (string, error) {
	var want resource
	switch bus := d.EventBridgeAccount != "" && d.EventBridgeRegion != ""; {
	case bus && d.QueueARN == "":
		want.Bus = &busResource{Region: d.EventBridgeRegion, Account: d.EventBridgeAccount}
	case !bus && d.QueueARN != "":
		want.SQS = &queueResource{ARN: d.QueueARN}
	default:
		return "", notSent(opCreateDestination.name, "a destination is a queue, or an account and a region of EventBridge")
	}
	token, err := n.tokens.Grantless(ctx, amazon.ScopeNotifications)
	if err != nil {
		return "", tokenError(opCreateDestination.name, err)
	}
	var made struct {
		Payload destination `json:"payload"`
	}
	told, err := n.c.doWith(ctx, token, call{op: opCreateDestination, region: region, body: struct {
		Name string   `json:"name"`
		Spec resource `json:"resourceSpecification"`
	}{name, want}}, &made)
	if conflict(err) {
		return n.findDestination(ctx, token, region, want)
	}
	if err == nil && (made.Payload.ID == "" || !made.Payload.Resource.same(want)) {
		err = mismatch(opCreateDestination, told, errors.New("answer is about another destination"))
	}
	if err != nil {
		return "", err
	}
	return made.Payload.ID, nil
}

func (n Notifications) findDestination(ctx context.Context, token secret.Value, region price.Region, want resource) (string, error) {
	var there struct {
		Payload []destination `json:"payload"`
	}
	told, err := n.c.doWith(ctx, token, call{op: opDestinations, region: region}, &there)
	if err != nil {
		return "", err
	}
	for _, d := range there.Payload {
		if d.ID != "" && d.Resource.same(want) {
			return d.ID, nil
		}
	}
	return "", &amazon.Error{Op: opDestinations.name, Status: http.StatusConflict, RequestID: told.RequestID,
		Message: "Amazon says the destination exists, but does not list it"}
}

// Subscribe subscribes a seller, or finds the subscription that there is.
func (n Notifications) Subscribe(ctx context.Context, a amazon.Account, t amazon.NotificationType, dest string) (string, error) {
	if dest == "" {
		return "", notSent(opCreateSubscription.name, "no destination")
	}
	type subscription struct {
		ID          string `json:"subscriptionId"`
		Destination string `json:"destinationId"`
	}
	var out struct {
		Payload subscription `json:"payload"`
	}
	told, err := n.c.do(ctx, a, call{op: opCreateSubscription, params: []string{string(t)}, body: struct {
		Version     string `json:"payloadVersion"`
		Destination string `json:"destinationId"`
	}{t.PayloadVersion(), dest}}, &out)
	if conflict(err) {
		told, err = n.c.do(ctx, a, call{op: opSubscription, params: []string{string(t)},
			query: []param{{"payloadVersion", []string{t.PayloadVersion()}}}}, &out)
	}
	if err != nil {
		return "", err
	}
	switch s := out.Payload; {
	case s.ID == "":
		return "", mismatch(opCreateSubscription, told, errors.New("answer has no subscriptionId"))
	case s.Destination != dest:
		return "", &amazon.Error{Op: opCreateSubscription.name, Status: http.StatusConflict, RequestID: told.RequestID,
			Message: fmt.Sprintf("the seller's notifications go to destination %s already", s.Destination)}
	}
	return out.Payload.ID, nil
}

func conflict(err error) bool {
	var e *amazon.Error
	return errors.As(err, &e) && e.Status == http.StatusConflict
}
