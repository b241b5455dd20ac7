// Package identity knows who is calling and what they may do: tenants, the API
// keys of their machines, and the Principal that a checked credential becomes.
//
// A key is shown once, when it is made, and never stored: the table holds an
// HMAC of it under a pepper that lives in Secrets Manager. Every reason for
// refusing a key (unknown, wrong, revoked, expired, mistyped) gives the same
// answer. When the table or the pepper cannot be read nobody is let in, and
// the caller is told to try again. Whether a principal may do a thing is
// decided by its scopes; what lies behind a route is not known here.
package identity

import (
	"slices"

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
)

// Scopes lists all scopes.
func Scopes() []Scope {
	return []Scope{
		ConnectionsRead, ConnectionsWrite, OffersRead, PlansRead, PlansWrite,
		BatchesRead, BatchesWrite, ExportsRead, ExportsWrite, LedgerRead, GuardsRead, GuardsWrite, ReleasesWrite, ApprovalsWrite, StopsRead, StopsWrite, ErasuresWrite,
	}
}

// Valid reports whether s is one of Scopes.
func (s Scope) Valid() bool { return slices.Contains(Scopes(), s) }

// Role is what kind of caller a principal is.
type Role string

// Machine is the role of an API key. It acts for its tenant within its scopes.
const Machine Role = "machine"

// Principal is a caller whose credential was checked. It never holds the
// credential.
type Principal struct {
	Tenant tenant.ID
	Actor  string // who the ledger names, e.g. "key:k3f9..."
	KeyID  string
	Role   Role
	Scopes []Scope
}

// May reports whether the principal was given the scope. The zero Principal
// may nothing.
func (p Principal) May(s Scope) bool {
	return p.Tenant != "" && s.Valid() && slices.Contains(p.Scopes, s)
}
