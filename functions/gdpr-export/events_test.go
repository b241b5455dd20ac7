package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
	"pricemanager/test/openapi"
	"pricemanager/test/replay"
)

// same is a source of random bytes that are all the same: the keys and ids of
// the recorded events come from it.
type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

// What the recorded events name: ids made of 16 bytes 0x00, and of 16 bytes 0x41.
const (
	runningExport = "exp_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	doneExport    = "exp_ifaucqkbifaucqkbifaucqkbie"
	recordedBatch = "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// newRecorded has two exports of one tenant, one still to do and one done, and
// keys for it and for another tenant.
func newRecorded(t *testing.T) *world {
	t.Helper()
	w := setup(t)
	peppers := identity.PeppersFrom(secrets{"pepper": strings.Repeat("pepper", 8)}, "pepper")
	for _, k := range []struct {
		bytes  same
		owner  tenant.ID
		scopes []identity.Scope
	}{
		{0x00, tenantA, identity.Scopes()}, {0x42, tenantA, []identity.Scope{identity.ExportsRead}}, {0x21, tenantB, identity.Scopes()},
	} {
		if _, _, err := identity.NewKeys(w.db, peppers, w.app.Clock, k.bytes).Sealing(w.sealer).Create(ctx, k.owner, "operator", "recorded", k.scopes); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.log.AppendDirect(ctx, tenantA, "1", ledger.Event{Type: ledger.TokenIssued, At: w.app.Clock.Now(), Target: "x", Batch: recordedBatch}); err != nil {
		t.Fatal(err)
	}
	w.newBatch(t, tenantA, recordedBatch)
	for b, want := range map[same]string{0x00: runningExport, 0x41: doneExport} {
		x := *w.exports
		x.Rand = b
		e, err := x.Request(ctx, tenantA, "key:ijbeeqscijbeeqsc", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "")
		if err != nil || e.ID != want {
			t.Fatalf("export %s, %v; the recorded events name %s", e.ID, err, want)
		}
	}
	if err := w.exports.Run(ctx, tenantA, doneExport); err != nil {
		t.Fatal(err)
	}
	archive := w.archive
	archive.Log = w.log
	if _, err := archive.Run(ctx, tenantA); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.queue.Receive(10, time.Hour) { // the events bring their own
		w.queue.Delete(m.ID)
	}
	return w
}

func TestRecordedRequestsAndMessagesAreAnswered(t *testing.T) {
	var w *world
	state := func(t *testing.T, id string, want privacy.State) {
		t.Helper()
		if e, err := w.exports.Get(ctx, tenantA, id); err != nil || e.State != want {
			t.Errorf("export %s is %s, %v; want %s", id, e.State, err, want)
		}
	}
	worked := func(failed ...string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed(failed...)(t, out, err)
			state(t, runningExport, privacy.Done)
		}
	}
	replay.Run(t, "gdpr-export", true, func(t *testing.T) replay.Handler {
		w = newRecorded(t)
		return openapi.Checked(t, w.events().Handle)
	}, map[string]replay.Check{
		"success-request": func(t *testing.T, out json.RawMessage, err error) {
			replay.Status(http.StatusAccepted, `"state":"running"`)(t, out, err)
			if n := w.queue.Len(); n != 1 {
				t.Errorf("%d messages sent, want 1", n)
			}
		},
		"success-request-of-one-key":           replay.Status(http.StatusAccepted, `"member":"key:aaaaaaaaaaaaaaaa"`),
		"failure-request-of-an-unknown-member": replay.Status(404, `There is no \"member:nobody\"`),

		"success-running-export": replay.Status(200, `"state":"running"`),
		"success-done-export":    replay.Status(200, `"password":"`),
		"success-ledger":         replay.Status(200, `"size":1`),
		"success-ledger-key":     replay.Status(200, `"keys":[{"key":"`),

		"success-ledger-checkpoints":          replay.Status(200, `"items":[{"at":"`),
		"failure-ledger-checkpoints-too-many": replay.Status(400, `"reference"`),

		"success-ledger-proof":                  replay.Status(200, `"leaf":0,"leafHash":"`),
		"success-ledger-consistency":            replay.Status(200, `"from":1,"fromRoot":"`),
		"failure-ledger-proof-of-no-leaf":       replay.Status(400, "leaf is 7, but the ledger of size"),
		"failure-ledger-consistency-of-nothing": replay.Status(400, `from is \"many\"`),
		"success-receipt":                       replay.Status(200, `"format":"pricemanager-receipt-1"`),
		"failure-receipt-of-a-missing-batch":    replay.Status(404, "no such batch"),

		"failure-no-key":         replay.Status(401, `"reference"`),
		"failure-scope":          replay.Status(403, "exports:write"),
		"failure-missing-export": replay.Status(404, "There is no such export"),
		"failure-foreign-export": replay.Status(404, "There is no such export"),

		"success-export-message": worked(),
		"success-message-again":  replay.Failed(), // another delivery did it
		"partial-unknown-kind":   worked("22222222-2222-4222-8222-222222222222"),
		"partial-missing-export": worked("11111111-1111-4111-8111-111111111111"),
		"failure-all-malformed":  replay.Error("malformed"),
		"failure-foreign-message": func(t *testing.T, out json.RawMessage, err error) {
			replay.Error("no such export")(t, out, err)
			state(t, runningExport, privacy.Running)
		},
	})
}

func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	openapi.CompareRoutes(t, "gdpr-export", setup(t).router)
}
