// Package pages has the pages at which people sign up, sign in, and look after their
// account, their company's members and its API keys.
//
// A page is the same for everybody and holds nothing of anybody: it is public, and its
// script asks the API for what it shows, with the session's cookie. So whatever may be
// seen or done is decided where it is decided for programs. Looking at a page changes
// nothing, not even one that a link in a mail leads to: mail scanners follow links.
//
// Pages work without a line of script or style in them, by the keyboard, and on a screen
// of 320 px. Where the script does not run a form sends nothing that anybody acts on, and
// no password ever gets into an address.
//
// What it does not do: it draws nothing from data, and decides nothing.
package pages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"slices"
	"sync"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/web"
)

//go:embed html
var files embed.FS

// Where the pages are that no link in a mail leads to; for the others see package account.
const (
	SignUp        = "/sign-up"
	SignIn        = "/sign-in"
	Authenticator = "/authenticator"
	Me            = "/me"
	People        = "/people"
	APIKeys       = "/api-keys"
)

// page is one of them. Name is also its file's.
type page struct {
	Name, Path, Title string
	Inside            bool           // for somebody who is signed in
	Needs             identity.Scope // what a member's role must allow for it to be of use
	InNav             bool
}

var all = []page{
	{Name: "sign-up", Path: SignUp, Title: "Open an account"},
	{Name: "sign-in", Path: SignIn, Title: "Sign in"},
	{Name: "welcome", Path: account.WelcomePage, Title: "Choose a password"},
	{Name: "invitation", Path: account.InvitationPage, Title: "Join your company"},
	{Name: "new-password", Path: account.ResetPage, Title: "Choose a new password"},
	{Name: "new-address", Path: account.AddressPage, Title: "Confirm your new address"},
	{Name: "not-me", Path: account.NotMePage, Title: "Was it not you?"},
	{Name: "authenticator", Path: Authenticator, Title: "Set up an authenticator", Inside: true},
	{Name: "me", Path: Me, Title: "Your account", Inside: true, InNav: true},
	{Name: "people", Path: People, Title: "Members", Inside: true, InNav: true, Needs: identity.MembersRead},
	{Name: "api-keys", Path: APIKeys, Title: "API keys", Inside: true, InNav: true, Needs: identity.KeysRead},
}

// asset is what pages load. Its name has its content's hash in it: a browser keeps it
// for a year and never has an old one with a new page.
type asset struct {
	path, typ string
	content   []byte
}

const assetsPath = "/assets/"

func load(file, typ string) (asset, error) {
	content, err := files.ReadFile("html/" + file)
	if err != nil {
		return asset{}, fmt.Errorf("pages: %w", err)
	}
	sum := sha256.Sum256(content)
	return asset{assetsPath + hex.EncodeToString(sum[:6]) + "-" + file, typ, content}, nil
}

// Routes returns the routes of the pages and of what they load. A page is made when it is
// first asked for: making all of them would cost every start of the function 4 ms.
func Routes() ([]web.Route, error) {
	script, err := load("pages.js", "text/javascript; charset=utf-8")
	if err != nil {
		return nil, err
	}
	style, err := load("pages.css", "text/css; charset=utf-8")
	if err != nil {
		return nil, err
	}
	var routes []web.Route
	for _, p := range all {
		made := sync.OnceValues(func() ([]byte, error) { return p.make(script.path, style.path) })
		routes = append(routes, web.Route{Method: "GET", Pattern: p.Path, Scope: web.Public,
			Handler: func(context.Context, *web.Request) (*web.Response, error) {
				content, err := made()
				if err != nil {
					return nil, err
				}
				return web.Page(content), nil
			}})
	}
	return append(routes, web.Route{Method: "GET", Pattern: assetsPath + "{file}", Scope: web.Public,
		Handler: func(_ context.Context, r *web.Request) (*web.Response, error) {
			for _, a := range []asset{script, style} {
				if a.path == r.Path {
					return web.Asset(a.typ, a.content), nil
				}
			}
			// Never another content than its name says: it would be kept for a year.
			return nil, fault.New(fault.NotFound, "", "There is no such file. Load the page again.")
		}}), nil
}

func (p page) make(script, style string) ([]byte, error) {
	t, err := template.ParseFS(files, "html/layout.html", "html/"+p.Name+".html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, "page", struct {
		page
		Product, Script, Style string
		Nav                    []page
		Roles                  []roleChoice
		Scopes                 []scopeChoice
		KeyDays                int
	}{
		p, account.Product, script, style, slices.DeleteFunc(slices.Clone(all), func(p page) bool { return !p.InNav }),
		roles, scopes(), int(identity.KeyLife / (24 * time.Hour)),
	})
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return b.Bytes(), nil
}
