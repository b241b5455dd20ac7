package lane

import (
	"context"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// RequestSubscriptions asks for Amazon's notifications about a connection to be
// set up, or looked after. A ring that is lost is made up for by the daily one.
func (b Bell) RequestSubscriptions(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	return b.send(ctx, Doorbell{Kind: KindSubscribe, Tenant: t, Connection: c}, 0)
}

// RefreshSubscriptions asks for the notifications of every connection that has a
// lane, and returns how many it asked for.
func (b Bell) RefreshSubscriptions(ctx context.Context) (asked int, err error) {
	err = Registered(ctx, b.DB, func(t tenant.ID, c price.ConnectionID) error {
		if err := b.RequestSubscriptions(ctx, t, c); err != nil {
			return err
		}
		asked++
		return nil
	})
	return asked, err
}
