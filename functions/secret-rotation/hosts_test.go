package main

import (
	"testing"

	"pricemanager/test/replay"
)

func TestForeignHostsAreRefusedOutsideTheLocalStage(t *testing.T) {
	replay.RefusesForeignHosts(t, run, map[string]string{"SECRET_LWA": "l", "SECRET_PEPPER": "p"}, "not https at a known Amazon host",
		"LWA_ENDPOINT", "SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE")
}
