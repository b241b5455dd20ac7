package amazon

import (
	"context"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// Scope is what a grantless token allows: one that speaks for the application
// and for no seller.
type Scope string

// The scopes that Amazon has.
const (
	ScopeNotifications Scope = "sellingpartnerapi::notifications"
	ScopeRotation      Scope = "sellingpartnerapi::client_credential:rotation"
)

// NotificationType is a kind of event that Amazon tells about.
type NotificationType string

// The notifications that the product subscribes sellers to. Those about
// listings go to EventBridge only, the one about feeds to a queue only.
const (
	ListingStatusChange NotificationType = "LISTINGS_ITEM_STATUS_CHANGE"
	ListingIssuesChange NotificationType = "LISTINGS_ITEM_ISSUES_CHANGE"
	FeedFinished        NotificationType = "FEED_PROCESSING_FINISHED"
)

// Notifications about the application itself. Nobody subscribes to them: they
// go to the queue that is registered for them in the Solution Provider Portal.
const (
	SecretExpiry NotificationType = "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"
	NewSecret    NotificationType = "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
)

// PayloadVersion is the version of the payload that the product reads.
func (t NotificationType) PayloadVersion() string {
	switch t {
	case ListingIssuesChange:
		return "2023-12-13" // 1.0 was taken away in March 2025
	case FeedFinished:
		return "2020-09-04"
	case ListingStatusChange, SecretExpiry, NewSecret:
	}
	return "1.0"
}

// ByQueue reports whether Amazon sends the notification to a queue; the others
// go to EventBridge.
func (t NotificationType) ByQueue() bool { return t != ListingStatusChange && t != ListingIssuesChange }

// Destination is where notifications go: a queue, or an account and region of
// EventBridge. Exactly one of the two is set.
type Destination struct {
	QueueARN           string
	EventBridgeAccount string // AWS account id
	EventBridgeRegion  string // AWS region
}

// Notifications sets up what Amazon tells us. Both methods may be repeated:
// what is there already is found. Errors are *Error.
type Notifications interface {
	// CreateDestination makes the destination of the application in a region and
	// returns its id. There is one for each queue or event bus.
	CreateDestination(ctx context.Context, region price.Region, name string, d Destination) (string, error)
	// Subscribe asks for notifications of a seller and returns the subscription's
	// id. A subscription that leads to another destination is an *Error with
	// Status 409.
	Subscribe(ctx context.Context, a Account, t NotificationType, destination string) (string, error)
}

// SecretRotation has Amazon make a new client secret, which comes as the
// notification NewSecret. Errors are *Error; a call that Reached may have made
// one.
type SecretRotation interface {
	RotateClientSecret(ctx context.Context, token secret.Value, region price.Region) error
}
