package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/store"
)

// Queue holds a backend to the promises of store.Queue. receive takes all
// messages that are visible now off the queue, which nothing else uses.
func Queue(t *testing.T, q store.Queue, receive func(t *testing.T) [][]byte) {
	t.Run("what is sent arrives", func(t *testing.T) {
		bodies := []string{`{"kind":"lane","tenant":"t_000000"}`, `"<é & \u0000 \ud83d\ude00 😀>"`, `[]`}
		bodies = append(bodies, `"`+strings.Repeat("x", store.MaxMessage-2)+`"`)
		for _, b := range bodies {
			if err := q.Send(t.Context(), []byte(b), 0); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, b := range receive(t) {
			got = append(got, string(b))
		}
		slices.Sort(got)
		slices.Sort(bodies)
		if !slices.Equal(got, bodies) {
			t.Errorf("received %d messages that differ from the %d sent", len(got), len(bodies))
		}
	})
	t.Run("a delayed message is not there yet", func(t *testing.T) {
		for _, delay := range []time.Duration{time.Minute, store.MaxDelay} {
			if err := q.Send(t.Context(), []byte(`{}`), delay); err != nil {
				t.Fatal(err)
			}
		}
		if got := receive(t); len(got) != 0 {
			t.Errorf("received %q", got)
		}
	})
	t.Run("malformed messages are refused", func(t *testing.T) {
		for what, send := range map[string]func() error{
			"not JSON":      func() error { return q.Send(t.Context(), []byte("hello"), 0) },
			"nothing":       func() error { return q.Send(t.Context(), nil, 0) },
			"not UTF-8":     func() error { return q.Send(t.Context(), []byte("\"\xff\""), 0) },
			"too large":     func() error { return q.Send(t.Context(), []byte(`"`+strings.Repeat("x", store.MaxMessage-1)+`"`), 0) },
			"before now":    func() error { return q.Send(t.Context(), []byte(`{}`), -time.Second) },
			"delayed a lot": func() error { return q.Send(t.Context(), []byte(`{}`), store.MaxDelay+1) },
		} {
			if err := send(); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: error is %v, want ErrInvalid", what, err)
			}
		}
		if got := receive(t); len(got) != 0 {
			t.Errorf("received %q", got)
		}
	})
}
