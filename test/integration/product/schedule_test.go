package product_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// lostDoorbell is an applied plan whose message never reached the queue, as when
// a worker dies between its last write and the message.
type lostDoorbell struct {
	seller *seller
	batch  string
}

// noQueue loses every message.
type noQueue struct{}

func (noQueue) Send(context.Context, []byte, time.Duration) error { return nil }

// loseDoorbell applies a plan, with everything written and nothing sent.
func (r *rig) loseDoorbell(t *testing.T) lostDoorbell {
	t.Helper()
	s := r.seller(t, "lostbell", 3)
	p := s.plan(t, s.file("20.40"))
	id := "bat_" + strings.TrimPrefix(p.ID, "plan_")
	err := lane.NewBatches(r.db(), nil).Create(t.Context(), s.tenant, lane.NewBatch{
		ID: id, Plan: p.ID, File: "prices.csv", Actor: "test", Rows: map[price.ConnectionID]int64{s.conn: int64(len(s.skus))},
	}, lane.Bell{DB: r.db(), Queue: noQueue{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return lostDoorbell{s, id}
}

// isFound waits for the sweep that the template schedules every minute. No test
// invokes the scheduler on this stack and nobody rings for this batch: if it is
// done, the schedule did it.
func (l lostDoorbell) isFound(t *testing.T) { l.seller.isObserved(t, l.batch, "20.40") }
