package main

import (
	"strings"
	"testing"

	"pricemanager/internal/store/memory"
	"pricemanager/test/isolation"
)

func isolated(t *testing.T) isolation.World {
	t.Helper()
	return newRecorded(t).isolated()
}

func (w *recordedWorld) isolated() isolation.World {
	return isolation.World{
		Function: "oauth", Router: w.router, Serve: w.serve, Clock: w.clock, DB: w.db,
		Queues: []*memory.Queue{w.queue}, Besides: func() string { return strings.Join(w.vault.Names(), "\n") }, Owner: recorded, Stranger: stranger, Credential: [2]string{"Authorization", "Bearer pmk_otherotherother1_otherotherother1"},
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
