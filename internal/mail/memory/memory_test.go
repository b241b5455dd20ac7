package memory_test

import (
	"errors"
	"testing"

	"pricemanager/internal/mail"
	"pricemanager/internal/mail/memory"
)

func TestWhatWasSentIsThereAndWhatWasLostMayBe(t *testing.T) {
	t.Parallel()
	s, lost := &memory.Sender{}, errors.New("lost")
	send := func(once string, applied bool, want error) {
		t.Helper()
		s.Hook = func(mail.Message) (bool, error) { return applied, want }
		if err := s.Send(t.Context(), mail.Message{Once: once}); !errors.Is(err, want) {
			t.Fatalf("%s: %v", once, err)
		}
	}
	send("a", false, nil)
	send("b", false, lost)
	send("c", true, lost)
	send("c", true, nil)
	var got string
	for _, m := range s.Sent() {
		got += m.Once
	}
	if got != "acc" {
		t.Errorf("sent %q", got)
	}
}
