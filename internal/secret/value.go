// Package secret keeps credentials out of everything that is printed and knows
// where they rest. Value is the redacting type that every token, key and
// password travels in; the Vault interface is the one door to Secrets Manager,
// Versions the one of a Rotator, which replaces a secret step by step.
//
// When a secret cannot be read the caller gets an error that names the secret,
// never its content. Only Cached keeps anything, and only in memory.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Redacted is what a Value shows wherever it is printed.
const Redacted = "[redacted]"

// Value is a string that does not print. Formatting, JSON, text and slog all
// show Redacted; only Reveal returns the content. Values are not comparable: == on
// secrets takes a time that tells how much of them is equal.
type Value struct {
	_ [0]func()
	// Behind a pointer, because fmt cannot call the methods of an unexported field
	// and prints what is in it: an address then.
	s *string
}

// New wraps s.
func New(s string) Value { return Value{s: &s} }

// Reveal returns the content. Call it only where the secret leaves the process
// on purpose: in a request to its owner, or into the vault.
func (v Value) Reveal() string {
	if v.s == nil {
		return ""
	}
	return *v.s
}

// Empty reports whether there is no content.
func (v Value) Empty() bool { return v.Reveal() == "" }

// String returns Redacted.
func (v Value) String() string { return Redacted }

// GoString returns Redacted, for %#v.
func (v Value) GoString() string { return Redacted }

// Format prints Redacted for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalJSON encodes Redacted.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// MarshalText encodes Redacted.
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue shows Redacted in structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }
