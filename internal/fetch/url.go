package fetch

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pricemanager/internal/fault"
)

// MaxURL bounds an address, in bytes.
const MaxURL = 2000

var (
	label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// top is the last label. No spelling of an IP address ends in one: neither a
	// decimal, octal nor hexadecimal number begins with a letter.
	top = regexp.MustCompile(`^([a-z]{2,63}|xn--[a-z0-9-]{1,59})$`)
)

// private are names that are never of the public internet, whatever a resolver
// inside a cloud answers to them.
func private() []string { return []string{"localhost", "local", "internal", "arpa", "onion"} }

func refused(why string) error {
	return fault.New(fault.Invalid, "fetch-url", "The address cannot be used: %s. Give one like https://files.example.com/prices.csv.", why)
}

// Check reads an address that a customer gave and returns it in the one spelling
// that is kept: scheme and host in lower case, no port. The error is a fault of
// kind Invalid with type fetch-url. That the address leads somewhere public only
// Get can say.
func (c *Client) Check(raw string) (string, error) {
	u, err := c.parse(raw)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func (c *Client) parse(raw string) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, refused("it is longer than 2,000 characters")
	}
	// Readers of addresses disagree about these: \ is / to a browser, and the rest
	// is skipped by some. Where two readers disagree, one checks what the other
	// does not call.
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return nil, refused("it holds spaces, backslashes or letters that are not ASCII; write such letters as %20 in the path and as xn-- in the host")
	}
	if strings.Contains(raw, "#") {
		return nil, refused("it has a part after #, which is never sent")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, refused("it is not well formed") // err quotes the address
	}
	switch {
	case u.Scheme != "https":
		return nil, refused("it does not begin with https://")
	case u.Opaque != "" || u.Host == "":
		return nil, refused("it names no host")
	case u.User != nil:
		return nil, refused("it holds a user name or a password")
	}
	u.Host = strings.ToLower(u.Host)
	if _, ok := c.Local[authority(u)]; ok {
		return u, nil
	}
	host, port := u.Hostname(), u.Port()
	if u.Host != host && u.Host != host+":443" {
		return nil, refused("its port is not 443, or its host is an IP address")
	}
	if err := checkHost(host); err != nil {
		return nil, err
	}
	if port != "" {
		u.Host = host
	}
	return u, nil
}

// authority is the host and port that a connection for the address goes to.
func authority(u *url.URL) string {
	if u.Port() == "" {
		return u.Host + ":443"
	}
	return u.Host
}

func checkHost(host string) error {
	labels := strings.Split(host, ".")
	if len(host) > 253 || len(labels) < 2 || !top.MatchString(labels[len(labels)-1]) {
		return refused("its host is not a full DNS name; IP addresses are not called")
	}
	for _, l := range labels {
		if !label.MatchString(l) {
			return refused("its host is not a DNS name of letters, digits and hyphens")
		}
	}
	if slices.Contains(private(), labels[len(labels)-1]) {
		return refused("its host is not of the public internet")
	}
	return nil
}
