package main

import (
	"testing"

	"pricemanager/internal/web"
	"pricemanager/test/isolation"
)

func isolated(t *testing.T) isolation.World {
	t.Helper()
	return recordedWorld(t).isolated()
}

func (w *world) isolated() isolation.World {
	return isolation.World{
		Function: "account", Router: w.h.router, Serve: w.serve, Clock: w.clk, DB: w.db, KMS: w.kms,
		Owner: w.company, Stranger: w.stranger, Credential: [2]string{"Cookie", web.SessionCookie + "=" + w.foreign.Reveal()},
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
