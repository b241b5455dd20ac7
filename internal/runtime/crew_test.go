package runtime

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

func TestACrewMayWorkBesideTheMessagesAndTheInvocationWaits(t *testing.T) {
	t.Parallel()
	var handled, beside bool
	h := testApp(&bytes.Buffer{}).SQSCrew(
		func(context.Context, Message) error { handled = true; return nil },
		func(_ context.Context, calls []func()) {
			together(t.Context(), calls)
			beside = handled
		})
	if out, err := h(context.Background(), batch(`{}`)); err != nil || string(out) != `{"batchItemFailures":[]}` || !beside {
		t.Errorf("%s, %v, beside %t", out, err, beside)
	}
}

func TestAMessageThatACrewLeavesOutComesBack(t *testing.T) {
	t.Parallel()
	h := testApp(&bytes.Buffer{}).SQSCrew(
		func(_ context.Context, m Message) error {
			if m.ID == "m2" {
				return errors.New("no")
			}
			return nil
		},
		func(_ context.Context, calls []func()) { together(t.Context(), append(calls[:1:1], calls[2:]...)) })
	out, err := h(context.Background(), batch(`{}`, `{}`, `{}`, `{}`))
	if err != nil || string(out) != `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"}]}` {
		t.Errorf("%s, %v; want the one left out and the one that failed", out, err)
	}
}
