package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// failing is a table whose reads fail.
type failing struct {
	*memory.DB
	err error
}

func (f failing) Get(context.Context, tenant.ID, store.Table, store.Key) (store.Item, error) {
	return store.Item{}, f.err
}

func TestAResetEndsSessionsAndKeepsTheAuthenticator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	w.ok(w.svc.ForgotPassword(ctx, text(p.email)))
	_, _, ticket := w.letter()
	w.refused(w.svc.ResetPassword(ctx, ticket, secret.New("password1234")), "password")
	w.ok(w.svc.ResetPassword(ctx, ticket, secret.New(phrase2)))
	if p.sessions() != 0 {
		t.Error("sessions go on")
	}
	if _, body, _ := w.letter(); !strings.Contains(body, "was changed") {
		t.Errorf("the mail says %q", body)
	}
	w.refused(w.svc.ResetPassword(ctx, ticket, secret.New(phrase)), "ticket-spent")
	step, err := w.svc.SignIn(ctx, text(p.email), secret.New(phrase2), home)
	w.ok(err)
	if step.Needs != "code" {
		t.Errorf("a mailbox alone gave a sign-in that needs %q", step.Needs)
	}
}

func TestAResetEndsAfterAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	w.ok(w.svc.ForgotPassword(t.Context(), text(p.email)))
	_, _, ticket := w.letter()
	w.clk.Advance(time.Hour)
	w.refused(w.svc.ResetPassword(t.Context(), ticket, secret.New(phrase2)), "ticket-spent")
}

func TestNobodysMailboxIsFilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 20 {
		w.ok(w.svc.ForgotPassword(t.Context(), text("victim@example.com")))
		w.ok(w.svc.SignUp(t.Context(), text("victim@example.com"), text("V"), text("V")))
	}
	if n := w.unread(); n != 5 {
		t.Errorf("%d mails in an hour", n)
	}
	w.clk.Advance(time.Hour)
	w.ok(w.svc.ForgotPassword(t.Context(), text("victim@example.com")))
	if n := w.unread(); n != 6 {
		t.Errorf("%d mails after it", n)
	}
}

func TestAnAddressChangesWhenBothConfirmed(t *testing.T) {
	t.Parallel()
	for _, oldFirst := range []bool{true, false} {
		w := newWorld(t)
		ctx := t.Context()
		p := w.founder("ann@example.com")
		w.ok(w.svc.ChangeAddress(ctx, p.principal(), text("ann@new.example")))
		toNew, _, fresh := w.letter()
		toOld, _, old := w.letter()
		if toNew != "ann@new.example" || toOld != "ann@example.com" {
			t.Fatalf("mails went to %s and %s", toNew, toOld)
		}
		order := []secret.Value{fresh, old}
		if oldFirst {
			order = []secret.Value{old, fresh}
		}
		for range 2 { // the first one twice is no more than once
			done, err := w.svc.ConfirmAddress(ctx, order[0])
			w.ok(err)
			if done {
				t.Fatal("one address was enough")
			}
		}
		if _, err := w.svc.SignIn(ctx, text("ann@example.com"), secret.New(phrase), home); err != nil {
			t.Errorf("the old address stopped too early: %v", err)
		}
		done, err := w.svc.ConfirmAddress(ctx, order[1])
		w.ok(err)
		if !done {
			t.Error("both addresses were not enough")
		}
		if _, err := w.svc.SignIn(ctx, text("ann@new.example"), secret.New(phrase), home); err != nil {
			t.Errorf("the new address: %v", err)
		}
		_, err = w.svc.SignIn(ctx, text("ann@example.com"), secret.New(phrase), home)
		w.refused(err, "sign-in-refused")
	}
}

// TestAChangeOfAddressThatWasCutOffIsCompleted: the second ticket was noted and the
// change was not made.
func TestAChangeOfAddressThatWasCutOffIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	w.ok(w.svc.ChangeAddress(ctx, p.principal(), text("ann@new.example")))
	_, _, fresh := w.letter()
	_, _, old := w.letter()
	_, err := w.svc.ConfirmAddress(ctx, old)
	w.ok(err)
	index := w.svc.Members.Index
	w.svc.Members.Index = func(context.Context, string, string) (string, error) { return "", errors.New("no key") }
	if _, err := w.svc.ConfirmAddress(ctx, fresh); err == nil {
		t.Fatal("it was made without the key")
	}
	w.svc.Members.Index = index
	done, err := w.svc.ConfirmAddress(ctx, old) // either of the two
	w.ok(err)
	m, err := w.svc.Members.Get(ctx, p.Tenant, p.Member)
	w.ok(err)
	if !done || m.Email.Reveal() != "ann@new.example" {
		t.Errorf("done %t, the address is %s", done, m.Email.Reveal())
	}
}

