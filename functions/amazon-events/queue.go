package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
)

// envelope is a notification as Amazon puts it into our queue, with the members
// of the kinds that are listened to. Amazon writes it in PascalCase or
// camelCase, depending on the kind; decoding does not mind.
type envelope struct {
	NotificationType     amazon.NotificationType
	NotificationMetadata struct{ NotificationID string }
	Payload              struct {
		FeedProcessingFinishedNotification struct{ SellerID, FeedID, FeedType string }
		ApplicationOAuthClientSecretExpiry struct{ ClientSecretExpiryTime time.Time }
		ApplicationOAuthClientNewSecret    struct {
			ClientID                  string
			NewClientSecret           hidden
			NewClientSecretExpiryTime time.Time
		}
	}
}

// hidden is a secret from the moment it is read.
type hidden struct{ secret.Value }

func (h *hidden) UnmarshalJSON(text []byte) error {
	var s string
	err := json.Unmarshal(text, &s)
	h.Value = secret.New(s)
	return err
}

// rotator is who replaces our client secret: the function secret-rotation. Both
// may be repeated.
type rotator interface {
	// Tick has done what is due.
	Tick(ctx context.Context) error
	// Take puts a new secret into use. When it returns nil the secret is kept.
	Take(ctx context.Context, clientID string, s secret.Value, ends time.Time) error
}

// errUnreadable is a message that is no notification. What it says is not
// repeated: the messages of this queue may hold a client secret.
var errUnreadable = fmt.Errorf("%w: not a notification of Amazon, or one without what its kind must have", runtime.ErrMalformed)

// message takes one notification from the queue. What holds for event holds
// here: at least once, in any order, unsigned. The queue takes messages from
// Amazon alone.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	var e envelope
	outcome, err := "malformed", errUnreadable
	if json.Unmarshal(m.Body, &e) == nil && e.NotificationType != "" {
		outcome, err = h.hear(ctx, e)
	}
	h.taken(ctx, string(e.NotificationType), e.NotificationMetadata.NotificationID, outcome)
	return err
}

// maxKind bounds what is logged as the kind of a notification.
const maxKind = 64

// taken counts and logs a notification; never what is in it.
func (h *handler) taken(ctx context.Context, kind, id, outcome string) {
	if kind, id = kind[:min(len(kind), maxKind)], id[:min(len(id), maxKind)]; outcome == "malformed" {
		kind, id = "", ""
	}
	h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Outcome: outcome}, metrics.Count("AmazonEvents", 1))
	h.app.Log.InfoContext(ctx, "notification taken", "type", kind, "notification", id, "outcome", outcome)
}

func (h *handler) hear(ctx context.Context, e envelope) (outcome string, err error) {
	switch e.NotificationType {
	case amazon.FeedFinished:
		return h.feedFinished(ctx, e)
	case amazon.SecretExpiry:
		return h.secretEnds(ctx, e.Payload.ApplicationOAuthClientSecretExpiry.ClientSecretExpiryTime)
	case amazon.NewSecret:
		n := e.Payload.ApplicationOAuthClientNewSecret
		if n.ClientID == "" || n.NewClientSecret.Empty() || n.NewClientSecretExpiryTime.IsZero() {
			return "malformed", errUnreadable
		}
		// Acknowledged only when it is kept: what fails comes again, and ends in the
		// dead letters, encrypted.
		if err := h.rotation.Take(ctx, n.ClientID, n.NewClientSecret.Value, n.NewClientSecretExpiryTime); err != nil {
			return "failed", err
		}
		return "secret-taken", nil
	case amazon.ListingStatusChange, amazon.ListingIssuesChange: // they come by EventBridge
	}
	return "ignored", nil
}

// feedFinished rings the lanes of the feed's seller. The notification names no
// region, and a seller may have the same id in several: a lane that knows
// nothing of the feed merely looks.
func (h *handler) feedFinished(ctx context.Context, e envelope) (string, error) {
	f := e.Payload.FeedProcessingFinishedNotification
	switch {
	case f.FeedID == "" || f.FeedType == "":
		return "malformed", errUnreadable
	case f.FeedType != amazon.ListingsFeed || f.SellerID == "": // vendors have no seller id
		return "ignored", nil
	}
	outcome := "unknown-seller"
	for _, r := range []price.Region{price.NA, price.EU, price.FE} {
		t, c, err := h.connections.Owner(ctx, r, f.SellerID)
		if errors.Is(err, connect.ErrNotFound) {
			continue
		}
		if err == nil {
			err = h.bell.FeedEnded(ctx, t, c, f.FeedID)
		}
		if err != nil {
			return "failed", fmt.Errorf("amazon-events: feed of a seller in %s: %w", r, err)
		}
		outcome = "feed-ended"
	}
	return outcome, nil
}

// secretEnds records when Amazon will refuse our client secret, raises an alarm,
// and has the secret replaced. A notice that is older than what is known is about a secret that was
// replaced.
func (h *handler) secretEnds(ctx context.Context, at time.Time) (string, error) {
	if at.IsZero() {
		return "malformed", errUnreadable
	}
	latest, err := h.connections.SecretEnds(ctx, at)
	if err != nil {
		return "failed", err
	}
	if !latest {
		return "ignored", nil
	}
	left := at.Sub(h.app.Clock.Now())
	h.app.Log.WarnContext(ctx, "the client secret must be replaced", "alarm", "client-secret", "ends", at, "days", int64(left.Hours()/24))
	// Without a dimension of its own, so that an alarm can watch it.
	h.app.Metrics.Emit(nil, metrics.Count("ClientSecretEnding", 1), metrics.Seconds("ClientSecretLeft", left))
	if err := h.rotation.Tick(ctx); err != nil {
		// The notice is recorded, and a schedule asks again within the hour.
		h.app.Log.WarnContext(ctx, "the rotation could not be begun", "alarm", "client-secret", "cause", err)
	}
	return "secret-ends", nil
}
