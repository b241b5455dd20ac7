package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/tenant"
	"pricemanager/test/browser"
)

// visitor is somebody with a keyboard, a telephone's screen and a mailbox.
type visitor struct {
	*browser.Page
	w   *world
	t   *testing.T
	url string
	key secret.Value // of their authenticator
}

var linkForm = regexp.MustCompile(`https://pm\.example(/\S*ticket=\S+)`)

// idle waits until the page has done what it was told before: it does one thing at a time.
func (v *visitor) idle() {
	v.t.Helper()
	v.Wait("document.querySelector('dialog[open]') || !document.querySelector('[aria-busy]')")
}

// Choose and Type are for people who see that the page is busy.
func (v *visitor) Choose(selector string) {
	v.t.Helper()
	v.idle()
	v.Page.Choose(selector)
}

func (v *visitor) Type(selector, text string) {
	v.t.Helper()
	v.idle()
	v.Page.Type(selector, text)
}

// follow opens the link in the mail that came next, at our address.
func (v *visitor) follow() {
	v.t.Helper()
	for sent := v.w.mail.Sent(); v.w.read < len(sent); {
		m := sent[v.w.read]
		v.w.read++
		if found := linkForm.FindStringSubmatch(m.Body.Reveal()); found != nil {
			v.Go(v.url + found[1])
			return
		}
	}
	v.t.Fatal("no mail with a link")
}

// code is the next one that the authenticator shows.
func (v *visitor) code() string {
	v.t.Helper()
	v.w.clk.Advance(totp.Period)
	code, err := totp.Code(v.key, v.w.clk.Now())
	if err != nil {
		v.t.Fatal(err)
	}
	return code
}

// fits sees that a page says what everything on it is, and is not wider than the screen.
func (v *visitor) fits() {
	v.t.Helper()
	if unnamed := v.Unnamed(); len(unnamed) > 0 {
		v.t.Errorf("without a name: %v", unnamed)
	}
	if wide := v.Wide(); wide > 0 {
		v.t.Errorf("%d pixels too wide: %s", wide, v.Text("h1"))
	}
}

// picture keeps a picture of the page where PICTURES says.
func (v *visitor) picture(name string) {
	v.t.Helper()
	if dir := os.Getenv("PICTURES"); dir != "" {
		v.Shot(filepath.Join(dir, name+".png"))
	}
}

// says waits for the error beside a form, or for what was done.
func (v *visitor) says(selector, text string) {
	v.t.Helper()
	v.Wait(`[...document.querySelectorAll('` + selector + `')].some(e => e.checkVisibility() && e.textContent.includes('` + text + `'))`)
}

func (v *visitor) passwordAndCode(prefix string) {
	v.t.Helper()
	v.Type("#"+prefix+"-password", phrase)
	v.Type("#"+prefix+"-code", v.code())
	v.Press("Enter")
}

func open(t *testing.T) *visitor {
	t.Helper()
	b := browser.Start(t)
	w := newWorld(t)
	w.stage(1)
	v := &visitor{Page: b.Open(t, 320), w: w, t: t, url: browser.Serve(t, w.h.router, w.serve)}
	return v
}

