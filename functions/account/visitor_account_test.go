package main

import (
	"strings"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/secret"
	"pricemanager/test/browser"
)

// signsIn signs somebody in who has an authenticator.
func (v *visitor) signsIn(email, password string) {
	v.t.Helper()
	v.Go(v.url + "/sign-in")
	v.Heading("Sign in")
	v.Type("#email", email)
	v.Type("#password", password)
	v.Press("Enter")
	v.Heading("Enter the code")
	v.Type("#sign-in-code", v.code())
	v.Press("Enter")
	v.Heading("Your account")
	v.Wait("'ready' in document.body.dataset")
}

func TestTheAccountPageDoesWhatItSays(t *testing.T) {
	t.Parallel()
	v := open(t)
	ctx := t.Context()
	_, v.key, _, _ = v.w.found(10, "ann@example.com", 25*time.Hour) // signed in at a desk
	v.signsIn("ann@example.com", phrase)
	v.Wait("document.querySelectorAll('#sessions > li').length === 2")
	v.Choose("#sessions [data-do=endSession]")
	v.says("#said", "has ended")
	v.Wait("document.querySelectorAll('#sessions > li').length === 1")
	v.Choose("[data-do=endOthers]")
	v.says("#said", "0 sessions have ended")

	v.Choose("[data-do=renewCodes]")
	v.Wait("document.querySelectorAll('#codes code').length === 10 && document.activeElement.textContent === 'Keep your recovery codes'")
	v.fits()

	v.passwordWrong()
	v.Type("#change-password", phrase)
	v.Type("#change-code", v.code())
	v.Type("#newPassword", phrase2)
	v.Press("Enter")
	v.says("#said", "Your password is changed")

	// The address moves when both mailboxes have agreed, and not before.
	v.w.read = len(v.w.mail.Sent())
	v.Type("#email", "ann@new.example")
	v.Press("Enter")
	v.says("#said", "both addresses")
	v.follow()
	v.Heading("Confirm your new address")
	v.fits()
	v.Choose("form button")
	v.Heading("One more to go")
	v.follow()
	v.Heading("Confirm your new address")
	v.Choose("form button")
	v.Heading("Your address is changed")

	// The notice of a sign-in from elsewhere ends it.
	v.w.clk.Advance(time.Minute)
	v.w.read = len(v.w.mail.Sent())
	step, err := v.w.h.accounts.SignIn(ctx, text("ann@new.example"), secret.New(phrase2), desk)
	v.w.ok(err)
	_, err = v.w.h.accounts.Code(ctx, step.Attempt, v.code(), account.Origin{Address: "198.51.100.9", Agent: "somebody's"})
	v.w.ok(err)
	v.follow()
	v.Heading("Was it not you?")
	v.fits()
	v.Choose("form button")
	v.Heading("Nobody is signed in any more")
	v.Go(v.url + "/me")
	v.Heading("Sign in")
	v.follow()
	v.Heading("Choose a new password")
	v.Type("#password", "Orchard silver-bassoon 53")
	v.Press("Enter")
	v.Heading("Your password is new")

	v.w.clk.Advance(time.Minute)
	v.signsIn("ann@new.example", "Orchard silver-bassoon 53")
	v.Type("#removal-password", "Orchard silver-bassoon 53")
	v.Type("#removal-code", v.code())
	v.Press("Enter")
	v.Heading("Set up an authenticator")
	v.Go(v.url + "/me")
	v.Heading("Your account")
	v.Wait("document.querySelector('#unenrolled').checkVisibility() && !document.querySelector('[data-enrolled]').checkVisibility()")
	v.fits()
}

// passwordWrong tries to change the password with one that is not right.
func (v *visitor) passwordWrong() {
	v.t.Helper()
	v.Type("#change-password", "not that one")
	v.Type("#change-code", v.code())
	v.Type("#newPassword", phrase2)
	v.Press("Enter")
	v.says("form .error", "The password is not right")
	v.Wait("document.activeElement.id === 'change-password'")
}

// Somebody who may not is shown nothing to do it with, and told so; where there is no
// answer at all they are told that too, and nothing is lost of what they typed.
func TestPagesSayWhatCannotBeDone(t *testing.T) {
	t.Parallel()
	v := open(t)
	ann, _, _, _ := v.w.found(10, "ann@example.com", 0)
	v.w.join(20, ann.Tenant, "dan@example.com")
	v.w.stage(30)
	v.key, _, _ = v.w.enrol(v.w.signIn("dan@example.com").Session.Cookie)
	v.signsIn("dan@example.com", phrase)
	if links := v.Text("nav"); strings.Contains(links, "Members") || strings.Contains(links, "API keys") {
		t.Errorf("a viewer is led to\n%s", links)
	}
	for _, page := range []string{"/people", "/api-keys"} {
		v.Go(v.url + page)
		v.says("#failed", "Your role does not allow this")
		v.Wait("'ready' in document.body.dataset && !document.querySelector('form[data-form=invite], form[data-form=makeKey]').checkVisibility()")
		v.fits()
	}
	v.Go(v.url + "/me")
	v.Wait("'ready' in document.body.dataset")
	of, dan := v.now("dan@example.com")
	v.w.ok(v.w.h.accounts.RemoveMember(t.Context(), of, "member:"+ann.Member, dan.ID, dan.Ver))
	v.Type("#email", "dan@new.example")
	v.Press("Enter")
	v.says("form .error", "You are not signed in any more")

	v.Go(v.url + "/sign-up")
	v.Heading("Open an account")
	v.Offline()
	v.Type("#company", "Lantern Trading")
	v.Type("#name", "Ann")
	v.Type("#email", "ann@example.com")
	v.Press("Enter")
	v.says("form .error", "There was no answer")
	if kept := browser.Eval[string](v.Page, "document.querySelector('#company').value"); kept != "Lantern Trading" {
		t.Errorf("what was typed is %q", kept)
	}
}

// A page that a link in a mail leads to, and that a mail scanner with a browser opens,
// does nothing by itself.
func TestAPasswordIsReplacedByMailAndNotByLookingAtIt(t *testing.T) {
	t.Parallel()
	v := open(t)
	v.w.found(10, "ann@example.com", 25*time.Hour)
	v.w.read = len(v.w.mail.Sent())
	v.Go(v.url + "/new-password")
	v.Heading("Forgot your password?")
	v.fits()
	v.Type("#email", "ann@example.com")
	v.Press("Enter")
	v.Heading("Look at your mail")
	v.follow()
	v.Heading("Choose a new password")
	v.w.signIn("ann@example.com") // with the old one, still
	v.fits()
	v.Type("#password", phrase2)
	v.Press("Enter")
	v.Heading("Your password is new")
	if _, err := v.w.h.accounts.SignIn(t.Context(), text("ann@example.com"), secret.New(phrase2), desk); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for _, page := range []string{"/welcome", "/invitation", "/new-address", "/not-me"} {
		v.Go(v.url + page)
		v.Heading("Open the link from the mail")
		v.fits()
	}
	v.Go(v.url + "/not-me?ticket=pmt_wrong")
	v.Heading("Was it not you?")
	v.Choose("form button")
	v.says("form .error", "This link is not valid")
}
