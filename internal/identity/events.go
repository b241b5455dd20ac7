package identity

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change in the identity table means. A
// key that was merely used is none, and the stored HMAC is in none.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Identity || r.Tenant == store.Directory || r.New == nil {
		return nil
	}
	switch {
	case r.Key == tenantKey && r.Old == nil:
		return []ledger.Event{{
			Type: ledger.TenantCreated, At: r.New.Time("createdAt"), Actor: r.New.Str("createdBy"),
			Target: string(r.Tenant), After: document(map[string]any{"name": r.New.Str("name")}),
		}}
	case r.Key.PK == keysPK && r.Old == nil:
		return []ledger.Event{{
			Type: ledger.APIKeyCreated, At: r.New.Time("createdAt"), Actor: r.New.Str("createdBy"),
			Target: "key:" + r.Key.SK,
			After: document(map[string]any{
				"name": r.New.Str("name"), "role": r.New.Str("role"),
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
