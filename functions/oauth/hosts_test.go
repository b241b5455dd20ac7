package main

import (
	"testing"

	"pricemanager/test/replay"
)

func TestForeignHostsAreRefusedOutsideTheLocalStage(t *testing.T) {
	env := map[string]string{"TOKEN_BROKER": "pm-token-broker", "PUBLIC_URL": "https://api.example.com", "APPLICATION_ID": "amzn1.sellerapps.app.x"}
	replay.RefusesForeignHosts(t, run, env, "not https at a known Amazon host", "SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE")
	replay.RefusesForeignHosts(t, run, env, "not https at Seller Central", "CONSENT_URL_NA", "CONSENT_URL_EU", "CONSENT_URL_FE")
}
