package secret

import (
	"context"
	"errors"
)

// Stage is the place of a version in a rotation, by Secrets Manager's names.
type Stage string

// The stages. Get of a Vault reads Current.
const (
	Current  Stage = "AWSCURRENT"
	Pending  Stage = "AWSPENDING"
	Previous Stage = "AWSPREVIOUS"
)

// Version is one content that a secret has or had. Its ID is chosen by who makes
// it: 32 to 64 letters, digits and hyphens.
type Version struct {
	ID    string
	Value Value // empty when the version was announced and has no content yet
}

// ErrMoved: the secret has another current version than was expected, or the
// version has other content. Nothing was changed; read again.
var ErrMoved = errors.New("secret: changed by somebody else")

// Versions are what a rotation needs of a secret that exists. Like a Vault's,
// errors name the secret, never its content, and one that is none of the above
// leaves the outcome unknown. All methods may be repeated.
type Versions interface {
	// At returns the version at a stage, or ErrNotFound. Only a Pending one may
	// be without content: Secrets Manager announces it so when it is told to rotate.
	At(ctx context.Context, name string, s Stage) (Version, error)
	// Propose makes a version that is Pending; Get goes on returning the current
	// one. The same version again is no error, the same ID with other content is
	// ErrMoved.
	Propose(ctx context.Context, name string, v Version) error
	// Promote makes version id Current in place of the version from, which becomes
	// Previous. When from is no longer current it is ErrMoved, unless id is.
	Promote(ctx context.Context, name, id, from string) error
}
