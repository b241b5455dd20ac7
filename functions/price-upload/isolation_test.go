package main

import (
	"testing"

	"pricemanager/internal/store/memory"
	"pricemanager/test/isolation"
)

func isolated(t *testing.T) isolation.World {
	t.Helper()
	return newRecorded(t).isolated()
}

func (w *world) isolated() isolation.World {
	return isolation.World{
		Function: "price-upload", Router: w.router, Serve: w.serve, Clock: w.clock, DB: w.db, KMS: w.kms, Blobs: w.blobs,
		Queues: []*memory.Queue{w.queue, w.planQueue, w.tables}, Owner: seller, Stranger: stranger, Credential: [2]string{"Authorization", "Bearer pmk_strangerstranger_strangerstranger"},
		Shared: map[string]string{
			"DELETE /stops/{name}":        "stops are named by what they stop",
			"PUT /mappings/{fingerprint}": "a header has the same fingerprint everywhere, and may be mapped by everybody",
		},
	}
}

func TestStrangersFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	isolation.Routes(t, isolated)
}

func TestWhoMayAskIsAsTheTableSays(t *testing.T) {
	t.Parallel()
	isolation.Authorisation(t, isolated(t))
}
