// Package memory is a mail.Sender that keeps what it was given, for tests. Nothing
// is dropped: a message that was sent twice is there twice.
package memory

import (
	"context"
	"slices"
	"sync"

	"pricemanager/internal/mail"
)

// Sender is a mail.Sender in memory. Its zero value is ready.
type Sender struct {
	// Hook, when set, runs before a message is taken. An error from it is returned
	// to the caller; applied says whether the message is sent all the same, as when
	// an answer is lost.
	Hook func(m mail.Message) (applied bool, err error)

	mu   sync.Mutex
	sent []mail.Message
}

var _ mail.Sender = (*Sender)(nil)

// Send keeps m.
func (s *Sender) Send(_ context.Context, m mail.Message) error {
	if s.Hook != nil {
		if applied, err := s.Hook(m); err != nil {
			if applied {
				s.keep(m)
			}
			return err
		}
	}
	s.keep(m)
	return nil
}

func (s *Sender) keep(m mail.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
}

// Sent are all messages, the oldest first.
func (s *Sender) Sent() []mail.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}
