package store

import (
	"context"
	"io"

	"pricemanager/internal/tenant"
)

// Large stores objects that are too large for memory, up to MaxUpload bytes. The
// Blobs of every backend is one too.
type Large interface {
	// PutFrom stores all of body, replacing an old object of that name. Nobody sees
	// a part of it: an object is there whole or not at all.
	PutFrom(ctx context.Context, t tenant.ID, bucket Bucket, name, contentType string, body io.ReadSeeker) error
}
