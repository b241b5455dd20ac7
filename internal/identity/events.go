package identity

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change in the identity table means. A
// key that was merely used is none; neither the stored HMAC nor a name, which rests
// sealed, is in any.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Identity || r.Tenant == store.Directory || r.New == nil {
		return nil
	}
	switch {
	case r.Key == tenantKey && r.Old == nil:
		return []ledger.Event{{
			Type: ledger.TenantCreated, At: r.New.Time("createdAt"), Actor: r.New.Str("createdBy"),
			Target: string(r.Tenant),
		}}
	case r.Key.PK == membersPK:
		return memberEvents(r)
	case r.Key.PK == sessionsPK:
		return sessionEvents(r)
	case r.Key.PK == grantsPK:
		return grantEvents(r)
	case r.Key.PK == AdvicePK && r.Old == nil:
		return []ledger.Event{{Type: ledger.AdviceTaken, At: r.New.Time("at"), Actor: r.New.Str("by"), Target: "advice:" + r.Key.SK}}
	case r.Key == ReviewKey && (r.Old == nil || dated(r, "at")):
		return []ledger.Event{{
			Type: ledger.AccessReviewed, At: r.New.Time("at"), Actor: r.New.Str("by"), Target: string(r.Tenant),
			After: document(map[string]any{"digest": r.New.Str("digest"), "members": r.New.Int("members"), "keys": r.New.Int("keys")}),
		}}
	case r.Key == tenantKey && r.New.Int("ver") != r.Old.Int("ver"):
		return []ledger.Event{{
			Type: ledger.TenantChanged, At: r.New.Time("changedAt"), Actor: r.New.Str("changedBy"), Target: string(r.Tenant),
		}}
	case r.Key.PK == keysPK && r.Old == nil:
		return []ledger.Event{{
			Type: ledger.APIKeyCreated, At: r.New.Time("createdAt"), Actor: r.New.Str("createdBy"),
			Target: "key:" + r.Key.SK,
			After: document(map[string]any{
				"role":   r.New.Str("role"),
				"scopes": json.RawMessage(r.New.Bytes("scopes")), "expires": r.New.Time("expires"),
			}),
		}}
	case r.Key.PK == keysPK && r.Old.Int("revokedAt") == 0 && r.New.Int("revokedAt") != 0:
		return []ledger.Event{{
			Type: ledger.APIKeyRevoked, At: r.New.Time("revokedAt"), Actor: r.New.Str("revokedBy"),
			Target: "key:" + r.Key.SK,
		}}
	}
	return nil
}

// document encodes a small map; a scopes attribute that is not JSON, which only
// a foreign writer could have put there, leaves the event without a body.
func document(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}
