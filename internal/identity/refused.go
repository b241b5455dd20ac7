package identity

import "pricemanager/internal/tenant"

// Refused is the cause of a refusal that is some tenant's business: a credential that
// names somebody of theirs was not good. It is for the ledger and the log; the caller
// is told the same whatever the reason.
type Refused struct {
	Tenant  tenant.ID
	Subject string // whom the credential names, as the ledger does: "key:..."
	Why     string
	Proven  bool // it was theirs once, and not only its name
}

// Why a credential is refused.
const (
	WrongSecret = "wrong-secret"
	RevokedKey  = "revoked"
	ExpiredKey  = "expired"
	// ElsewhereKey: it is bound to network addresses, and came from another one.
	ElsewhereKey = "elsewhere"
)

// Error says it without the credential.
func (r *Refused) Error() string { return "identity: " + r.Subject + ": " + r.Why }
