package amazon

import (
	"context"

	"pricemanager/internal/secret"
)

// Credentials are the application's own at Login with Amazon.
type Credentials struct {
	ClientID     string
	ClientSecret secret.Value
}

// Grant is what Login with Amazon hands out. Refresh is empty when a refresh
// did not bring a new refresh token.
type Grant struct {
	Token
	Refresh secret.Value
}

// LWA is the part of Login with Amazon that the product uses. Errors are *Error
// with the OAuth error code and never hold a secret.
type LWA interface {
	// Exchange trades an authorisation code (valid for 5 minutes, once) for
	// tokens. redirectURI must be the one that the consent was asked with.
	Exchange(ctx context.Context, c Credentials, code secret.Value, redirectURI string) (Grant, error)
	// Refresh trades a refresh token for an access token. A refresh token that
	// comes back replaces the one sent.
	Refresh(ctx context.Context, c Credentials, refresh secret.Value) (Grant, error)
	// Grantless gives an access token that speaks for the application and for no
	// seller. There is no refresh token: it is asked for anew.
	Grantless(ctx context.Context, c Credentials, scope Scope) (Token, error)
}
