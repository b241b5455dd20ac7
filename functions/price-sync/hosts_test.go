package main

import (
	"testing"

	"pricemanager/test/replay"
)

func TestForeignHostsAreRefusedOutsideTheLocalStage(t *testing.T) {
	replay.RefusesForeignHosts(t, run, map[string]string{"TOKEN_BROKER": "pm-token-broker"}, "not https at a known Amazon host",
		"SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE")
}
