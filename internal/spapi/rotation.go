package spapi

import (
	"context"
	"net/http"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// RotateClientSecret has Amazon make a new client secret for the application
// and send it to the queue that is registered for it; the one in use works for
// seven more days (Application Management API 2023-11-30). The token needs the
// scope amazon.ScopeRotation. It may be called once a minute, and each call makes
// another secret: an error that is Reached must not be followed by a second call
// at once. Any region does.
func (c *Client) RotateClientSecret(ctx context.Context, token secret.Value, region price.Region) error {
	_, err := c.doWith(ctx, token, call{op: opRotateSecret, region: region}, nil)
	return err
}

var opRotateSecret = operation{"rotateApplicationClientSecret", http.MethodPost, []string{"applications", "2023-11-30", "clientSecret"}}

var _ amazon.SecretRotation = (*Client)(nil)
