// Package mail sends the few messages that the product writes to people: codes
// and links that prove an address, notices about their account, security and
// prices. Text only, one recipient each, no tracking, nothing of Amazon's data.
//
// A message was handed over when Send returns nil, and whether it arrives is not
// known. It may be sent twice when whoever asked repeats it after a crash.
package mail

import (
	"context"

	"pricemanager/internal/personal"
)

// Message is one mail.
type Message struct {
	To      personal.Sensitive[string] // an address
	Subject string                     // without anything personal or secret: it shows on locked screens
	Body    personal.Sensitive[string] // may hold a code or a link
	// Once tells repetitions of one message apart from another one, for backends
	// that can drop repetitions.
	Once string
}

// Sender sends mail. It is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) error
}
