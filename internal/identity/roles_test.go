package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/identity"
	"pricemanager/internal/tenant"
)

// The table as people read it: + may, * may with a recent code, - may not. The last
// column is what an API key can be given.
const rights = `
                   owner approver editor viewer operator | key
connections:read     +      +        +      +      +     |  +
connections:write    *      -        -      -      -     |  +
offers:read          +      +        +      +      +     |  +
plans:read           +      +        +      +      +     |  +
plans:write          +      -        +      -      -     |  +
batches:read         +      +        +      +      +     |  +
batches:write        +      -        +      -      -     |  +
exports:read         +      +        +      +      -     |  +
exports:write        *      -        -      -      -     |  +
ledger:read          +      +        +      +      -     |  +
guards:read          +      +        +      +      +     |  +
guards:write         *      -        -      -      -     |  +
releases:write       *      *        -      -      -     |  -
approvals:write      *      *        -      -      -     |  -
stops:read           +      +        +      +      +     |  +
stops:write          +      +        +      -      +     |  +
erasures:write       *      -        -      -      -     |  +
account:self         +      +        +      +      -     |  -
members:read         +      -        -      -      -     |  -
members:write        *      -        -      -      -     |  -
keys:read            +      -        -      -      -     |  -
keys:write           *      -        -      -      -     |  -
tenant:read          +      +        +      +      +     |  -
tenant:write         *      -        -      -      -     |  -
support:write        *      -        -      -      -     |  -
`

func TestRolesMayWhatTheTableSaysAndNothingElse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	var got strings.Builder
	fmt.Fprintf(&got, "\n%18s %s | key\n", "", "owner approver editor viewer operator")
	mark := func(p identity.Principal, s identity.Scope) string {
		old := p
		old.MFAAt = now.Add(-identity.RecentMFA)
		p.MFAAt = now.Add(-identity.RecentMFA + time.Nanosecond)
		switch {
		case !p.May(s):
			return "-"
		case !p.Fresh(s, now):
			return "?" // with no code ever
		case !old.Fresh(s, now):
			return "*"
		}
		return "+"
	}
	for _, s := range identity.AllScopes() {
		var marks []any
		for _, r := range identity.Roles() {
			marks = append(marks, mark(identity.Principal{Tenant: alpha, Role: r, Enrolled: true}, s))
		}
		marks = append(marks, mark(identity.Principal{Tenant: alpha, Role: identity.Machine, Scopes: identity.AllScopes()}, s))
		fmt.Fprintf(&got, "%-18s   %s      %s        %s      %s      %s     |  %s\n", append([]any{s}, marks...)...)
	}
	if d := cmp.Diff(rights, got.String()); d != "" {
		t.Errorf("%s\nis:%s", d, got.String())
	}
}

func TestNothingIsAllowedUnlessTheTableSaysSo(t *testing.T) {
	t.Parallel()
	scopes := append(identity.AllScopes(), "", "plans:all", "members", "PLANS:READ", "plans:read ", "*")
	roles := append(identity.Roles(), identity.Machine, "", "admin", "root", "OWNER")
	rapid.Check(t, func(rt *rapid.T) {
		p := identity.Principal{
			Tenant: rapid.SampledFrom([]tenant.ID{"", alpha}).Draw(rt, "tenant"), Role: rapid.SampledFrom(roles).Draw(rt, "role"),
			Enrolled: rapid.Bool().Draw(rt, "enrolled"), Scopes: rapid.SliceOfN(rapid.SampledFrom(scopes), 0, 5).Draw(rt, "scopes"),
		}
		s := rapid.SampledFrom(scopes).Draw(rt, "scope")
		may := p.May(s)
		known := slices.Contains(identity.AllScopes(), s)
		want := false
		switch {
		case p.Tenant == "" || !known:
		case p.Role == identity.Machine:
			want = slices.Contains(p.Scopes, s) && s.Keyable()
		case !slices.Contains(identity.Roles(), p.Role):
		case !p.Enrolled:
			want = s == identity.AccountSelf && p.Role.ForMembers()
		default:
			want = p.Role.Allows(s)
		}
		if may != want {
			rt.Fatalf("%+v May(%s) = %v", p, s, may)
		}
	})
	if (identity.Principal{Tenant: alpha}).May(identity.AccountSelf) {
		t.Error("a principal without a role may something")
	}
}

func TestScopesOfPeopleAreInNoKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, s := range identity.AllScopes() {
		_, _, err := w.keys.Create(t.Context(), alpha, "member:ann", "till", []identity.Scope{s})
		if (err == nil) != s.Keyable() || s.Keyable() != slices.Contains(identity.Scopes(), s) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
