// Package fault is the product's error: a kind that decides the HTTP status
// and the metric, a public text written for the user, and the cause, which is
// for the logs only. An error that is not a Fault has kind Internal and shows
// nothing but a reference id.
package fault

import (
	"errors"
	"fmt"
)

// Kind is a low-cardinality class of errors.
type Kind string

// The kinds: a closed set.
const (
	Invalid         Kind = "invalid"         // the request is wrong and says why
	Unauthenticated Kind = "unauthenticated" // no valid credential
	Forbidden       Kind = "forbidden"       // known caller, action not allowed
	NotFound        Kind = "not-found"       // missing, or another tenant's
	Conflict        Kind = "conflict"        // the state moved; read again
	Gone            Kind = "gone"            // existed, expired
	TooLarge        Kind = "too-large"       // over a size limit
	Unsupported     Kind = "unsupported"     // content type or format
	RateLimited     Kind = "rate-limited"    // slow down
	Unavailable     Kind = "unavailable"     // try again later
	Internal        Kind = "internal"        // our fault; details in the log
)

// Fault is an error with a public face.
type Fault struct {
	Kind   Kind
	Type   string // stable problem type, e.g. "plan-moved"; "" uses the kind
	Public string // what happened, where, and what to do; no secrets
	// Extra are further members of the problem document, e.g. the rows that moved.
	Extra map[string]any
	Err   error // the cause, never shown
}

// New returns a Fault with a public text.
func New(k Kind, typ, format string, args ...any) *Fault {
	return &Fault{Kind: k, Type: typ, Public: fmt.Sprintf(format, args...)}
}

// Because attaches the internal cause.
func (f *Fault) Because(err error) *Fault { f.Err = err; return f }

// With attaches a further member of the problem document.
func (f *Fault) With(name string, value any) *Fault {
	if f.Extra == nil {
		f.Extra = map[string]any{}
	}
	f.Extra[name] = value
	return f
}

func (f *Fault) Error() string {
	s := string(f.Kind) + ": " + f.Public
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

func (f *Fault) Unwrap() error { return f.Err }

// KindOf returns the kind of err: Internal when it is not a Fault.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}
