// Package disclosure says how to report a weakness of the product: security.txt
// (RFC 9116), the policy it leads to, and thanks to those who reported one.
//
// What it says follows from the configuration and the time alone. A configuration
// with which nobody could be reached is refused at the start, so no answer here can
// fail later. It receives no reports: they arrive where Contact says.
package disclosure

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Where the answers are found below the public address. The first is RFC 9116's,
// section 3.
const (
	TextPath    = "/.well-known/security.txt"
	PolicyPath  = "/security/policy"
	FindersPath = "/security/acknowledgments"
)

// languages are those that reports are understood in, in no order.
const languages = "en"

// validFor is how long after the day of an answer it may be relied on. RFC 9116,
// section 2.5.5, wants less than a year.
const validFor = 180 * 24 * time.Hour

// Config is how somebody who found a weakness reaches us.
type Config struct {
	// URL is where the API is reached, without a slash at the end.
	URL string
	// Contact is a mailto:, tel: or https: address.
	Contact string
	// Key is where the OpenPGP key for encrypted reports is, as RFC 9116, section
	// 2.5.4, allows it: https:, dns: or openpgp4fpr:. Empty is none.
	Key string
}

// Validate refuses a configuration that gives no one somewhere to write to.
func (c Config) Validate() error {
	var errs []error
	if !isAddress(c.Contact, "mailto", "tel", "https") {
		errs = append(errs, errors.New("disclosure: the contact has to be a mailto:, tel: or https: address"))
	}
	if c.Key != "" && !isAddress(c.Key, "https", "dns", "openpgp4fpr") {
		errs = append(errs, errors.New("disclosure: the key has to be an https:, dns: or openpgp4fpr: address, or empty"))
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Path != "" {
		errs = append(errs, errors.New("disclosure: the public address has to be one without a path"))
	}
	return errors.Join(errs...)
}

// isAddress reports whether s is one line with an address of one of the schemes.
func isAddress(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains(schemes, u.Scheme) && u.Host+u.Opaque != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// Text is security.txt as it is at now. It never expires while the product runs: the
// configuration is what the operator stands by, and each answer is made of it anew.
func (c Config) Text(now time.Time) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	field("Contact", c.Contact)
	field("Expires", now.UTC().Truncate(24*time.Hour).Add(validFor).Format(time.RFC3339))
	if c.Key != "" {
		field("Encryption", c.Key)
	}
	field("Preferred-Languages", languages)
	// Addresses of web pages must begin with https://, which those of a local stack
	// do not: then there are none.
	if strings.HasPrefix(c.URL, "https://") {
		field("Canonical", c.URL+TextPath)
		field("Policy", c.URL+PolicyPath)
		field("Acknowledgments", c.URL+FindersPath)
	}
	return b.String()
}
