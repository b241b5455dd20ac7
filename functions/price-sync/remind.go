package main

import (
	"context"

	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/runtime/metrics"
)

// remind counts a connection whose authorisation ends within thirty days: once a
// day, with the look at its notifications. An alarm watches the count.
func (h *handler) remind(ctx context.Context, bell lane.Doorbell) error {
	c, err := h.subscriber.Connections.Get(ctx, bell.Tenant, bell.Connection)
	if err != nil {
		return err
	}
	by, renewal := c.Renewal(h.app.Clock.Now())
	switch renewal {
	case connect.RenewalNone, connect.RenewalLater:
		return nil
	case connect.RenewalMonth, connect.RenewalWeek, connect.RenewalDay, connect.RenewalMissed:
	}
	h.app.Log.WarnContext(ctx, "an authorisation ends", "alarm", "authorisations-ending", "connection", string(c.ID), "renewBy", by, "renewal", string(renewal))
	count := []metrics.Value{metrics.Count("AuthorisationsEnding", 1)}
	if renewal != connect.RenewalMonth {
		count = append(count, metrics.Count("AuthorisationsEndingSoon", 1))
	}
	h.app.Metrics.Emit(nil, count...)
	return nil
}
