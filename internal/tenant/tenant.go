// Package tenant names the customer company that everything in the product
// belongs to. It owns the one identifier type that every store method takes
// first, so that a forgotten tenant is a compile error and not a leak.
package tenant

import (
	"errors"
	"fmt"
	"regexp"
)

// ID is the opaque identifier of one tenant, e.g. "t_4f6c2a9d1b". It holds no
// personal data: it appears in logs, key names and KMS encryption contexts.
type ID string

// ErrInvalid is returned for an identifier that is not well formed.
var ErrInvalid = errors.New("tenant: invalid identifier")

var form = regexp.MustCompile(`^t_[a-z0-9]{6,32}$`)

// Parse checks s and returns it as an ID.
func Parse(s string) (ID, error) {
	if !form.MatchString(s) {
		return "", fmt.Errorf("%w: want t_ followed by 6 to 32 of a-z and 0-9", ErrInvalid)
	}
	return ID(s), nil
}

// Valid reports whether the identifier is well formed.
func (id ID) Valid() bool { return form.MatchString(string(id)) }

func (id ID) String() string { return string(id) }
