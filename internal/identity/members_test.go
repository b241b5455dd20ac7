package identity_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// kept is what a model of the members knows.
type kept struct {
	tenant  tenant.ID
	id      string
	role    identity.Role
	mail    string
	ver     int64
	removed bool
}

// Whatever happens in whatever order, and whatever write fails or loses its answer:
// each tenant that ever had an owner has one, an address is one member's at most,
// and is found as long as it is.
func TestMembersKeepAnOwnerAndTheirAddressesWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := newPeople(t)
		ctx := t.Context()
		broken := ""
		p.db.Hook = func(memory.Op) (bool, error) {
			how := broken
			broken = ""
			switch how {
			case "dropped":
				return false, errors.New("write failed")
			case "lost":
				return true, errors.New("answer lost")
			}
			return true, nil
		}
		var all []*kept
		tenants := []tenant.ID{alpha, beta}
		mails := []string{"ann@example.com", "ben@example.com", "cat@example.com"}
		roles := rapid.SampledFrom(identity.MemberRoles())
		pick := func(rt *rapid.T) *kept {
			if len(all) == 0 {
				rt.Skip()
			}
			return rapid.SampledFrom(all).Draw(rt, "member")
		}
		taken := func(mail string) bool {
			return slices.ContainsFunc(all, func(k *kept) bool { return !k.removed && k.mail == mail })
		}
		owners := func(at tenant.ID) (n int) {
			for _, k := range all {
				if k.tenant == at && !k.removed && k.role == identity.Owner {
					n++
				}
			}
			return n
		}
		// done says whether a change that answered err happened, and wants err to be the
		// one that the model foresees: "" for none.
		done := func(rt *rapid.T, how, foreseen string, err error) bool {
			rt.Helper()
			got := ""
			var f *fault.Fault
			switch {
			case errors.Is(err, identity.ErrMailTaken):
				got = "mail-taken"
			case errors.As(err, &f):
				got = cmpOr(f.Type, string(f.Kind))
			case err != nil:
				got = "broken"
			}
			if how != "" && got == "broken" {
				return how == "lost" && foreseen == ""
			}
			if got != foreseen {
				rt.Fatalf("%v, want %q", err, foreseen)
			}
			return foreseen == ""
		}
		fail := rapid.SampledFrom([]string{"", "", "", "dropped", "lost"})
		rt.Repeat(map[string]func(*rapid.T){
			"join": func(rt *rapid.T) {
				k := &kept{tenant: rapid.SampledFrom(tenants).Draw(rt, "tenant"), role: roles.Draw(rt, "role"), mail: rapid.SampledFrom(mails).Draw(rt, "mail"), ver: 1}
				n := newMember(rt, k.role, "x")
				n.Email, k.id = personal.New(k.mail), n.ID
				foreseen := ""
				if taken(k.mail) {
					foreseen = "mail-taken"
				}
				how := fail.Draw(rt, "how")
				// Begins with what the sealing of a tenant's first field writes.
				if _, err := personal.Seal(ctx, p.members.Seal, k.tenant, personal.MemberName, store.Key{PK: personal.MembersPK, SK: "x"}, n.Name); err != nil {
					rt.Fatal(err)
				}
				broken = how
				if done(rt, how, foreseen, p.members.Join(ctx, k.tenant, "member:boss", n)) {
					all = append(all, k)
				}
			},
			"role": func(rt *rapid.T) {
				k, role := pick(rt), roles.Draw(rt, "role")
				ver := k.ver + rapid.Int64Range(-1, 1).Draw(rt, "stale")
				foreseen := ""
				switch {
				case k.removed:
					foreseen = "not-found"
				case ver != k.ver:
					foreseen = "member-moved"
				case k.role == identity.Owner && role != identity.Owner && owners(k.tenant) == 1:
					foreseen = "last-owner"
				}
				how := fail.Draw(rt, "how")
				broken = how
				if done(rt, how, foreseen, p.members.SetRole(ctx, k.tenant, "member:boss", k.id, role, ver)) && k.role != role {
					k.role, k.ver = role, k.ver+1
				}
			},
			"remove": func(rt *rapid.T) {
				k := pick(rt)
				ver := k.ver - rapid.Int64Range(0, 1).Draw(rt, "stale")
				foreseen := ""
				switch {
				case k.removed:
					foreseen = "not-found"
				case ver != k.ver:
					foreseen = "member-moved"
				case k.role == identity.Owner && owners(k.tenant) == 1:
					foreseen = "last-owner"
				}
				how := fail.Draw(rt, "how")
				broken = how
				if done(rt, how, foreseen, p.members.Remove(ctx, k.tenant, "member:boss", k.id, ver)) {
					k.removed = true
				}
			},
			"mail": func(rt *rapid.T) {
				k, mail := pick(rt), rapid.SampledFrom(mails).Draw(rt, "mail")
				foreseen := ""
				switch {
				case k.removed:
					foreseen = "not-found"
				case taken(mail):
					foreseen = "mail-taken"
				}
				how := fail.Draw(rt, "how")
				broken = how
				if done(rt, how, foreseen, p.members.SetEmail(ctx, k.tenant, "member:boss", k.id, personal.New(mail))) {
					k.mail, k.ver = mail, k.ver+1
				}
			},
			"": func(rt *rapid.T) {
				broken = ""
				for _, mail := range mails {
					at, m, err := p.members.ByMail(ctx, mail)
					i := slices.IndexFunc(all, func(k *kept) bool { return !k.removed && k.mail == mail })
					switch {
					case i < 0 && fault.KindOf(err) != fault.NotFound:
						rt.Fatalf("%s is nobody's and found: %v, %v", mail, m, err)
					case i >= 0 && (err != nil || at != all[i].tenant || m.ID != all[i].id || m.Email.Reveal() != mail):
						rt.Fatalf("%s is %+v and found: %v, %v", mail, all[i], m, err)
					}
				}
				for _, at := range tenants {
					list, _, err := p.members.List(ctx, at, "", 0)
					if err != nil {
						rt.Fatal(err)
					}
					ever, have := false, 0
					for _, m := range list {
						i := slices.IndexFunc(all, func(k *kept) bool { return k.id == m.ID })
						if i < 0 || all[i].tenant != at || all[i].role != m.Role || all[i].ver != m.Ver && m.Removed.IsZero() || all[i].removed == m.Removed.IsZero() {
							rt.Fatalf("%s lists %+v of %+v", at, m, all)
						}
						ever = ever || m.Role == identity.Owner
						if m.Role == identity.Owner && m.Removed.IsZero() {
							have++
						}
					}
					if ever && have == 0 {
						rt.Fatalf("%s has no owner any more", at)
					}
				}
			},
		})
	})
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestOwnersWhoRemoveEachOtherAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := newPeople(t)
		const n = 6
		var owners [n]identity.Member
		for i := range owners {
			owners[i] = p.join(t, alpha, identity.Owner, fmt.Sprint("o", i))
		}
		var wg sync.WaitGroup
		for i := range owners {
			wg.Go(func() {
				next := owners[(i+1)%n]
				var err error
				if i%2 == 0 {
					err = p.members.Remove(t.Context(), alpha, "member:"+owners[i].ID, next.ID, next.Ver)
				} else {
					err = p.members.SetRole(t.Context(), alpha, "member:"+owners[i].ID, next.ID, identity.Viewer, next.Ver)
				}
				if err != nil && fault.KindOf(err) != fault.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		list, _, err := p.members.List(t.Context(), alpha, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(list, func(m identity.Member) bool { return m.Role != identity.Owner || !m.Removed.IsZero() })
		if len(left) != 1 {
			t.Fatalf("%d owners are left", len(left))
		}
	}
}

func TestOfTwoWhoTakeAnAddressAtOnceOneGetsIt(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	tenants := []tenant.ID{alpha, beta}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			err := p.members.Join(t.Context(), tenants[i%2], "member:boss", newMember(t, identity.Viewer, "ann"))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, identity.ErrMailTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d members have it", won.Load())
	}
}

func TestARemovalOrAnotherRoleCountsFromTheNextRequest(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.join(t, alpha, identity.Owner, "boss")
	m, _, cookie := p.signIn(t, alpha, identity.Owner, "ann")
	if who, _ := p.resume(t, cookie); !who.May(identity.MembersWrite) {
		t.Fatal("an owner may not manage members")
	}
	if err := p.members.SetRole(t.Context(), alpha, "member:boss", m.ID, identity.Viewer, m.Ver); err != nil {
		t.Fatal(err)
	}
	if who, _ := p.resume(t, cookie); who.May(identity.MembersWrite) || !who.May(identity.PlansRead) || who.Role != identity.Viewer {
		t.Errorf("after a change of role: %+v", who)
	}
	if err := p.members.Remove(t.Context(), alpha, "member:boss", m.ID, m.Ver+1); err != nil {
		t.Fatal(err)
	}
	p.refused(t, "removed", cookie)
}

func TestAMembersNameAndAddressRestSealedAndGoWithThem(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.join(t, alpha, identity.Owner, "boss")
	m := p.join(t, alpha, identity.Viewer, "annegret")
	if m.Name.Reveal() != "annegret" || m.Email.Reveal() != "annegret@example.com" {
		t.Fatalf("%q %q", m.Name.Reveal(), m.Email.Reveal())
	}
	clear := func() (found []string) {
		p.db.Each(func(_ tenant.ID, table store.Table, i store.Item) bool {
			if text := fmt.Sprintf("%s %s", i.Key, i.Attrs); strings.Contains(text, "annegret") || strings.Contains(text, "example.com") {
				found = append(found, string(table)+" "+i.PK)
			}
			return true
		})
		return found
	}
	if found := clear(); found != nil {
		t.Errorf("in clear in %v", found)
	}
	if err := p.members.SetEmail(t.Context(), alpha, "member:"+m.ID, m.ID, personal.New("anne@example.com")); err != nil {
		t.Fatal(err)
	}
	if err := p.members.Remove(t.Context(), alpha, "member:boss", m.ID, m.Ver+1); err != nil {
		t.Fatal(err)
	}
	gone, err := p.members.Get(t.Context(), alpha, m.ID)
	if err != nil || gone.Name.Reveal() != "" || gone.Email.Reveal() != "" || gone.Removed.IsZero() || !gone.CreatedAt.Equal(m.CreatedAt) {
		t.Errorf("of a removed member is left %+v, %v", gone, err)
	}
	again := p.join(t, beta, identity.Owner, "annegret")
	if at, found, err := p.members.ByMail(t.Context(), "annegret@example.com"); err != nil || at != beta || found.ID != again.ID {
		t.Errorf("the address anew: %s %v, %v", at, found.ID, err)
	}
	for _, r := range p.db.Records(store.Identity, "") {
		for _, e := range identity.Events(r) {
			if text := fmt.Sprintf("%+v %s %s", e, e.Before, e.After); strings.Contains(text, "anne") {
				t.Errorf("the ledger learns %s", text)
			}
		}
	}
}

func TestAnotherTenantsMemberIsLikeNone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	m := p.join(t, alpha, identity.Owner, "ann")
	ctx := t.Context()
	_, get := p.members.Get(ctx, beta, m.ID)
	errs := []error{
		get, p.members.SetRole(ctx, beta, "member:x", m.ID, identity.Viewer, m.Ver), p.members.Remove(ctx, beta, "member:x", m.ID, m.Ver),
		p.members.SetEmail(ctx, beta, "member:x", m.ID, personal.New("b@example.com")),
		p.members.SetEnrolled(ctx, beta, m.ID, true), p.members.SetEnrolled(ctx, alpha, "m", true),
	}
	for i, err := range errs {
		if shown(err) != "not-found: There is no such member." {
			t.Errorf("%d: %v", i, err)
		}
	}
	if now, err := p.members.Get(ctx, alpha, m.ID); err != nil || now.Ver != m.Ver {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestWhatGoesWithAJoinHappensWithItOrNotAtAll(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	ticket := store.Key{PK: "ticket", SK: "1"}
	use := store.Write{Tenant: alpha, Table: store.Identity, Key: ticket, Delete: true, If: []store.Cond{store.Exists()}}
	n := newMember(t, identity.Owner, "ann")
	if err := p.members.Join(t.Context(), alpha, "member:boss", n, use); !errors.Is(err, store.ErrConflict) || errors.Is(err, identity.ErrMailTaken) {
		t.Fatalf("without its ticket: %v", err)
	}
	if _, _, err := p.members.ByMail(t.Context(), n.Email.Reveal()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("half of a member is there: %v", err)
	}
	if err := p.db.Put(t.Context(), alpha, store.Identity, store.Item{Key: ticket}); err != nil {
		t.Fatal(err)
	}
	if err := p.members.Join(t.Context(), alpha, "member:boss", n, use); err != nil {
		t.Fatal(err)
	}
	if err := p.members.Join(t.Context(), beta, "member:boss", newMember(t, identity.Owner, "ann")); !errors.Is(err, identity.ErrMailTaken) {
		t.Errorf("an address twice: %v", err)
	}
	for _, role := range []identity.Role{identity.Operator, identity.Machine, ""} {
		wantKind(t, p.members.Join(t.Context(), alpha, "member:boss", newMember(t, role, "x")), fault.Invalid)
		wantKind(t, p.members.SetRole(t.Context(), alpha, "member:boss", n.ID, role, 1), fault.Invalid)
	}
}

func TestEnrolmentIsNotedOnce(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	m := p.join(t, alpha, identity.Owner, "ann")
	for _, c := range []struct {
		enrolled bool
		ver      int64
	}{{false, 1}, {true, 2}, {true, 2}, {false, 3}, {false, 3}, {true, 4}} {
		if err := p.members.SetEnrolled(t.Context(), alpha, m.ID, c.enrolled); err != nil {
			t.Fatal(err)
		}
		now, err := p.members.Get(t.Context(), alpha, m.ID)
		if err != nil || now.Enrolled.IsZero() == c.enrolled || now.Ver != c.ver {
			t.Errorf("%+v gave %+v, %v", c, now, err)
		}
	}
}

func TestAnAddressIsOneAddressAndComparedInOneForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Ann@Example.COM ": "ann@example.com", "a.b+c@x.example.org": "a.b+c@x.example.org", "ann@xn--exmple-cua.de\r\n": "ann@xn--exmple-cua.de",
	} {
		if got, err := identity.CleanMail(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{
		"", "ann", "@example.com", "ann@", "ann@example", "a@b@example.com", "ann@.example.com", "ann@example.com.", "ann@a..b.com",
		"ann@example.com, ben@example.com", "Ann <ann@example.com>", "ann@example.com\r\nBcc: x@example.com", "a b@example.com", "ann@exa_mple.com",
		"ann\x00@example.com", "\xff@example.com", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a", 250) + ".com", `"a"@example.com`, "ä@example.com", "ann@exämple.de", "an\u212a@example.com",
	} {
		if got, err := identity.CleanMail(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q is %q, %v", bad, got, err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.String().Draw(rt, "text") + rapid.SampledFrom([]string{"", "@example.com", "@x.y"}).Draw(rt, "domain")
		once, err := identity.CleanMail(s)
		if err != nil {
			return
		}
		if twice, err := identity.CleanMail(once); err != nil || cmp.Diff(once, twice) != "" || strings.ContainsAny(once, " \r\n,<>") || strings.Count(once, "@") != 1 {
			rt.Fatalf("%q became %q, then %q, %v", s, once, twice, err)
		}
	})
}
