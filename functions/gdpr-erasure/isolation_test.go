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
		Function: "gdpr-erasure", Router: w.router, Serve: w.events().Handle, Clock: w.clock, DB: w.db, KMS: w.kms, Blobs: w.blobs,
		Queues: []*memory.Queue{w.queue, w.bells}, Owner: tenantA, Stranger: tenantB, Credential: [2]string{"Authorization", "Bearer " + w.key[tenantB]},
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
