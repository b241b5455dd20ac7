package fakeamazon

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"pricemanager/internal/secret"
	"pricemanager/test/canary"
	"pricemanager/test/contract"
)

// secretLife is Amazon's: a client secret must be replaced within 180 days.
const secretLife = 180 * 24 * time.Hour

// plainEnvelope is the envelope with lower-case members, which notifications
// about feeds (their schema) and about the application's secret have (Amazon's
// samples).
type plainEnvelope struct {
	Version  string    `json:"notificationVersion"`
	Type     string    `json:"notificationType"`
	Payloads string    `json:"payloadVersion"`
	Event    time.Time `json:"eventTime"`
	Payload  any       `json:"payload"`
	Metadata struct {
		Application  string    `json:"applicationId"`
		Subscription string    `json:"subscriptionId,omitempty"` // none about the application
		Published    time.Time `json:"publishTime"`
		ID           string    `json:"notificationId"`
	} `json:"notificationMetadata"`
}

func (f *Fake) plainEnvelope(kind, version string, payload any) plainEnvelope {
	now := f.cfg.Clock.Now()
	out := plainEnvelope{Version: version, Type: kind, Payloads: version, Event: now, Payload: payload}
	out.Metadata.Application, out.Metadata.Published = f.cfg.Application.ID, now
	out.Metadata.ID = f.pace.id("notification", f.next())
	return out
}

// rotateClientSecret makes a new client secret, which travels to the registered
// queue and nowhere else.
func (f *Fake) rotateClientSecret(c *call, now time.Time) answer {
	if f.cfg.SecretQueue == nil {
		return refuse(http.StatusBadRequest, "The application has no queue registered for new secrets.", "")
	}
	next := secret.New("amzn1.oa2-cs.v1." + canary.MarkSecret + f.pace.token("client secret", f.next()))
	f.planted++
	f.rotate(next, now)
	body, err := json.Marshal(f.plainEnvelope(contract.DocumentNewSecret, "1.0", map[string]any{"applicationOAuthClientNewSecret": map[string]any{
		"clientId": f.cfg.Application.ClientID, "newClientSecret": next.Reveal(),
		"newClientSecretExpiryTime": now.Add(cmp.Or(f.cfg.SecretLife, secretLife)), "oldClientSecretExpiryTime": now.Add(secretOverlap),
	}}))
	if err != nil {
		panic(err) // the fake's own types
	}
	if err := f.spec.CheckDocument(contract.DocumentNewSecret, body); err != nil {
		f.log.violate(c.entry, now, "fake", "the message with the new secret is malformed")
	}
	c.after = func() { f.cfg.SecretQueue(secret.New(string(body))) }
	return answer{http.StatusNoContent, nil, ""}
}

// noticeExpiry sends the notice that the secret must be rotated, once for each
// secret, when half of its life is over: Amazon gives notice 90 days ahead.
func (f *Fake) noticeExpiry(now time.Time) {
	newest := &f.auth.Secrets[len(f.auth.Secrets)-1]
	end := newest.Made.Add(f.cfg.SecretLife)
	if f.cfg.SecretLife == 0 || newest.Noticed || now.Before(end.Add(-f.cfg.SecretLife/2)) {
		return
	}
	newest.Noticed = true
	f.touch()
	f.sendExpiry(end)
}

// NoticeSecretExpiry sends the notice that the client secret ends at a time,
// whatever SecretLife says; the secret itself goes on working.
func (f *Fake) NoticeSecretExpiry(end time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sendExpiry(end)
}

func (f *Fake) sendExpiry(end time.Time) {
	f.send(Notification{Type: contract.DocumentSecretExpiry}, f.plainEnvelope(contract.DocumentSecretExpiry, "1.0",
		map[string]any{"applicationOAuthClientSecretExpiry": map[string]any{
			"clientId": f.cfg.Application.ClientID, "clientSecretExpiryTime": end, "clientSecretExpiryReason": "PERIODIC_ROTATION",
		}}))
}