// join has a company founded: from the page to sign up to the authenticator and its
// recovery codes.
func (v *visitor) join() (recoveryCode string) {
	v.t.Helper()
	v.Go(v.url + "/sign-up")
	v.Heading("Open an account")
	v.fits()
	v.Choose("form button")
	v.Wait("document.activeElement.id === 'company'") // the browser asks for what is missing
	v.Type("#company", "Lantern Trading")
	v.Type("#name", "Ann")
	v.Type("#email", "ann@example.com")
	v.Press("Enter")
	v.Heading("Look at your mail")
	v.fits()

	v.follow()
	v.Heading("Choose a password")
	v.fits()
	v.Type("#password", "Password1234.")
	v.Press("Enter")
	v.says("form .error", "Choose another one")
	v.Wait(`(e => e.id === 'password' && e.getAttribute('aria-invalid') === 'true' && document.getElementById(e.getAttribute('aria-errormessage')).textContent)(document.activeElement)`)
	v.fits()
	v.Reach("#password-show")
	v.Press(" ")
	v.Wait("document.querySelector('#password').type === 'text'")
	v.Go(browser.Eval[string](v.Page, "location.href")) // looking at it uses nothing up
	v.Heading("Choose a password")
	v.Type("#password", phrase)
	v.Press("Enter")
	v.Heading("Your account is there")
	v.Wait("location.search === ''") // the used ticket stays in no history
	v.Choose("a.button")

	v.Heading("Sign in")
	v.fits()
	v.picture("sign-in")
	v.Type("#email", "ann@example.com")
	v.Type("#password", "not that one")
	v.Press("Enter")
	v.says("form .error", "The address or the password is not right")
	v.Type("#password", phrase)
	v.Press("Enter")

	v.Heading("Set up an authenticator")
	v.Wait("'ready' in document.body.dataset")
	v.fits()
	v.Type("#password", phrase)
	v.Press("Enter")
	v.Wait("document.querySelector('#qr').naturalWidth > 0") // the policy lets the picture be seen
	v.fits()
	v.picture("authenticator")
	v.key = secret.New(strings.ReplaceAll(v.Text("#key"), " ", ""))
	v.Type("#enrol-code", "000000")
	v.Press("Enter")
	v.says("form .error", "The code is not right")
	code := v.code()
	v.Type("#enrol-code", code[:3]+" "+code[3:])
	v.Press("Enter")
	v.Wait("document.querySelectorAll('#codes code').length === 10")
	v.fits()
	recoveryCode = v.Text("#codes code")
	v.Choose("[data-step=codes] a.button")
	v.Heading("Your account")
	v.Wait("document.querySelectorAll('#sessions > li').length === 1")
	v.fits()
	return recoveryCode
}

func TestAPersonGetsAllTheWayByKeyboardOnASmallScreen(t *testing.T) {
	t.Parallel()
	v := open(t)
	recoveryCode := v.join()
	v.picture("me")
	if text := v.Text("main"); !strings.Contains(text, "ann@example.com") || !strings.Contains(text, "Lantern Trading") || !strings.Contains(text, "(here)") {
		t.Errorf("the account says\n%s", text)
	}
	if cookies := browser.Eval[string](v.Page, "document.cookie"); cookies != "" {
		t.Error("scripts can read the session's cookie")
	}

	// The last code is from long ago: inviting asks for another one, and goes on after it.
	v.w.clk.Advance(identity.RecentMFA)
	v.Choose("nav a[href='/people']")
	v.Heading("Members")
	v.Wait("document.querySelectorAll('#members > li').length === 1")
	v.fits()
	v.Type("#name", "Bob")
	v.Type("#email", "bob@example.com")
	v.Press("Enter")
	v.Wait("document.querySelector('#step-up').open")
	v.fits()
	v.picture("step-up")
	v.Press("Escape")
	v.says("form .error", "did not show that it is you")
	v.Type("#email", "bob@example.com")
	v.Press("Enter")
	v.Wait("document.querySelector('#step-up').open")
	v.passwordAndCode("step-up")
	v.says("#said", "bob@example.com")
	v.Wait("document.querySelectorAll('#invitations > li').length === 1")
	v.picture("people")

	// A key is shown once, and works.
	v.Choose("nav a[href='/api-keys']")
	v.Heading("API keys")
	v.Wait("'ready' in document.body.dataset")
	v.fits()
	v.Type("#name", "till")
	v.Press("Enter")
	v.says("form .error", "Choose at least one thing")
	v.Reach("[id='scope-offers:read']")
	v.Press(" ")
	v.Type("#days", "30")
	v.Press("Enter")
	v.Wait("document.querySelector('#made').textContent")
	v.fits()
	key := v.Text("#made")
	v.picture("api-keys")
	if p, err := v.w.h.keys.Authenticate(t.Context(), secret.New(key)); err != nil || len(p.Scopes) != 1 || p.Scopes[0] != identity.OffersRead {
		t.Errorf("the key that is shown is %+v, %v", p, err)
	}
	v.Choose("[data-do=hideKey]")
	v.Wait("!document.querySelector('#made').checkVisibility() && document.querySelectorAll('#keys > li').length === 1")
	v.Choose("#keys [data-do=revokeKey]")
	v.Wait("document.querySelector('#sure').open")
	v.fits()
	v.Press("Escape")
	v.Wait("!document.querySelector('#sure').open")
	if _, err := v.w.h.keys.Authenticate(t.Context(), secret.New(key)); err != nil {
		t.Error("a question that was not answered revoked the key")
	}
	v.Choose("#keys [data-do=revokeKey]")
	v.Wait("document.querySelector('#sure').open")
	v.Choose("#sure button[value=yes]")
	v.says("#said", "revoked")
	if _, err := v.w.h.keys.Authenticate(t.Context(), secret.New(key)); err == nil {
		t.Error("the key works on")
	}

	// Out, and in again with a code.
	v.w.clk.Advance(time.Minute)
	v.Choose("[data-do=signOut]")
	v.Heading("Sign in")
	v.Go(v.url + "/me")
	v.Heading("Sign in") // nobody is signed in
	v.Type("#email", "ann@example.com")
	v.Type("#password", phrase)
	v.Press("Enter")
	v.Heading("Enter the code")
	v.fits()
	v.Type("#sign-in-code", v.code())
	v.Press("Enter")
	v.Heading("Your account")

	// Without the authenticator a recovery code lets in, to set up another one.
	v.Choose("[data-do=signOut]")
	v.Heading("Sign in")
	v.Type("#email", "ann@example.com")
	v.Type("#password", phrase)
	v.Press("Enter")
	v.Heading("Enter the code")
	v.Choose("[data-step-to=recovery]")
	v.Heading("Sign in with a recovery code")
	v.fits()
	v.Type("#recovery", recoveryCode)
	v.Type("#recovery-password", phrase)
	v.Press("Enter")
	v.Heading("Set up an authenticator")
	v.Go(v.url + "/people")
	v.Heading("Set up an authenticator") // and nothing else yet
}

