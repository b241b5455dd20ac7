package account_test

import (
	"strings"
	"testing"

	"pricemanager/internal/secret"
	"pricemanager/test/browser"
)

// byThePages has somebody found a company at our pages in a real browser: the cookie, the
// policy of the pages and the check of where a request comes from hold through the local
// gateway and its front too.
func byThePages(t *testing.T, p *product) {
	t.Helper()
	page := browser.Start(t).Open(t, 390)
	page.Go(p.URL + "/sign-up")
	page.Heading("Open an account")
	page.Type("#company", "Copper Vine")
	page.Type("#name", "Cleo")
	page.Type("#email", "cleo@example.com")
	page.Press("Enter")
	page.Heading("Look at your mail")
	page.Go(p.URL + "/welcome?ticket=" + p.ticket(t, "cleo@example.com"))
	page.Heading("Choose a password")
	page.Type("#password", annsPhrase)
	page.Press("Enter")
	page.Heading("Your account is there")
	page.Choose("a.button")
	page.Heading("Sign in")
	page.Type("#email", "cleo@example.com")
	page.Type("#password", annsPhrase)
	page.Press("Enter")
	page.Heading("Set up an authenticator")
	page.Wait("'ready' in document.body.dataset")
	page.Type("#password", annsPhrase)
	page.Press("Enter")
	page.Wait("document.querySelector('#qr').naturalWidth > 0")
	cleo := &person{totp: secret.New(strings.ReplaceAll(page.Text("#key"), " ", ""))}
	page.Type("#enrol-code", cleo.code(t))
	page.Press("Enter")
	page.Wait("document.querySelectorAll('#codes code').length === 10")
	page.Choose("[data-step=codes] a.button")
	page.Heading("Your account")
	page.Wait("document.querySelectorAll('#sessions > li').length === 1")
	if text := page.Text("main"); !strings.Contains(text, "Copper Vine") || !strings.Contains(text, "127.0.0.1") {
		t.Errorf("the account says\n%s", text)
	}
	page.Choose("nav a[href='/people']")
	page.Wait("document.querySelectorAll('#members > li').length === 1")
	page.Choose("[data-do=signOut]")
	page.Heading("Sign in")
}
