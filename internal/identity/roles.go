package identity

import (
	"slices"
	"time"
)

// Role is what kind of caller a principal is.
type Role string

// The roles: a closed set. A member has one of the first four. Machine is an API
// key's: it may do what its scopes say. Operator is our own staff, let in by a
// tenant's recorded grant and for its time only.
const (
	Owner    Role = "owner"
	Approver Role = "approver"
	Editor   Role = "editor"
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Machine  Role = "machine"
)

// Roles lists the roles of people, the most powerful first.
func Roles() []Role { return []Role{Owner, Approver, Editor, Viewer, Operator} }

// MemberRoles lists the roles that a tenant gives to its members.
func MemberRoles() []Role { return []Role{Owner, Approver, Editor, Viewer} }

// RecentMFA is how long ago a TOTP code may have been checked for the scopes
// that Recent names: long enough for one errand, too short for a browser that
// was left open.
const RecentMFA = 10 * time.Minute

var (
	reading = []Scope{ConnectionsRead, OffersRead, PlansRead, BatchesRead, ExportsRead, LedgerRead, GuardsRead, StopsRead, TenantRead, AccountSelf}
	editing = []Scope{PlansWrite, BatchesWrite, StopsWrite}
	judging = []Scope{ReleasesWrite, ApprovalsWrite}
	owning  = []Scope{ConnectionsWrite, ExportsWrite, GuardsWrite, ErasuresWrite, MembersRead, MembersWrite, KeysRead, KeysWrite, TenantWrite, SupportWrite}
)

// table is the one table of what people may do; what is not in it is denied. An
// approver stops and judges but prepares nothing, so that two people stand
// behind a large change. An operator reads what explains a fault, and stops.
var table = map[Role][]Scope{
	Owner:    slices.Concat(reading, editing, judging, owning),
	Approver: slices.Concat(reading, judging, []Scope{StopsWrite}),
	Editor:   slices.Concat(reading, editing),
	Viewer:   reading,
	Operator: {ConnectionsRead, OffersRead, PlansRead, BatchesRead, GuardsRead, StopsRead, StopsWrite, TenantRead},
}

// Allows reports whether a person with the role may do what the scope names.
// A machine's scopes are its own: see Principal.May.
func (r Role) Allows(s Scope) bool { return slices.Contains(table[r], s) }

// ForMembers reports whether the role is one that a tenant gives.
func (r Role) ForMembers() bool { return slices.Contains(MemberRoles(), r) }

// Keyable reports whether an API key can hold the scope. What concerns people
// and their credentials is for people, and so is what takes a second one: a key that
// judged would be a second pair of hands of whoever made it.
func (s Scope) Keyable() bool {
	return s.Valid() && !slices.Contains([]Scope{ReleasesWrite, ApprovalsWrite, AccountSelf, MembersRead, MembersWrite, KeysRead, KeysWrite, TenantRead, TenantWrite, SupportWrite}, s)
}

// Recent reports whether a person needs a recent TOTP code for the scope: Amazon's
// tokens, guards, the data's export and erasure, members, keys, and letting held
// prices and large plans through. An API key got the scope from somebody who had one.
func (s Scope) Recent() bool {
	return slices.Contains([]Scope{ConnectionsWrite, GuardsWrite, ExportsWrite, ErasuresWrite, MembersWrite, KeysWrite, TenantWrite, SupportWrite, ReleasesWrite, ApprovalsWrite}, s)
}
