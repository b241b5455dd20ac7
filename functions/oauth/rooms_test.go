package main

import (
	"context"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/isolation"
)

// agreeing is an Amazon that makes whatever it is asked for.
type agreeing struct{}

func (agreeing) CreateDestination(context.Context, price.Region, string, amazon.Destination) (string, error) {
	return "d1", nil
}

func (agreeing) Subscribe(context.Context, amazon.Account, amazon.NotificationType, string) (string, error) {
	return "s1", nil
}

// TestMethodsFindNothingOfAnybody calls the rooms of connections and of their tokens.
func TestMethodsFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	isolation.Methods(t, func(t *testing.T) isolation.Rooms {
		t.Helper()
		w := newRecorded(t)
		c, err := w.service.Get(t.Context(), recorded, active)
		if err != nil {
			t.Fatal(err)
		}
		return isolation.Rooms{World: w.isolated(), Values: []any{active, price.EU, int64(1), secret.New("code")}, Rooms: []isolation.Room{
			{Of: w.service, ID: "key:other"},
			{Of: c},
			{Of: &connect.Subscriber{Connections: w.service, Amazon: agreeing{}}},
			{Of: connect.NewBroker(connect.BrokerOptions{Vault: w.vault, Static: secret.NewCached(w.vault, w.clock, time.Hour), LWAKey: "lwa", Prefix: "p/", LWA: w.lwa, Clock: w.clock})},
		}}
	})
}
