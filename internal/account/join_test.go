package account_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
)

func TestASignUpMakesACompanyAndItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	m, err := w.svc.Members.Get(t.Context(), p.Tenant, p.Member)
	w.ok(err)
	if m.Role != identity.Owner || m.Email.Reveal() != "ann@example.com" || m.Name.Reveal() != "Ann Founder" || m.Enrolled.IsZero() {
		t.Errorf("the owner is %+v", m)
	}
	c, err := w.svc.Tenants.Company(t.Context(), p.Tenant)
	w.ok(err)
	if c.Name.Reveal() != "Company of ann@example.com" {
		t.Errorf("the company is called %q", c.Name.Reveal())
	}
	if who := p.principal(); !who.Enrolled || who.Role != identity.Owner || !who.May(identity.MembersWrite) {
		t.Errorf("the owner's session is of %+v", who)
	}
	for _, clear := range []string{"ann@example.com", "Ann Founder", "Company of", phrase, p.key.Reveal(), p.recovery[0].Reveal()} {
		if strings.Contains(w.dump(), clear) {
			t.Errorf("%q rests in clear", clear)
		}
	}
}

func TestSignUpAnswersTheSameForAnAddressOfAMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.founder("ann@example.com")
	w.clk.Advance(2 * time.Hour) // the mails of the first sign-up do not count any more
	signUp := func(email string) string {
		return w.traceOf(func() { w.ok(w.svc.SignUp(t.Context(), text(email), text("Mallory"), text("Evil"))) })
	}
	known := signUp("ann@example.com")
	to, body, ticket := w.letter()
	if to != "ann@example.com" || !strings.Contains(body, "already") || !ticket.Empty() {
		t.Errorf("a known address got %q", body)
	}
	if fresh := signUp("bob@example.com"); fresh != known {
		t.Errorf("a sign-up asks for\n%s for a member,\n%s for nobody", known, fresh)
	}
}

func TestATicketIsUsedOnceAndForItsPurposeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.ok(w.svc.SignUp(ctx, text("ann@example.com"), text("Ann"), text("Company")))
	_, _, ticket := w.letter()
	whole := ticket.Reveal()
	for name, wrong := range map[string]string{
		"empty": "", "cut": whole[:len(whole)-1], "another secret": whole[:len(whole)-32] + strings.Repeat("0", 32),
		"another tenant": strings.Replace(whole, string(account.Lobby), "t_aaaaaaaa", 1), "the directory": strings.Replace(whole, string(account.Lobby), string(store.Directory), 1),
		"no tenant": strings.Replace(whole, string(account.Lobby), "../..", 1),
	} {
		_, err := w.svc.CompleteSignUp(ctx, secret.New(wrong), secret.New(phrase))
		if w.refused(err, "ticket-spent"); err == nil {
			t.Error(name)
		}
	}
	_, err := w.svc.Accept(ctx, ticket, secret.New(phrase), text(""))
	w.refused(err, "ticket-spent")
	w.refused(w.svc.ResetPassword(ctx, ticket, secret.New(phrase)), "ticket-spent")
	w.refused(w.svc.NotMe(ctx, ticket), "ticket-spent")
	if w.who.Users() != 0 {
		t.Error("a wrong ticket made a user")
	}
	_, err = w.svc.CompleteSignUp(ctx, ticket, secret.New("password1234"))
	w.refused(err, "password") // and the ticket is as good as before
	_, err = w.svc.CompleteSignUp(ctx, ticket, secret.New(phrase))
	w.ok(err)
	_, err = w.svc.CompleteSignUp(ctx, ticket, secret.New(phrase2))
	w.refused(err, "ticket-spent")
	if _, err := w.svc.SignIn(ctx, text("ann@example.com"), secret.New(phrase), home); err != nil {
		t.Errorf("a spent ticket changed the password: %v", err)
	}
}

func TestATicketEndsAtItsTimeThoughTheTableHasIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok(w.svc.SignUp(t.Context(), text("ann@example.com"), text("Ann"), text("Company")))
	_, _, ticket := w.letter()
	w.clk.Advance(24*time.Hour + time.Second)
	_, err := w.svc.CompleteSignUp(t.Context(), ticket, secret.New(phrase))
	w.refused(err, "ticket-spent")
}

