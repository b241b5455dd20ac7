package main

import (
	"testing"

	"pricemanager/test/replay"
)

func TestForeignHostsAreRefusedOutsideTheLocalStage(t *testing.T) {
	replay.RefusesForeignHosts(t, run, map[string]string{"KMS_SEAL_KEY": "k", "SECRET_LWA": "l", "SECRET_CONNECTION_PREFIX": "p/"},
		"not https at a known Amazon host", "LWA_ENDPOINT")
}
