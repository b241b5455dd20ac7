package secret

import (
	"context"
	"errors"
)

// ErrNotFound: there is no secret of that name.
var ErrNotFound = errors.New("secret: not found")

// Vault keeps secrets by name. Names are paths such as
// "pm-prod/connection/t_x/conn_y". Implementations are safe for concurrent use.
// An error names the secret, never its content; when it is none of the errors
// above, the outcome is unknown and the caller reads again.
type Vault interface {
	// Put creates the secret or gives it a new version, which is the one that
	// Get returns from then on. When it returns nil the version is durable.
	Put(ctx context.Context, name string, v Value) error
	// Get returns the current version, or ErrNotFound.
	Get(ctx context.Context, name string) (Value, error)
	// Delete destroys the secret at once and for good, all versions. A missing
	// one is no error. The name can be used again.
	Delete(ctx context.Context, name string) error
}
