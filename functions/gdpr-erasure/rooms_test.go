package main

import (
	"testing"

	"pricemanager/internal/privacy"
	"pricemanager/test/isolation"
)

// TestMethodsFindNothingOfAnybody calls the room of erasures.
func TestMethodsFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	isolation.Methods(t, func(t *testing.T) isolation.Rooms {
		t.Helper()
		w := newRecorded(t)
		return isolation.Rooms{World: w.isolated(), Rooms: []isolation.Room{
			{Of: w.erasures, ID: recordedErasure, Args: map[string][]any{
				"Request": {"key:other", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", privacy.ConfirmErasure(tenantB)},
			}},
		}}
	})
}
