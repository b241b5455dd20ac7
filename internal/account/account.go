// Package account is how people come, prove who they are, and go: sign-up,
// invitations, sign-in with a password and a code, authenticators and recovery
// codes, forgotten passwords, and changes of address. It also writes to owners about what
// they should know: who reviews access, who looked, who changed their guards.
//
// What goes through a mailbox goes by one mechanism, the ticket: an id and a secret
// of 128 bits, of which the table has a hash, used once and for some hours. There is
// no password for an address that nobody proved: it is set as the ticket is used.
// Whatever address is given to sign-up, sign-in or a reset, the answer is the same
// and so is the work that goes into it.
//
// What is promised when things fail: whoever cannot be checked is not let in. Each
// step is a conditional write, and what is done at the sign-in provider comes before
// the write that makes it count, so that doing it again after a crash ends well. A
// try is counted before it is made: no number of guesses at once goes uncounted. A
// code is claimed before the provider is asked, and works once even where the
// provider would take it again; what is claimed and not answered is lost, and the next
// code comes within half a minute. A notice that cannot be sent stops nobody.
//
// What it does not do: it checks no password and no code itself (package signin does),
// knows no route, and decides nothing about what a member may do (identity does).
package account

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/mail"
	"pricemanager/internal/personal"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Lobby is the pseudo tenant of what is nobody's yet: tickets of a sign-up, and the
// tries of addresses that may or may not be somebody's.
const Lobby tenant.ID = "t_000000000lobby"

// Service does what the package says. It is safe for concurrent use.
type Service struct {
	DB       store.DB
	Seal     personal.Sealer
	Members  *identity.Members
	Sessions *identity.Sessions
	Tenants  *identity.Tenants
	Provider signin.Provider
	Mail     mail.Sender
	Clock    clock.Clock
	Random   io.Reader
	Log      *slog.Logger
	Metrics  *metrics.Writer // nil discards
	Misuse   Misuse          // nil turns nobody away
	// URL is where our pages are, without a slash at the end.
	URL string
}

// Misuse is told of network addresses from which a try was refused, and turns away
// those with many of them; limit.Misuse is one.
type Misuse interface {
	Report(ctx context.Context, address string) (blocked bool, err error)
}

// Product is our name, in mails and in authenticators.
const Product = "Price Manager"

// Origin is where a request came from.
type Origin struct {
	Address string // as API Gateway saw it
	Agent   string // of the browser, or whatever it says it is
}

// SignedIn is a session that has just begun or moved.
type SignedIn struct {
	Cookie   secret.Value
	Enrolled bool // false: an authenticator is to be set up first
}

func errRefused() *fault.Fault {
	return fault.New(fault.Unauthenticated, "sign-in-refused", "The address or the password is not right.")
}

func errPassword() *fault.Fault {
	return fault.New(fault.Forbidden, "password-refused", "The password is not right.")
}

func errCode() *fault.Fault {
	return fault.New(fault.Forbidden, "code-refused", "The code is not right, or it was used before. Wait for the next one and try again.")
}

func errExpired() *fault.Fault {
	return fault.New(fault.Gone, "attempt-expired", "That took too long. Begin again with your password.")
}

func errEnrolled() *fault.Fault {
	return fault.New(fault.Conflict, "authenticator-exists", "There is an authenticator already. Remove it first, or sign in with a recovery code.")
}

// provided gives the provider's errors their faces; an error that is none of the
// provider's left the outcome unknown.
func provided(err error, password *fault.Fault) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, signin.ErrRefused):
		return password
	case errors.Is(err, signin.ErrCode):
		return errCode()
	case errors.Is(err, signin.ErrExpired):
		return errExpired().Because(err)
	case errors.Is(err, signin.ErrPassword):
		return fault.New(fault.Invalid, "password", "This password is not accepted. Choose another one.").Because(err)
	case errors.Is(err, signin.ErrBusy):
		return fault.New(fault.RateLimited, "sign-in-busy", "Too many people sign in just now. Try again in a minute.").With("retryAfter", 60).Because(err)
	default:
		return fault.New(fault.Unavailable, "", "This cannot be done now; try again in a moment.").Because(err)
	}
}

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// random returns n random bytes.
func (s *Service) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return nil, fmt.Errorf("account: random bytes: %w", err)
	}
	return b, nil
}

// newID makes an id of 80 random bits, as 16 letters and digits.
func (s *Service) newID() (string, error) {
	b, err := s.random(10)
	return lower.EncodeToString(b), err
}

// whose is what is known about an address: the member, or for an address of nobody a
// stand-in that nothing is known of.
type whose struct {
	t     tenant.ID
	id    string
	known bool
	hash  string // of the address
}

// locate finds whose an address is. It costs the same for an address of nobody.
func (s *Service) locate(ctx context.Context, email personal.Sensitive[string]) (whose, error) {
	hash, err := s.Members.Index(ctx, "mail", email.Reveal())
	if err != nil {
		return whose{}, fmt.Errorf("account: address: %w", err)
	}
	t, id, err := s.Members.Locate(ctx, hash)
	if err != nil {
		return whose{}, err
	}
	if id == "" {
		// The same one each time, like a member's.
		sum := sha256.Sum256([]byte("nobody/1/" + hash))
		return whose{t: Lobby, id: "m" + lower.EncodeToString(sum[:10]), hash: hash}, nil
	}
	return whose{t: t, id: id, known: true, hash: hash}, nil
}

// clean reads an address as it is kept.
func clean(email personal.Sensitive[string]) (personal.Sensitive[string], error) {
	c, err := identity.CleanMail(email.Reveal())
	return personal.New(c), err
}

// record has the ledger told, by the outbox. What cannot be recorded is an error: the
// caller stops before it counts.
func (s *Service) record(ctx context.Context, t tenant.ID, e ledger.Event) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	e.At = s.Clock.Now()
	return ledger.Outbox{DB: s.DB, Table: store.Identity, Clock: s.Clock}.Record(ctx, t, "account#"+id, e)
}
