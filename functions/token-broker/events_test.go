package main

import (
	"encoding/json"
	"strings"
	"testing"

	"pricemanager/test/replay"
)

// recordedCode is what the recorded exchange carries: the fake Amazon's second
// code. newRecorded says so when it gives another.
const recordedCode = "cnryCd3zq_ZVvAjydM0o"

// newRecorded has one authorisation and a seller who has just consented again.
func newRecorded(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	first := r.ask(`{"op":"exchange","tenant":"t_replay0001","connection":"` + connection + `","grant":1,"code":"` + r.code() + `","redirectUri":"` + redirect + `"}`)
	if first.Error != nil {
		t.Fatalf("exchange: %+v", first.Error)
	}
	if code := r.code(); code != recordedCode {
		t.Fatalf("the seed gives another code now; put it into events/token-broker and here: %s", code)
	}
	return r
}

func TestRecordedRequestsForTokensAreAnswered(t *testing.T) {
	const (
		kept  = "p/t_replay0001/" + connection + "/1"
		fresh = "p/t_replay0001/" + connection + "/2"
	)
	var r *rig
	read := func(t *testing.T, out json.RawMessage, err error) answer {
		t.Helper()
		if err != nil {
			t.Fatalf("the invocation failed: %v", err)
		}
		var a answer
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "Atzr|") {
			t.Errorf("the answer holds a refresh token: %s", out)
		}
		return a
	}
	// refused gives no token, keeps none and destroys none.
	refused := func(code string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			a := read(t, out, err)
			if a.Error == nil || a.Error.Code != code || a.AccessToken != "" {
				t.Errorf("answer %s, want an error with code %q", out, code)
			}
			if names := r.vault.Names(); len(names) != 2 {
				t.Errorf("the vault holds %v", names)
			}
		}
	}
	replay.Run(t, "token-broker", false, func(t *testing.T) replay.Handler { r = newRecorded(t); return replay.Handler(r.invoke) }, map[string]replay.Check{
		"success-exchange": func(t *testing.T, out json.RawMessage, err error) {
			if a := read(t, out, err); !strings.HasPrefix(a.AccessToken, "Atza|") || a.ExpiresAt.IsZero() {
				t.Errorf("answer %s", out)
			}
			if v, err := r.vault.Get(t.Context(), fresh); err != nil || !strings.HasPrefix(v.Reveal(), "Atzr|") {
				t.Errorf("the refresh token is not kept: %v", err)
			}
		},
		"success-access": func(t *testing.T, out json.RawMessage, err error) {
			if a := read(t, out, err); !strings.HasPrefix(a.AccessToken, "Atza|") || a.ExpiresAt.IsZero() {
				t.Errorf("answer %s", out)
			}
		},
		"success-discard": func(t *testing.T, out json.RawMessage, err error) {
			if a := read(t, out, err); a.Error != nil || a.AccessToken != "" {
				t.Errorf("answer %s", out)
			}
			if _, err := r.vault.Get(t.Context(), kept); err == nil {
				t.Error("the refresh token is still there")
			}
		},
		"success-grantless": func(t *testing.T, out json.RawMessage, err error) {
			if a := read(t, out, err); !strings.HasPrefix(a.AccessToken, "Atza|") || a.ExpiresAt.IsZero() {
				t.Errorf("answer %s", out)
			}
			if names := r.vault.Names(); len(names) != 2 {
				t.Errorf("the vault holds %v", names)
			}
		},
		"failure-rotation-scope":    refused(""),
		"failure-unknown-code":      refused("invalid_grant"),
		"failure-no-authorisation":  refused(""),
		"failure-unknown-operation": refused(""),
		"failure-foreign-secret":    refused(""),
		"failure-not-a-request":     replay.Error("event"),
	})
}
