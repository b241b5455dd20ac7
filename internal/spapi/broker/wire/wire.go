// Package wire holds the messages between the token broker and its callers. It
// knows neither side, so that the broker's function does not link the client
// that invokes it.
//
// Messages may hold a code or a token in clear, because they have to; they do
// not print, and they are never stored.
package wire

import (
	"errors"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Op is what the broker is asked to do.
type Op string

// The operations: a closed set.
const (
	// Exchange trades a code for tokens and keeps the refresh token as that of
	// the authorisation numbered.
	Exchange Op = "exchange"
	// Access hands out an access token of an authorisation.
	Access Op = "access"
	// Discard destroys the refresh token of an authorisation.
	Discard Op = "discard"
	// Grantless hands out an access token of the application itself, for a scope
	// that the broker is set up to give.
	Grantless Op = "grantless"
)

// Request is the payload of an invocation.
type Request struct {
	Op          Op                 `json:"op"`
	Tenant      tenant.ID          `json:"tenant"`
	Connection  price.ConnectionID `json:"connection"`
	Grant       int64              `json:"grant"`                 // number of the authorisation
	Code        string             `json:"code,omitempty"`        // Exchange
	RedirectURI string             `json:"redirectUri,omitempty"` // Exchange
	Scope       amazon.Scope       `json:"scope,omitempty"`       // Grantless; no tenant or connection then
}

// String hides the code.
func (r Request) String() string { return "wire.Request " + string(r.Op) }

// GoString hides the code.
func (r Request) GoString() string { return r.String() }

// Response is the answer. It may hold a token: do not print it.
type Response struct {
	AccessToken string     `json:"accessToken,omitempty"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	Error       *Error     `json:"error,omitempty"`
}

// String hides the token.
func (r Response) String() string { return "wire.Response" }

// GoString hides the token.
func (r Response) GoString() string { return r.String() }

// Error is an *amazon.Error on its way between two functions.
type Error struct {
	Op         string `json:"op"`
	Code       string `json:"code,omitempty"`
	Status     int    `json:"status,omitempty"`
	Message    string `json:"message,omitempty"`
	RequestID  string `json:"requestId,omitempty"`
	RetryAfter int64  `json:"retryAfterMillis,omitempty"`
	Reached    bool   `json:"reached,omitempty"`
}

// Answer makes the response for what a broker returned. An error that is not
// Amazon's is not described: it may be about anything in the broker.
func Answer(t amazon.Token, err error) Response {
	var e *amazon.Error
	switch {
	case err == nil && t.Access.Empty():
		return Response{}
	case err == nil:
		return Response{AccessToken: t.Access.Reveal(), ExpiresAt: &t.Expires}
	case errors.As(err, &e):
		out := &Error{Op: e.Op, Code: e.Code, Status: e.Status, Message: e.Message, RequestID: e.RequestID,
			RetryAfter: e.RetryAfter.Milliseconds(), Reached: e.Reached}
		return Response{Error: out}
	default:
		return Response{Error: &Error{Op: "token-broker", Message: "the broker could not do it; its log says why"}}
	}
}
