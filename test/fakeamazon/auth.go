package fakeamazon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/canary"
)

// Lifetimes, from Amazon's pages on authorisation.
const (
	codeLife   = 5 * time.Minute
	accessLife = time.Hour
	// A seller must authorise a public application again after a year.
	grantLife = 365 * 24 * time.Hour
	// The secret before the last rotation goes on working for a week.
	secretOverlap = 7 * 24 * time.Hour
)

// The scopes of grantless tokens.
const (
	scopeNotifications = "sellingpartnerapi::notifications"
	scopeRotation      = "sellingpartnerapi::client_credential:rotation"
)

var grantlessScopes = []string{scopeNotifications, scopeRotation}

// grantless are the operations that speak for the application, by the scope
// that they need.
var grantless = map[string]string{
	"createDestination": scopeNotifications, "getDestinations": scopeNotifications,
	"rotateApplicationClientSecret": scopeRotation,
}

// applicationAccount stands for the application in keys of budgets.
const applicationAccount = "(application)"

// digest is how the fake keeps codes, tokens and secrets: it never needs them
// again in clear, so neither memory nor the state file has them.
func digest(v string) string {
	sum := sha256.Sum256([]byte(v))
	return hex.EncodeToString(sum[:])
}

// authority is what Login with Amazon remembers, by digest.
type authority struct {
	Codes   map[string]*authCode   `json:"codes"`
	Grants  map[string]*grant      `json:"grants"` // by refresh token
	Access  map[string]*accessPass `json:"access"`
	Secrets []clientSecret         `json:"secrets"` // newest last
}

type authCode struct {
	Region   price.Region `json:"region"`
	Seller   string       `json:"seller"`
	Redirect string       `json:"redirect"`
	Expires  time.Time    `json:"expires"`
}

type grant struct {
	Region  price.Region `json:"region"`
	Seller  string       `json:"seller"`
	Expires time.Time    `json:"expires"`
	Revoked bool         `json:"revoked,omitempty"`
}

// accessPass is an access token: of a seller's grant, or grantless for a scope.
type accessPass struct {
	Grant   string    `json:"grant,omitempty"`
	Scope   string    `json:"scope,omitempty"`
	Expires time.Time `json:"expires"`
}

type clientSecret struct {
	Digest  string    `json:"digest"`
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires,omitzero"`  // zero: not rotated away
	Noticed bool      `json:"noticed,omitempty"` // that it must be rotated
}

func newAuthority(s secret.Value, now time.Time) authority {
	return authority{
		Codes: map[string]*authCode{}, Grants: map[string]*grant{}, Access: map[string]*accessPass{},
		Secrets: []clientSecret{{Digest: digest(s.Reveal()), Made: now}},
	}
}

func (a *authority) secretValid(s string, life time.Duration, now time.Time) bool {
	for _, c := range a.Secrets {
		if c.Digest == digest(s) && (life == 0 || now.Before(c.Made.Add(life))) && (c.Expires.IsZero() || now.Before(c.Expires)) {
			return true
		}
	}
	return false
}

// application returns Amazon's reason why a token does not speak for the
// application with a scope; "" when it does.
func (a *authority) application(token, scope string, now time.Time) string {
	pass := a.Access[digest(token)]
	switch {
	case pass == nil:
		return "The access token you provided is revoked, malformed or invalid."
	case !now.Before(pass.Expires):
		return "The access token you provided has expired."
	case pass.Scope != scope:
		return "The access token you provided does not have the scope " + scope + "."
	}
	return ""
}

// seller returns the account that an access token speaks for, or Amazon's
// reason why it does not.
func (a *authority) seller(token string, now time.Time) (sellerKey, string) {
	pass := a.Access[digest(token)]
	if pass == nil {
		return sellerKey{}, "The access token you provided is revoked, malformed or invalid."
	}
	if !now.Before(pass.Expires) {
		return sellerKey{}, "The access token you provided has expired."
	}
	g := a.Grants[pass.Grant]
	if g == nil {
		return sellerKey{}, "The access token you provided is grantless."
	}
	if g.Revoked || !now.Before(g.Expires) {
		return sellerKey{}, "The access token you provided is revoked, malformed or invalid."
	}
	return sellerKey{g.Region, g.Seller}, ""
}

// grant makes an authorisation and returns its refresh token; the caller holds
// the lock.
func (f *Fake) grant(k sellerKey, now time.Time) string {
	token := "Atzr|" + canary.MarkRefresh + f.pace.token("refresh", f.next())
	f.planted++
	f.auth.Grants[digest(token)] = &grant{Region: k.region, Seller: k.id, Expires: now.Add(grantLife)}
	f.touch()
	return token
}

// access makes an access token; the caller holds the lock.
func (f *Fake) access(pass accessPass, now time.Time) string {
	// Remembered for a while after its end, to be called expired.
	maps.DeleteFunc(f.auth.Access, func(_ string, old *accessPass) bool { return !now.Before(old.Expires.Add(accessLife)) })
	token := "Atza|" + canary.MarkAccess + f.pace.token("access", f.next())
	f.planted++
	pass.Expires = now.Add(accessLife)
	f.auth.Access[digest(token)] = &pass
	f.touch()
	return token
}

var errUnknownSeller = errors.New("fakeamazon: no such seller")

// Authorize gives a refresh token without the consent page.
func (f *Fake) Authorize(region price.Region, seller string) (secret.Value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := sellerKey{region, seller}
	if f.sellers[k] == nil {
		return secret.Value{}, fmt.Errorf("%w: %s in %s", errUnknownSeller, seller, region)
	}
	return secret.New(f.grant(k, f.cfg.Clock.Now())), nil
}

// Revoke ends the seller's authorisations at once, as the seller can in Seller
// Central: refreshing gives invalid_grant. Whether Amazon honours an access
// token that is still running is not documented; the fake does not. It returns
// the number of authorisations ended.
func (f *Fake) Revoke(region price.Region, seller string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, g := range f.auth.Grants {
		if g.Region == region && g.Seller == seller && !g.Revoked {
			g.Revoked = true
			n++
		}
	}
	f.touch()
	return n
}

// ExpireGrants ends the seller's year: refreshing gives invalid_grant.
func (f *Fake) ExpireGrants(region price.Region, seller string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.auth.Grants {
		if g.Region == region && g.Seller == seller {
			g.Expires = f.cfg.Clock.Now()
		}
	}
	f.touch()
}

// ExpireTokens makes the seller's access tokens expired; refreshing works.
func (f *Fake) ExpireTokens(region price.Region, seller string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, pass := range f.auth.Access {
		if g := f.auth.Grants[pass.Grant]; g != nil && g.Region == region && g.Seller == seller {
			pass.Expires = f.cfg.Clock.Now()
		}
	}
	f.touch()
}

// RotateSecret makes next the client secret. The one before works for seven
// more days, older ones no longer.
func (f *Fake) RotateSecret(next secret.Value) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rotate(next, f.cfg.Clock.Now())
}

func (f *Fake) rotate(next secret.Value, now time.Time) {
	last := f.auth.Secrets[len(f.auth.Secrets)-1]
	last.Expires = now.Add(secretOverlap)
	f.auth.Secrets = []clientSecret{last, {Digest: digest(next.Reveal()), Made: now}}
	f.touch()
}
