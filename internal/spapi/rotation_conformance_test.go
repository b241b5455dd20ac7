package spapi_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

func TestANewClientSecretIsAskedForWithItsOwnScopeAndNeverInTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rotation, err := w.Grantless(t.Context(), amazon.ScopeRotation)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client.RotateClientSecret(t.Context(), rotation, price.EU); err != nil {
		t.Fatalf("rotate: %v", err)
	}
	if len(w.secrets) != 1 || w.secrets[0].Empty() {
		t.Fatalf("the queue got %d messages", len(w.secrets))
	}
	// One a minute: a second call is refused, and made no secret.
	err = w.client.RotateClientSecret(t.Context(), rotation, price.EU)
	var e *amazon.Error
	if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.Reached || len(w.secrets) != 1 {
		t.Errorf("a second call at once: %v, %d messages", err, len(w.secrets))
	}
	w.clock.Advance(time.Minute)
	wrong, err := w.Grantless(t.Context(), amazon.ScopeNotifications)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]secret.Value{"a token of another scope": wrong, "a seller's token": w.access} {
		if err := w.client.RotateClientSecret(t.Context(), token, price.EU); err == nil || len(w.secrets) != 1 {
			t.Errorf("%s: %v, %d messages", name, err, len(w.secrets))
		}
	}
}