func TestOfManyUsesOfATicketAtOnceOneCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok(w.svc.SignUp(t.Context(), text("ann@example.com"), text("Ann"), text("Company")))
	_, _, ticket := w.letter()
	var wg sync.WaitGroup
	var mu sync.Mutex
	used := 0
	for range 8 {
		wg.Go(func() {
			if _, err := w.svc.CompleteSignUp(t.Context(), ticket, secret.New(phrase)); err == nil {
				mu.Lock()
				used++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if used != 1 {
		t.Errorf("%d uses counted", used)
	}
}

// TestASignUpThatWasCutOffIsDoneAgain loses the provider's answer, and then the
// transaction's turn.
func TestASignUpThatWasCutOffIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok(w.svc.SignUp(t.Context(), text("ann@example.com"), text("Ann"), text("Company")))
	_, _, ticket := w.letter()
	for _, applied := range []bool{false, true} {
		w.who.Hook = func(op, _ string) (bool, error) { return applied, errors.New("the answer was lost") }
		if _, err := w.svc.CompleteSignUp(t.Context(), ticket, secret.New(phrase)); err == nil {
			t.Fatal("a lost answer was taken for success")
		}
	}
	w.who.Hook = nil
	_, err := w.svc.CompleteSignUp(t.Context(), ticket, secret.New(phrase2))
	w.ok(err)
	if _, err := w.svc.SignIn(t.Context(), text("ann@example.com"), secret.New(phrase2), home); err != nil || w.who.Users() != 1 {
		t.Errorf("%v, %d users", err, w.who.Users())
	}
}

func TestAnInvitedMemberJoinsWithTheirRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	i, err := w.svc.Invite(ctx, p.Tenant, "member:"+p.Member, text("Bob@Example.com "), text("Bob"), identity.Editor)
	w.ok(err)
	to, body, ticket := w.letter()
	if to != "bob@example.com" || !strings.Contains(body, "Company of ann@example.com") || !strings.Contains(body, "editor") {
		t.Errorf("the invitation to %s says %q", to, body)
	}
	open, err := w.svc.Invitations(ctx, p.Tenant)
	w.ok(err)
	if len(open) != 1 || open[0].ID != i.ID || open[0].Email.Reveal() != "bob@example.com" || open[0].Role != identity.Editor {
		t.Errorf("waiting are %+v", open)
	}
	j, err := w.svc.Accept(ctx, ticket, secret.New(phrase2), text("Robert"))
	w.ok(err)
	m, err := w.svc.Members.Get(ctx, j.Tenant, j.Member)
	w.ok(err)
	if j.Tenant != p.Tenant || m.Role != identity.Editor || m.Name.Reveal() != "Robert" {
		t.Errorf("joined %s as %+v", j.Tenant, m)
	}
	if open, err = w.svc.Invitations(ctx, p.Tenant); err != nil || len(open) != 0 {
		t.Errorf("still waiting: %v, %v", open, err)
	}
	if got := strings.Join(w.events(p.Tenant), " "); !strings.Contains(got, "invitation.made") {
		t.Errorf("the ledger was told %s", got)
	}
}

func TestAnInvitationDoesNotTellWhoseMemberSomebodyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, eve := w.founder("ann@example.com"), w.founder("eve@example.com")
	_, err := w.svc.Invite(t.Context(), eve.Tenant, "member:"+eve.Member, text("ann@example.com"), text("Ann"), identity.Viewer)
	w.ok(err) // as for an address of nobody
	if _, body, ticket := w.letter(); !ticket.Empty() || !strings.Contains(body, "another company") {
		t.Errorf("the mail says %q", body)
	}
	_, err = w.svc.Invite(t.Context(), ann.Tenant, "member:"+ann.Member, text("ann@example.com"), text("Ann"), identity.Viewer)
	w.refused(err, "member-exists")
}

func TestAWithdrawnInvitationIsGoodForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, eve := w.founder("ann@example.com"), w.founder("eve@example.com")
	i, err := w.svc.Invite(t.Context(), ann.Tenant, "member:"+ann.Member, text("bob@example.com"), text("Bob"), identity.Viewer)
	w.ok(err)
	_, _, ticket := w.letter()
	w.refused(w.svc.Withdraw(t.Context(), eve.Tenant, "member:"+eve.Member, i.ID), "") // not hers: there is none
	w.ok(w.svc.Withdraw(t.Context(), ann.Tenant, "member:"+ann.Member, i.ID))
	_, err = w.svc.Accept(t.Context(), ticket, secret.New(phrase2), text(""))
	w.refused(err, "ticket-spent")
}

func TestARemovedMemberIsOutAtOnceAndMayComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann := w.founder("ann@example.com")
	join := func() *person {
		_, err := w.svc.Invite(ctx, ann.Tenant, "member:"+ann.Member, text("bob@example.com"), text("Bob"), identity.Viewer)
		w.ok(err)
		_, _, ticket := w.letter()
		j, err := w.svc.Accept(ctx, ticket, secret.New(phrase2), text(""))
		w.ok(err)
		bob := &person{Joined: j, w: w, email: "bob@example.com", password: phrase2}
		bob.enrol()
		return bob
	}
	bob := join()
	m, err := w.svc.Members.Get(ctx, bob.Tenant, bob.Member)
	w.ok(err)
	w.ok(w.svc.RemoveMember(ctx, bob.Tenant, "member:"+ann.Member, bob.Member, m.Ver))
	if _, _, err := w.svc.Sessions.Resume(ctx, bob.cookie); err == nil {
		t.Error("the removed member's session works")
	}
	_, err = w.svc.SignIn(ctx, text("bob@example.com"), secret.New(phrase2), home)
	w.refused(err, "sign-in-refused")
	if again := join(); again.Member == bob.Member {
		t.Error("the same member came back")
	}
}