func TestAnInvitedPersonJoinsAndIsLookedAfter(t *testing.T) {
	t.Parallel()
	v := open(t)
	v.join()
	v.Go(v.url + "/people")
	v.Heading("Members")
	v.Wait("'ready' in document.body.dataset")
	v.Type("#name", "Bob <b>Bold</b>")
	v.Type("#email", "bob@example.com")
	v.Press("Enter")
	v.says("#said", "bob@example.com")

	v.w.read = len(v.w.mail.Sent()) - 1
	v.follow()
	v.Heading("Join your company")
	v.fits()
	v.Type("#password", phrase2)
	v.Press("Enter")
	v.Heading("You are a member now")

	v.Go(v.url + "/people")
	v.Wait("document.querySelectorAll('#members > li').length === 2")
	if !strings.Contains(v.Text("#members"), "Bob <b>Bold</b>") {
		t.Errorf("members\n%s", v.Text("#members"))
	}
	bob := v.card("bob@")
	v.Choose(bob + " summary")
	v.Reach(bob + " select")
	v.Press("ArrowUp") // from viewer to editor
	v.Choose(bob + " form button")
	v.says("#said", "is changed")
	v.Wait(`[...document.querySelectorAll('#members > li')].some(li => li.textContent.includes('bob@') && li.querySelector('select').value === 'editor')`)

	// What somebody else has changed meanwhile is not changed over.
	bob = v.card("bob@")
	of, m := v.now("bob@example.com")
	v.w.ok(v.w.h.accounts.Members.SetRole(t.Context(), of, "member:other", m.ID, identity.Approver, m.Ver))
	v.Choose(bob + " summary")
	v.Choose(bob + " [data-do=removeMember]")
	v.Wait("document.querySelector('#sure').open")
	v.Choose("#sure button[value=yes]")
	v.says("#failed", "Somebody else changed this member")

	v.Go(v.url + "/people")
	v.Wait("document.querySelectorAll('#members > li').length === 2")
	bob = v.card("bob@")
	v.Choose(bob + " summary")
	v.Choose(bob + " [data-do=removeMember]")
	v.Wait("document.querySelector('#sure').open")
	v.Choose("#sure button[value=yes]")
	v.says("#said", "is removed")
	v.Wait("document.querySelectorAll('#members > li').length === 1")
}

// card names the member's card that a text is on, and returns its selector.
func (v *visitor) card(text string) string {
	v.t.Helper()
	browser.Eval[any](v.Page, `document.querySelectorAll('#members > li').forEach(li => { li.id = li.textContent.includes('`+text+`') ? 'found' : '' })`)
	return "#found"
}

// now is a member as they are.
func (v *visitor) now(email string) (tenant.ID, identity.Member) {
	v.t.Helper()
	hash, err := v.w.h.accounts.Members.Index(v.t.Context(), "mail", email)
	v.w.ok(err)
	of, id, err := v.w.h.accounts.Members.Locate(v.t.Context(), hash)
	v.w.ok(err)
	m, err := v.w.h.accounts.Members.Get(v.t.Context(), of, id)
	v.w.ok(err)
	return of, m
}
