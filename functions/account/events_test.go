package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/identity"
	"pricemanager/test/openapi"
	"pricemanager/test/replay"
)

func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	openapi.CompareRoutes(t, "account", newWorld(t).h.router)
}

func TestRecordedRequestsAreAnswered(t *testing.T) {
	var w *world
	// with is a status, a text in the answer, and something about what came of it.
	with := func(status int, contains string, then func(t *testing.T, header http.Header)) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Status(status, contains)(t, out, err)
			var res struct {
				MultiValueHeaders http.Header `json:"multiValueHeaders"`
			}
			if err := json.Unmarshal(out, &res); err != nil {
				t.Fatal(err)
			}
			then(t, res.MultiValueHeaders)
		}
	}
	// cookie is an answer with a session's cookie, and with no other.
	cookie := func(status int, contains string) replay.Check {
		return with(status, contains, func(t *testing.T, h http.Header) {
			set := h.Values("Set-Cookie")
			if len(set) != 1 || !strings.HasPrefix(set[0], "__Host-pm-session=pms_") || !strings.HasSuffix(set[0], "; Path=/; Secure; HttpOnly; SameSite=Strict") {
				t.Errorf("cookies %v", set)
			}
		})
	}
	mailed := func(status, n int) replay.Check {
		return with(status, "{}", func(t *testing.T, _ http.Header) {
			if got := len(w.mail.Sent()) - w.sent; got != n {
				t.Errorf("%d mails, want %d", got, n)
			}
		})
	}
	page := func(contains string) replay.Check {
		return with(200, contains, func(t *testing.T, h http.Header) {
			if h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self'; style-src 'self';") || len(h.Values("Set-Cookie")) != 0 {
				t.Errorf("headers %v", h)
			}
		})
	}
	// answered is a job that ended well, with mails.
	answered := func(contains string, mails int) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			if got := len(w.mail.Sent()) - w.sent; err != nil || !strings.Contains(string(out), contains) || got != mails {
				t.Errorf("%s, %v, %d mails; want %q and %d", out, err, got, contains, mails)
			}
		}
	}
	role := func(want identity.Role, removed bool) func(*testing.T, http.Header) {
		return func(t *testing.T, _ http.Header) {
			if m := w.member(t, w.names["member-bob"]); m.Role != want || m.Removed.IsZero() == removed {
				t.Errorf("bob is %+v", m)
			}
		}
	}
	replay.Run(t, "account", false, func(t *testing.T) replay.Handler {
		w = recordedWorld(t)
		w.change()
		w.sent = len(w.mail.Sent())
		return openapi.Checked(t, w.serve)
	}, map[string]replay.Check{
		// Pages: the same for everybody, a link's ticket is for the script.
		"success-page-sign-up":                 page(">Open an account</h1>"),
		"success-page-sign-in":                 page(">Sign in</h1>"),
		"success-page-welcome":                 page(">Choose a password</h1>"),
		"success-page-invitation":              page(">Join your company</h1>"),
		"success-page-new-password":            page(">Choose a new password</h1>"),
		"success-page-new-address":             page(">Confirm your new address</h1>"),
		"success-page-not-me":                  page(">Was it not you?</h1>"),
		"success-page-authenticator":           page(">Set up an authenticator</h1>"),
		"success-page-me":                      page(">Your account</h1>"),
		"success-page-people":                  page(">Members</h1>"),
		"success-page-api-keys":                page(">API keys</h1>"),
		"success-asset":                        replay.Status(200, "box-sizing"),
		"failure-asset-of-before":              replay.Status(404, "There is no such file"),
		"success-sign-up":                      mailed(202, 1),
		"success-sign-up-known":                mailed(202, 1),
		"success-sign-up-confirm":              replay.Status(201, `"tenant":"t_`),
		"failure-sign-up-confirm-weak":         replay.Status(400, "/problems/password"),
		"failure-sign-up-confirm-other-ticket": replay.Status(410, "/problems/ticket-spent"),
		"success-invitation":                   replay.Status(201, `"member":"m`),
		"success-sign-in": with(200, `"needs":"code","attempt":"pmt_t_`, func(t *testing.T, h http.Header) {
			if len(h.Values("Set-Cookie")) != 0 {
				t.Error("a password alone gave a session")
			}
		}),
		"success-sign-in-enrolment":      cookie(200, `{"needs":"enrolment"}`),
		"failure-sign-in":                replay.Status(401, "/problems/sign-in-refused"),
		"failure-sign-in-nobody":         replay.Status(401, "/problems/sign-in-refused"),
		"success-sign-in-code":           cookie(200, `{"enrolled":true}`),
		"success-sign-in-recovery":       cookie(200, `{"enrolled":false}`),
		"failure-sign-in-code":           replay.Status(403, "/problems/code-refused"),
		"failure-sign-in-code-both":      replay.Status(400, "/problems/code"),
		"success-password-reset":         mailed(202, 1),
		"success-password-reset-confirm": mailed(200, 1),
		"success-email-confirm":          replay.Status(200, `{"changed":false}`),
		"success-not-me":                 mailed(200, 1),
		"failure-not-me":                 replay.Status(410, "/problems/ticket-spent"),
		"success-self":                   replay.Status(200, `"company":"Lantern Trading"`),
		"success-self-unenrolled":        replay.Status(200, `"scopes":["account:self"]`),
		"failure-self-no-session":        replay.Status(401, `"reference"`),
		"failure-self-key":               replay.Status(401, `"reference"`), // it is bound to other addresses
		"success-sign-out": with(200, "{}", func(t *testing.T, h http.Header) {
			if set := h.Values("Set-Cookie"); len(set) != 1 || !strings.Contains(set[0], "Max-Age=0") {
				t.Errorf("cookies %v", set)
			}
		}),
		"success-step-up":               cookie(200, `{"enrolled":true}`),
		"failure-step-up":               replay.Status(403, "/problems/password-refused"),
		"failure-step-up-foreign-page":  replay.Status(403, "/problems/cross-origin"),
		"success-password":              cookie(200, `{"enrolled":true}`),
		"success-email":                 mailed(202, 2),
		"success-authenticator":         replay.Status(201, `"uri":"otpauth://totp/`),
		"failure-authenticator-there":   replay.Status(409, "/problems/authenticator-exists"),
		"success-authenticator-confirm": cookie(200, `{"recoveryCodes":["`),
		"failure-authenticator-confirm": replay.Status(403, "/problems/code-refused"),
		"success-authenticator-removal": mailed(200, 1),
		"success-recovery-codes":        replay.Status(201, `{"recoveryCodes":["`),
		"success-sessions":              replay.Status(200, `"network":"198.51.100.7"`),
		"success-sessions-end":          replay.Status(200, `{"ended":1}`),
		"success-session-end":           replay.Status(200, "{}"),
		"failure-session-end-foreign":   replay.Status(404, "There is no such session"),
		"success-members":               replay.Status(200, `"email":"`),
		"failure-members-unenrolled":    replay.Status(403, "/problems/enrolment-needed"),
		"success-member": with(200, `"email":"bob@example.com"`, func(t *testing.T, h http.Header) {
			if h.Get("ETag") != `"1"` {
				t.Errorf("ETag %q", h.Get("ETag"))
			}
		}),
		"failure-member-foreign":         replay.Status(404, "There is no such member"),
		"success-member-role":            with(200, `"role":"editor"`, role(identity.Editor, false)),
		"failure-member-role-moved":      with(409, "/problems/member-moved", role(identity.Viewer, false)),
		"failure-member-last-owner":      replay.Status(409, "/problems/last-owner"),
		"success-member-remove":          with(200, "{}", role(identity.Viewer, true)),
		"success-member-sessions-end":    replay.Status(200, `{"ended":2}`),
		"success-invitations":            replay.Status(200, `"email":"cid@example.com"`),
		"success-invite":                 replay.Status(201, `"role":"viewer"`),
		"failure-invite-role":            replay.Status(400, "/problems/role"),
		"success-withdraw":               replay.Status(200, "{}"),
		"failure-withdraw-foreign":       replay.Status(404, "There is no such invitation"),
		"success-advice":                 replay.Status(200, `"id":"amazon-two-steps"`),
		"success-advice-take":            replay.Status(200, "{}"),
		"failure-advice-unknown":         replay.Status(404, "There is no such advice"),
		"success-access-review":          replay.Status(200, `"findings":[]`),
		"success-access-review-confirm":  replay.Status(200, `"reviewedBy":"member:`),
		"failure-access-review-moved":    replay.Status(409, "/problems/access-moved"),
		"success-support-grants":         replay.Status(200, `"entries":1`),
		"success-support-grant":          replay.Status(201, `"open":true`),
		"failure-support-grant-reason":   replay.Status(400, "/problems/reason"),
		"success-support-revoke":         replay.Status(200, "{}"),
		"failure-support-revoke-foreign": replay.Status(404, "There is no such grant"),

		"success-job-access-reviews":         answered(`{"done":0}`, 0),
		"success-job-operator-enter":         answered(`"cookie":"pms_`, 0),
		"success-job-operator-emergency":     answered(`"cookie":"pms_`, 1),
		"failure-job-operator-foreign-grant": replay.Error("Nobody of the company lets you look"),
		"success-job-operator-leave":         answered(`{"done":1}`, 0),
		"failure-job-operator-leave-other":   replay.Error("There is no such session"),
		"failure-job-unknown":                replay.Error(`no job "rummage"`),
		"success-notices": func(t *testing.T, out json.RawMessage, err error) {
			answered(`{"batchItemFailures":[]}`, 1)(t, out, err)
			m := w.mail.Sent()[len(w.mail.Sent())-1]
			if body := m.Body.Reveal(); m.To.Reveal() != "ann@example.com" || !strings.Contains(body, "- 2026-11-23 10:00:01 UTC: the guards, by Ann\n- 2026-11-23 10:00:02 UTC: the costs, by the API key \"till\" (") {
				t.Errorf("to %s: %s", m.To.Reveal(), body)
			}
		},
		"success-notices-of-nobody":  answered(`{"batchItemFailures":[]}`, 0),
		"failure-notices-malformed":  replay.Error("malformed message"),
		"success-keys":               replay.Status(200, `"from":["192.0.2.0/24"]`),
		"success-key-make":           replay.Status(201, `"key":"pmk_`),
		"failure-key-make-scope":     replay.Status(400, "/problems/scopes"),
		"success-key-revoke":         replay.Status(200, "{}"),
		"failure-key-revoke-foreign": replay.Status(404, "There is no such API key"),
		"success-tenant":             replay.Status(200, `"name":"Lantern Trading"`),
		"success-tenant-change":      replay.Status(200, `"security":"desk@example.com"`),
		"failure-tenant-moved":       replay.Status(409, "/problems/tenant-moved"),
	})
}
