package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
	"pricemanager/test/openapi"
	"pricemanager/test/replay"
)

// same is a source of random bytes that are all the same: the keys and the id of
// the recorded events come from it.
type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

const recordedErasure = "era_aaaaaaaaaaaaaaaaaaaaaaaaaa"

// newRecorded has an erasure of one tenant, whose cooling-off ended a minute ago,
// and keys for it and for another tenant.
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
		if _, _, err := identity.NewKeys(w.db, peppers, w.clock, k.bytes).Sealing(w.sealer).Create(ctx, k.owner, "operator", "recorded", k.scopes); err != nil {
			t.Fatal(err)
		}
	}
	x := *w.erasures
	x.Rand = same(0)
	e, err := x.Request(ctx, tenantA, "key:recorded", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", privacy.ConfirmErasure(tenantA))
	if err != nil || e.ID != recordedErasure {
		t.Fatalf("erasure %s, %v; the recorded events name %s", e.ID, err, recordedErasure)
	}
	w.clock.Advance(privacy.CoolingOff + time.Minute)
	return w
}

func TestRecordedRequestsMessagesAndSchedulesAreAnswered(t *testing.T) {
	var w *world
	worked := func(want privacy.State, failed ...string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed(failed...)(t, out, err)
			if e, err := w.erasures.Get(ctx, recordedErasure); err != nil || e.State != want {
				t.Errorf("the erasure is %s, %v; want %s", e.State, err, want)
			}
		}
	}
	replay.Run(t, "gdpr-erasure", true, func(t *testing.T) replay.Handler {
		w = newRecorded(t)
		return openapi.Checked(t, w.events().Handle)
	}, map[string]replay.Check{
		"success-request":         replay.Status(http.StatusAccepted, `"state":"cooling"`),
		"success-status":          replay.Status(200, `"startsAt"`),
		"success-cancel":          replay.Status(200, `"state":"cancelled"`),
		"failure-no-confirmation": replay.Status(400, "In confirm, write"),
		"failure-open-already":    replay.Status(409, recordedErasure),
		"failure-no-key":          replay.Status(401, `"reference"`),
		"failure-scope":           replay.Status(403, "erasures:write"),
		"failure-missing":         replay.Status(404, "There is no such erasure"),
		"failure-foreign-cancel":  replay.Status(404, "There is no such erasure"),

		"success-message":      worked(privacy.Revoking),
		"partial-unknown-kind": worked(privacy.Revoking, "22222222-2222-4222-8222-222222222222"),
		"failure-malformed":    replay.Error("malformed"),
		"failure-foreign-message": func(t *testing.T, out json.RawMessage, err error) {
			replay.Error("no such erasure")(t, out, err)
		},
		"success-timer": func(t *testing.T, out json.RawMessage, err error) {
			if err != nil || !strings.Contains(string(out), `"done":1`) || w.queue.Len() != 1 {
				t.Errorf("%s, %v, %d messages", out, err, w.queue.Len())
			}
		},
		"failure-unknown-job": replay.Error(`no job "forget"`),
	})
}

func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	openapi.CompareRoutes(t, "gdpr-erasure", setup(t).router)
}
