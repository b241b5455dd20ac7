// Package identity knows who is calling and what they may do: tenants, their
// members and the sessions of these, the API keys of their machines, and the
// Principal that a checked credential becomes.
//
// A key is shown once, when it is made, and never stored: the table holds an
// HMAC of it under a pepper that lives in Secrets Manager. Every reason for
// refusing a key (unknown, wrong, revoked, expired, mistyped) gives the same
// answer. When the table or the pepper cannot be read nobody is let in, and
// the caller is told to try again. The same holds for sessions, of which the
// table has a hash. Whether a principal may do a thing is decided by one table of
// roles, or a key's scopes; what lies behind a route is not known here. How
// people prove who they are is not either: that is package account.
//
// Our own operators have sessions too, by a tenant's grant alone (Grants), which each
// request looks at and which the tenant sees.
package identity

import (
	"slices"
	"strings"
	"time"

	"pricemanager/internal/tenant"
)

// Scope is one thing that an API key may do. Deny is the default: a scope that
// a key was not given is refused.
type Scope string

// The scopes: a closed set.
const (
	ConnectionsRead  Scope = "connections:read"
	ConnectionsWrite Scope = "connections:write"
	OffersRead       Scope = "offers:read"
	PlansRead        Scope = "plans:read"
	PlansWrite       Scope = "plans:write"
	BatchesRead      Scope = "batches:read"
	BatchesWrite     Scope = "batches:write"
	ExportsRead      Scope = "exports:read"
	ExportsWrite     Scope = "exports:write"
	LedgerRead       Scope = "ledger:read"
	GuardsRead       Scope = "guards:read"
	GuardsWrite      Scope = "guards:write"
	ReleasesWrite    Scope = "releases:write"
	ApprovalsWrite   Scope = "approvals:write"
	StopsRead        Scope = "stops:read"
	StopsWrite       Scope = "stops:write"
	ErasuresWrite    Scope = "erasures:write"
	// For people only, see Scope.Keyable.
	AccountSelf  Scope = "account:self" // one's own profile, sessions and authenticator
	MembersRead  Scope = "members:read"
	MembersWrite Scope = "members:write"
	KeysRead     Scope = "keys:read"
	KeysWrite    Scope = "keys:write"
	TenantRead   Scope = "tenant:read"
	TenantWrite  Scope = "tenant:write"
	SupportWrite Scope = "support:write" // letting our operators look
)

// AllScopes lists all scopes.
func AllScopes() []Scope {
	return []Scope{
		ConnectionsRead, ConnectionsWrite, OffersRead, PlansRead, PlansWrite,
		BatchesRead, BatchesWrite, ExportsRead, ExportsWrite, LedgerRead, GuardsRead, GuardsWrite, ReleasesWrite, ApprovalsWrite, StopsRead, StopsWrite, ErasuresWrite,
		AccountSelf, MembersRead, MembersWrite, KeysRead, KeysWrite, TenantRead, TenantWrite, SupportWrite,
	}
}

// Scopes lists the scopes that an API key can hold.
func Scopes() []Scope {
	return slices.DeleteFunc(AllScopes(), func(s Scope) bool { return !s.Keyable() })
}

// Valid reports whether s is one of AllScopes.
func (s Scope) Valid() bool { return slices.Contains(AllScopes(), s) }

// Principal is a caller whose credential was checked. It never holds the
// credential.
type Principal struct {
	Tenant tenant.ID
	Actor  string // who the ledger names, e.g. "key:k3f9..." or "member:m7ab..."
	Role   Role
	KeyID  string  // of a machine
	Scopes []Scope // of a machine
	// MadeBy is who made a machine's key.
	MadeBy string
	// The rest is a person's. Operators have no Member.
	Member  string
	Session string // public id of the session
	// Enrolled: a TOTP code was checked in this session. Without one the
	// session reaches its own account and nothing else.
	Enrolled bool
	// MFAAt is when a TOTP code was last checked in this session.
	MFAAt time.Time
}

// May reports whether the principal may do what the scope names. The zero
// Principal may nothing.
func (p Principal) May(s Scope) bool {
	switch {
	case p.Tenant == "" || !s.Valid():
		return false
	case p.Role == Machine:
		return s.Keyable() && slices.Contains(p.Scopes, s)
	case !p.Enrolled:
		return s == AccountSelf && p.Role.ForMembers()
	default:
		return p.Role.Allows(s)
	}
}

// memberActor begins the Actor of a member.
const memberActor = "member:"

// Accountable is who answers for what the principal does: for a machine the member who made
// its key, if a member did. What takes two people takes two of these.
func (p Principal) Accountable() string {
	if strings.HasPrefix(p.MadeBy, memberActor) {
		return p.MadeBy
	}
	return p.Actor
}

// Fresh reports whether the principal may do, at now, what the scope wants a
// recent TOTP code for.
func (p Principal) Fresh(s Scope, now time.Time) bool {
	return p.Role == Machine || !s.Recent() || now.Sub(p.MFAAt) < RecentMFA
}