func TestAnAddressOfSomebodyElseIsNotTakenAndNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, _ := w.founder("ann@example.com"), w.founder("bob@example.com")
	w.ok(w.svc.ChangeAddress(t.Context(), ann.principal(), text("bob@example.com")))
	if to, body, ticket := w.letter(); to != "bob@example.com" || !ticket.Empty() || !strings.Contains(body, "already") {
		t.Errorf("%s got %q", to, body)
	}
}

func TestANewDeviceIsToldAndCanBeDisowned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	p.signIn(home)
	if n := w.unread(); n != 0 {
		t.Errorf("%d mails about a device that is known", n)
	}
	p.signIn(account.Origin{Address: "198.51.100.1", Agent: "Chrome\r\nBcc: all http://evil.example"})
	to, body, ticket := w.letter()
	if to != p.email || !strings.Contains(body, "198.51.100.1") || strings.Contains(body, "evil") {
		t.Errorf("%s got %q", to, body)
	}
	w.ok(w.svc.NotMe(ctx, ticket))
	if p.sessions() != 0 {
		t.Error("sessions go on")
	}
	_, err := w.svc.SignIn(ctx, text(p.email), secret.New(p.password), home)
	w.refused(err, "sign-in-refused")
	_, _, again := w.letter()
	w.ok(w.svc.ResetPassword(ctx, again, secret.New(phrase2)))
	p.password = phrase2
	p.signIn(home)
	if got := strings.Join(w.events(p.Tenant), " "); !strings.Contains(got, "signin.disowned") || !strings.Contains(got, "password.changed") {
		t.Errorf("the ledger was told %s", got)
	}
}

func TestASecondDeviceAtTheSameTimeIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	phone := account.Origin{Address: "198.51.100.1", Agent: "phone"}
	p.signIn(phone) // new
	p.signIn(phone) // known, while the desk is signed in
	w.letter()
	if _, body, _ := w.letter(); !strings.Contains(body, "another device") {
		t.Errorf("the mail says %q", body)
	}
}

func TestABrowserMayCallItselfWhatItLikes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	p.signIn(account.Origin{Address: "no address", Agent: strings.Repeat("x\xff", 4000)})
	p.signIn(account.Origin{Address: "2001:db8::1"})
	if n := p.sessions(); n != 3 {
		t.Errorf("%d sessions", n)
	}
	if _, err := w.svc.ListSessions(t.Context(), p.Tenant, p.Member); err != nil {
		t.Error(err)
	}
}

func TestAMailThatFailsStopsNoSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	w.svc.Mail = nil // would panic if it were used
	p.signIn(home)
	w.svc.Mail = w.mail
	p.w.mail.Hook = nil
	all, err := w.svc.ListSessions(t.Context(), p.Tenant, p.Member)
	w.ok(err)
	if len(all) != 2 || all[0].Agent.Reveal() != home.Agent || all[0].Address.Reveal() != home.Address {
		t.Errorf("sessions %+v", all)
	}
}

func TestAPasswordIsKeptForADayAndForAYearAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	_, err := w.svc.ChangePassword(ctx, p.principal(), secret.New(phrase), p.code(), secret.New(phrase2), home)
	w.refused(err, "password-new")
	w.clk.Advance(365*24*time.Hour - time.Hour)
	p.cookie = p.signIn(home)
	w.clk.Advance(time.Hour)
	step, err := w.svc.SignIn(ctx, text(p.email), secret.New(phrase), home)
	w.ok(err)
	_, err = w.svc.Code(ctx, step.Attempt, p.code(), home)
	w.refused(err, "password-old")
	_, _, ticket := w.letter()
	w.ok(w.svc.ResetPassword(ctx, ticket, secret.New(phrase2)))
	p.password = phrase2
	p.signIn(home)
}

func TestAPasswordIsChangedByWhoKnowsItAndHasTheAuthenticator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	w.clk.Advance(23 * time.Hour)
	p.signIn(home)
	w.clk.Advance(time.Hour)
	p.cookie = p.signIn(home)
	_, err := w.svc.ChangePassword(t.Context(), p.principal(), secret.New(phrase2), p.code(), secret.New(phrase2), home)
	w.refused(err, "password-refused")
	_, err = w.svc.ChangePassword(t.Context(), p.principal(), secret.New(phrase), "000000", secret.New(phrase2), home)
	w.refused(err, "code-refused")
	in, err := w.svc.ChangePassword(t.Context(), p.principal(), secret.New(phrase), p.code(), secret.New(phrase2), home)
	w.ok(err)
	if p.sessions() != 1 {
		t.Errorf("%d sessions", p.sessions())
	}
	p.cookie, p.password = in.Cookie, phrase2
	p.principal()
	p.signIn(home)
}
