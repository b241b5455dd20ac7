// Package signin is the seam to who checks passwords and codes: Amazon Cognito,
// called server-side through its API. A user there is a member's opaque id, a
// password and an authenticator; it knows no name and no address, and whether a
// person may do anything is not decided by it.
//
// What is promised when things fail: a password that is wrong and a user that does
// not exist are the same ErrRefused, at the same cost. Nothing is kept here, and
// tokens that the provider hands out are given back at once: a session is
// identity's, not the provider's. An error that is none of this package's left the
// outcome unknown; every call may be repeated.
//
// Two backends are held to one conformance suite, signintest: cognito and memory.
package signin

import (
	"context"
	"errors"

	"pricemanager/internal/secret"
)

// Errors that callers test for with errors.Is.
var (
	// ErrRefused: no such user, or not the password.
	ErrRefused = errors.New("signin: refused")
	// ErrCode: not the code of this moment.
	ErrCode = errors.New("signin: wrong code")
	// ErrExpired: the challenge is too old, or was used; begin again.
	ErrExpired = errors.New("signin: challenge expired")
	// ErrPassword: the provider does not take this password. Nothing was changed.
	ErrPassword = errors.New("signin: password not accepted")
	// ErrBusy: the provider asks to slow down.
	ErrBusy = errors.New("signin: too many attempts")
)

// Needs is what is missing after the password was right.
type Needs string

// What can be missing: a closed set. There is no sign-in without a code.
const (
	NeedsCode      Needs = "code"      // of the authenticator
	NeedsEnrolment Needs = "enrolment" // there is no authenticator yet
)

// Step is how far a sign-in came. Challenge goes on from there; it is a credential,
// opaque, and lasts some minutes (15, as template.yaml sets it for Cognito).
type Step struct {
	Needs     Needs
	Challenge secret.Value
}

// Enrolment is an authenticator to be: Secret is its key in base32 (RFC 4648), to
// be shown once, as text and as otpauth URI.
type Enrolment struct {
	Secret    secret.Value
	Challenge secret.Value
}

// Provider checks passwords and codes. It is safe for concurrent use.
type Provider interface {
	// Create makes a user. One that exists gets the password: creating is
	// repeated after a crash.
	Create(ctx context.Context, id string, password secret.Value) error
	// SetPassword replaces the password; ErrRefused when there is no such user.
	SetPassword(ctx context.Context, id string, password secret.Value) error
	// Delete removes a user; removing a missing one is no error.
	Delete(ctx context.Context, id string) error
	// Begin checks a password.
	Begin(ctx context.Context, id string, password secret.Value) (Step, error)
	// Answer checks a code against the challenge of Begin. A challenge whose code
	// was wrong may be spent with it.
	Answer(ctx context.Context, id string, challenge secret.Value, code string) error
	// Enrol makes a new authenticator for a challenge that needs one. It counts
	// only after Confirm.
	Enrol(ctx context.Context, challenge secret.Value) (Enrolment, error)
	// Confirm checks the first code of the authenticator that Enrol made, and
	// has it asked for from now on. A challenge whose code was wrong may be spent.
	Confirm(ctx context.Context, id string, challenge secret.Value, code string) error
	// Forget takes the authenticator away, and the password with it: Cognito has no
	// call that frees a user from an authenticator in a pool that demands one, so the
	// user is made anew. Create or SetPassword gives a password, and Begin needs
	// another authenticator then. ErrRefused when there is no such user. A Forget
	// that was interrupted may leave no user: Create makes it again.
	Forget(ctx context.Context, id string) error
}
