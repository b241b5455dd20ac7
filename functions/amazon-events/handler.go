package main

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables runtime.Tables
	Queues runtime.Queues
	// Rotation is the function that replaces our client secret.
	Rotation string `env:"ROTATION, required"`
}

// event is Amazon's notification as EventBridge delivers it. Amazon writes its
// members in PascalCase or camelCase, depending on the type; decoding does not
// mind (Notifications API v1, "Notification type values").
type event struct {
	DetailType string `json:"detail-type"`
	Detail     struct {
		NotificationType string
		Payload          struct {
			SellerID      string
			MarketplaceID price.MarketplaceID
			SKU           price.SKU
		}
		NotificationMetadata struct{ NotificationID string }
	} `json:"detail"`
}

// result says what became of a notification.
type result struct {
	Outcome string `json:"outcome"` // noticed, ignored or unknown-seller
}

type handler struct {
	app         *runtime.App
	connections *connect.Service
	bell        lane.Bell
	rotation    rotator
}

// serve takes listing notifications from EventBridge and all others from the
// queue.
func (h *handler) serve() runtime.Handler {
	return runtime.Events{SQS: h.app.SQS(h.message), Direct: runtime.JSON(h.event)}.Handle
}

// listingEvents are the notifications that may mean another price. They carry
// none: they only have the listing read early.
var listingEvents = map[string]bool{
	// Amazon's schema has CHANGED where its subscription type and example say CHANGE.
	"LISTINGS_ITEM_STATUS_CHANGE": true, "LISTINGS_ITEM_STATUS_CHANGED": true, "LISTINGS_ITEM_ISSUES_CHANGE": true, "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": true,
}

// errMalformed is a notification without what it must have.
var errMalformed = errors.New("amazon-events: the notification lacks its seller, marketplace or SKU")

// event takes one notification. Notifications come at least once, in any order
// and unsigned: the seller must be one that a tenant has proven to own, and a
// repeated one only has the same listing read again.
func (h *handler) event(ctx context.Context, e event) (result, error) {
	r, err := h.notice(ctx, e)
	h.taken(ctx, e.Detail.NotificationType, e.Detail.NotificationMetadata.NotificationID, r.Outcome)
	return r, err
}

func (h *handler) notice(ctx context.Context, e event) (result, error) {
	if !listingEvents[e.Detail.NotificationType] {
		return result{"ignored"}, nil
	}
	p := e.Detail.Payload
	m, ok := price.MarketplaceByID(p.MarketplaceID)
	if !ok || p.SellerID == "" || p.SKU == "" {
		return result{"malformed"}, errMalformed
	}
	t, c, err := h.connections.Owner(ctx, m.Region, p.SellerID)
	if errors.Is(err, connect.ErrNotFound) {
		return result{"unknown-seller"}, nil
	}
	if err != nil {
		return result{"failed"}, fmt.Errorf("amazon-events: owner: %w", err)
	}
	if err := h.bell.Notice(ctx, t, c, p.MarketplaceID, p.SKU); err != nil {
		return result{"failed"}, err
	}
	return result{"noticed"}, nil
}
