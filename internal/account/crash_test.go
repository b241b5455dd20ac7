package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/mail"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
)

// cut has the nth effect from now on (a write, a call of the provider, a mail) fail,
// before or after it took place. It returns how many there were.
func (w *world) cut(nth int, applied bool) (count func() int) {
	n := 0
	fails := func() (bool, error) {
		if n++; n == nth {
			return applied, errors.New("cut off")
		}
		return true, nil
	}
	w.db.Hook = func(memory.Op) (bool, error) { return fails() }
	w.who.Hook = func(op, _ string) (bool, error) { return fails() }
	w.mail.Hook = func(mail.Message) (bool, error) { return fails() }
	return func() int {
		w.db.Hook, w.who.Hook, w.mail.Hook = nil, nil, nil
		return n
	}
}

// TestWhateverIsCutOffIsDoneAgain cuts each way off at each of its effects, before and
// after the effect, and goes on as a person would: with the same link after a minute, or
// by signing in again.
func TestWhateverIsCutOffIsDoneAgain(t *testing.T) {
	t.Parallel()
	type way struct {
		first func() error // what is cut off
		then  func()       // going on, and what must hold then
	}
	ways := map[string]func(w *world) way{
		"sign-up": func(w *world) way {
			w.ok(w.svc.SignUp(w.Context(), text("ann@example.com"), text("Ann"), text("Company")))
			_, _, ticket := w.letter()
			use := func() error { _, err := w.svc.CompleteSignUp(w.Context(), ticket, secret.New(phrase)); return err }
			return way{use, func() {
				if err := use(); err != nil {
					w.refused(err, "ticket-spent")
				}
				if in, err := w.svc.SignIn(w.Context(), text("ann@example.com"), secret.New(phrase), home); err != nil || in.Needs != "enrolment" || w.who.Users() != 1 {
					w.Errorf("%+v, %v, %d users", in, err, w.who.Users())
				}
			}}
		},
		"invitation": func(w *world) way {
			ann := w.founder("ann@example.com")
			_, err := w.svc.Invite(w.Context(), ann.Tenant, "member:"+ann.Member, text("bob@example.com"), text("Bob"), identity.Owner)
			w.ok(err)
			_, _, ticket := w.letter()
			use := func() error { _, err := w.svc.Accept(w.Context(), ticket, secret.New(phrase2), text("")); return err }
			return way{use, func() {
				if err := use(); err != nil {
					w.refused(err, "ticket-spent")
				}
				all, _, err := w.svc.Members.List(w.Context(), ann.Tenant, "", 10)
				if err != nil || len(all) != 2 || w.who.Users() != 2 {
					w.Errorf("%d members, %v, %d users", len(all), err, w.who.Users())
				}
				if _, err := w.svc.SignIn(w.Context(), text("bob@example.com"), secret.New(phrase2), home); err != nil {
					w.Error(err)
				}
			}}
		},
		"reset": func(w *world) way {
			p := w.founder("ann@example.com")
			w.ok(w.svc.ForgotPassword(w.Context(), text(p.email)))
			_, _, ticket := w.letter()
			use := func() error { return w.svc.ResetPassword(w.Context(), ticket, secret.New(phrase2)) }
			return way{use, func() {
				if err := use(); err != nil {
					w.refused(err, "ticket-spent")
				}
				if p.sessions() != 0 || !strings.Contains(strings.Join(w.events(p.Tenant), " "), "password.changed") {
					w.Errorf("%d sessions, and the ledger was told %v", p.sessions(), w.events(p.Tenant))
				}
				if _, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(phrase2), home); err != nil {
					w.Error(err)
				}
			}}
		},
		"address": func(w *world) way {
			p := w.founder("ann@example.com")
			w.ok(w.svc.ChangeAddress(w.Context(), p.principal(), text("ann@new.example")))
			_, _, fresh := w.letter()
			_, _, old := w.letter()
			_, err := w.svc.ConfirmAddress(w.Context(), fresh)
			w.ok(err)
			use := func() error { _, err := w.svc.ConfirmAddress(w.Context(), old); return err }
			return way{use, func() {
				if err := use(); err != nil {
					w.refused(err, "ticket-spent")
				}
				if _, err := w.svc.SignIn(w.Context(), text("ann@new.example"), secret.New(phrase), home); err != nil {
					w.Error(err)
				}
			}}
		},
		"not me": func(w *world) way {
			p := w.founder("ann@example.com")
			p.signIn(thief)
			_, _, ticket := w.letter()
			use := func() error { return w.svc.NotMe(w.Context(), ticket) }
			return way{use, func() {
				if err := use(); err != nil {
					w.refused(err, "ticket-spent")
				}
				_, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(phrase), home)
				if w.refused(err, "sign-in-refused"); p.sessions() != 0 || w.unread() == 0 {
					w.Errorf("%d sessions, %d mails", p.sessions(), w.unread())
				}
			}}
		},
		"recovery": func(w *world) way {
			p := w.founder("ann@example.com")
			step, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(p.password), home)
			w.ok(err)
			return way{
				func() error {
					_, err := w.svc.Recover(w.Context(), step.Attempt, p.recovery[0], secret.New(p.password), home)
					return err
				},
				func() {
					step, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(p.password), home)
					switch {
					case err != nil: // the provider had forgotten them
						w.refused(err, "sign-in-refused")
						w.ok(w.svc.ForgotPassword(w.Context(), text(p.email)))
						w.read = len(w.mail.Sent()) - 1
						_, _, ticket := w.letter()
						w.ok(w.svc.ResetPassword(w.Context(), ticket, secret.New(p.password)))
					case step.Needs == "code":
						_, err := w.svc.Recover(w.Context(), step.Attempt, p.recovery[1], secret.New(p.password), home)
						w.ok(err)
					}
					p.enrol()
					if !p.principal().Enrolled {
						w.Error("there is no way back")
					}
				},
			}
		},
		"enrolment": func(w *world) way {
			p := w.founder("ann@example.com")
			w.ok(w.svc.RemoveAuthenticator(w.Context(), p.principal(), secret.New(p.password), p.code(), home))
			a, err := w.svc.Enrol(w.Context(), p.principal(), secret.New(p.password), home)
			w.ok(err)
			p.key = a.Secret
			return way{
				func() error {
					_, _, err := w.svc.ConfirmEnrolment(w.Context(), p.principal(), p.code(), home)
					return err
				},
				func() {
					step, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(p.password), home)
					w.ok(err)
					if step.Needs == "code" {
						in, err := w.svc.Code(w.Context(), step.Attempt, p.code(), home)
						w.ok(err)
						p.cookie = in.Cookie
					} else {
						p.enrol()
					}
					m, err := w.svc.Members.Get(w.Context(), p.Tenant, p.Member)
					if err != nil || m.Enrolled.IsZero() || !p.principal().Enrolled {
						w.Errorf("%+v, %v", m, err)
					}
				},
			}
		},
	}
	for name, prepare := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for nth, more := 1, true; more; nth++ {
				for _, applied := range []bool{false, true} {
					w := newWorld(t)
					x := prepare(w)
					count := w.cut(nth, applied)
					err := x.first()
					if n := count(); n < nth {
						more = false
						if err != nil {
							t.Fatalf("nothing was cut off: %v", err)
						}
					}
					w.clk.Advance(time.Minute) // how long a use keeps others out, and tries wait
					x.then()
					if t.Failed() {
						t.Fatalf("cut off at effect %d, which took place: %t", nth, applied)
					}
				}
			}
		})
	}
}
