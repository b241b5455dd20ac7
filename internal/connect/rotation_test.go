package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/test/fakeamazon"
)

func (w *world) rotation() *connect.Rotation {
	return &connect.Rotation{DB: w.db, Vault: w.static, Name: lwaKey, LWA: w.lwa, Amazon: w.reader, Region: price.EU, Clock: w.clock}
}

func (w *world) disturb(f fakeamazon.Fault) {
	w.t.Helper()
	if _, err := w.fake.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// letter reads the message that Amazon sent, as amazon-events does.
func letter(t *testing.T, m secret.Value) connect.NewSecret {
	t.Helper()
	var in struct {
		Payload struct {
			Secret struct {
				ClientID string    `json:"clientId"`
				Secret   string    `json:"newClientSecret"`
				Ends     time.Time `json:"newClientSecretExpiryTime"`
			} `json:"applicationOAuthClientNewSecret"`
		} `json:"payload"`
	}
	if err := json.Unmarshal([]byte(m.Reveal()), &in); err != nil {
		t.Fatal(err)
	}
	s := in.Payload.Secret
	return connect.NewSecret{ClientID: s.ClientID, Secret: secret.New(s.Secret), Ends: s.Ends}
}

// inUse is the client secret that the vault gives out.
func (w *world) inUse() string {
	w.t.Helper()
	v, err := w.static.Get(context.Background(), lwaKey)
	if err != nil {
		w.t.Fatal(err)
	}
	var c struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(v.Reveal()), &c); err != nil {
		w.t.Fatal(err)
	}
	return c.Secret
}

// accepted fails the test unless Amazon accepts the secret in use.
func (w *world) accepted() {
	w.t.Helper()
	_, err := w.lwa.Grantless(context.Background(), amazon.Credentials{ClientID: "amzn1.client", ClientSecret: secret.New(w.inUse())}, amazon.ScopeNotifications)
	if err != nil {
		w.t.Fatalf("the secret in use is refused: %v", err)
	}
}

func TestAmazonsNoticeHasTheClientSecretReplacedWhileBothWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.rotation()
	if did, err := r.Tick(t.Context()); did || err != nil {
		t.Fatalf("without a notice: %v, %v", did, err)
	}
	if _, err := w.service.SecretEnds(t.Context(), w.clock.Now().Add(90*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if did, err := r.Tick(t.Context()); !did || err != nil || len(w.letters) != 1 {
		t.Fatalf("after the notice: %v, %v, %d letters", did, err, len(w.letters))
	}
	w.clock.Advance(2 * time.Minute)
	if did, err := r.Tick(t.Context()); did || err != nil || len(w.letters) != 1 {
		t.Fatalf("while it is on its way: %v, %v, %d letters", did, err, len(w.letters))
	}
	n := letter(t, w.letters[0])
	for range 2 { // queues deliver twice
		if err := r.Take(t.Context(), n); err != nil {
			t.Fatalf("take: %v", err)
		}
	}
	if w.inUse() != n.Secret.Reveal() {
		t.Error("the new secret is not in use")
	}
	for _, s := range []string{"first-secret", w.inUse()} {
		if _, err := w.lwa.Grantless(t.Context(), amazon.Credentials{ClientID: "amzn1.client", ClientSecret: secret.New(s)}, amazon.ScopeNotifications); err != nil {
			t.Errorf("within the overlap: %v", err)
		}
	}
	// A process that holds the old one goes on when it has ended: it reads the
	// vault at once, not an hour later.
	w.clock.Advance(8 * 24 * time.Hour)
	if _, err := w.broker.Grantless(t.Context(), amazon.ScopeNotifications); err != nil {
		t.Errorf("the broker: %v", err)
	}
	if did, err := r.Tick(t.Context()); did || err != nil || len(w.letters) != 1 {
		t.Errorf("when all is done: %v, %v, %d letters", did, err, len(w.letters))
	}
}

// errKilled is the end of a process, as its caller sees it.
var errKilled = errors.New("killed")

// rotateKilled rotates and is killed at the operation numbered point, counted
// over the vault and the table. It reports whether it was.
func rotateKilled(w *world, r *connect.Rotation, point int, applied bool) bool {
	w.t.Helper()
	n := 0
	hook := func() (bool, error) {
		if n++; n == point {
			return applied, errKilled
		}
		if n > point {
			return false, errKilled // a dead process does nothing more
		}
		return true, nil
	}
	w.static.Hook = func(string, string) (bool, error) { return hook() }
	w.db.Hook = func(memory.Op) (bool, error) { return hook() }
	defer func() { w.static.Hook, w.db.Hook = nil, nil }()
	_, err := r.Ask(w.t.Context())
	if err == nil && len(w.letters) == 0 {
		w.t.Fatal("asked, and nothing came")
	}
	if err == nil {
		err = r.Take(w.t.Context(), letter(w.t, w.letters[len(w.letters)-1]))
	}
	return err != nil
}

func TestARotationOfTheClientSecretThatIsKilledAnywhereIsFinished(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{false, true} {
		for point := 1; ; point++ {
			w := newWorld(t)
			r := w.rotation()
			if _, err := w.service.SecretEnds(t.Context(), w.clock.Now().Add(90*24*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if !rotateKilled(w, r, point, applied) {
				if point < 12 {
					t.Fatalf("only %d operations", point-1)
				}
				break
			}
			w.accepted()
			// The schedule comes every hour; the queue delivers again what nobody took.
			for hour := 0; w.inUse() == "first-secret"; hour++ {
				if hour > 3 {
					t.Fatalf("killed at %d, applied %v: not finished after %d hours", point, applied, hour)
				}
				w.clock.Advance(time.Hour)
				if _, err := r.Tick(t.Context()); err != nil {
					t.Fatalf("killed at %d, applied %v: tick: %v", point, applied, err)
				}
				for _, m := range w.letters {
					if err := r.Take(t.Context(), letter(t, m)); err != nil {
						t.Fatalf("killed at %d, applied %v: take: %v", point, applied, err)
					}
				}
				w.accepted()
			}
			if len(w.letters) > 2 {
				t.Errorf("killed at %d: %d secrets were made", point, len(w.letters))
			}
		}
	}
}

func TestASecretWhoseMessageIsLostAfterItWasKeptIsTakenFromTheVault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.rotation()
	if _, err := r.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := letter(t, w.letters[0])
	w.disturb(fakeamazon.Fault{Op: "token", Kind: fakeamazon.Answer, Status: http.StatusServiceUnavailable, Times: 1})
	if err := r.Take(t.Context(), n); err == nil || w.inUse() != "first-secret" {
		t.Fatalf("taken without a test: %v", err)
	}
	if did, err := r.Tick(t.Context()); !did || err != nil || w.inUse() != n.Secret.Reveal() {
		t.Errorf("%v, %v, in use: %v", did, err, w.inUse() == n.Secret.Reveal())
	}
}

func TestASecretThatAmazonRefusesNeverBecomesCurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.rotation()
	forged := connect.NewSecret{ClientID: "amzn1.client", Secret: secret.New("forged"), Ends: w.clock.Now().Add(180 * 24 * time.Hour)}
	if err := r.Take(t.Context(), forged); err == nil {
		t.Error("taken")
	}
	w.accepted()
	for name, n := range map[string]connect.NewSecret{
		"another application's": {ClientID: "other", Secret: secret.New("x"), Ends: forged.Ends},
		"without an end":        {ClientID: "amzn1.client", Secret: secret.New("x")},
		"without a secret":      {ClientID: "amzn1.client", Ends: forged.Ends},
	} {
		if err := r.Take(t.Context(), n); !errors.Is(err, connect.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It does not stand in the way of the right one either.
	if _, err := w.service.SecretEnds(t.Context(), w.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if did, err := r.Tick(t.Context()); !did || err != nil {
		t.Fatalf("%v, %v", did, err)
	}
	if err := r.Take(t.Context(), letter(t, w.letters[0])); err != nil || w.inUse() == "first-secret" {
		t.Errorf("the right one: %v", err)
	}
	w.accepted()
}

func TestARefusedRequestForASecretIsRepeatedAtOnceAndAnUncertainOneIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   fakeamazon.FaultKind
		status int
		again  bool
	}{{fakeamazon.Answer, http.StatusTooManyRequests, true}, {fakeamazon.AnswerAfter, http.StatusInternalServerError, false}} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.rotation()
			w.disturb(fakeamazon.Fault{Op: "rotateApplicationClientSecret", Kind: c.kind, Status: c.status, Times: 1})
			if did, err := r.Ask(t.Context()); did || err == nil {
				t.Fatalf("%v, %v", did, err)
			}
			w.clock.Advance(time.Minute)
			if did, err := r.Ask(t.Context()); did != c.again || err != nil {
				t.Errorf("a minute later: %v, %v; want %v", did, err, c.again)
			}
			if len(w.letters) != 1 {
				t.Errorf("%d secrets were made", len(w.letters))
			}
		})
	}
}

func TestSecretsManagersOwnRotationEndsInTheVersionItChose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.rotation()
	const version = "11111111-2222-3333-4444-555555555555"
	w.static.Announce(lwaKey, version)
	for range 2 {
		if err := r.Step(t.Context(), secret.Create, version); !errors.Is(err, secret.ErrNotYet) {
			t.Fatalf("create: %v", err)
		}
	}
	if err := r.Take(t.Context(), letter(t, w.letters[0])); err != nil || len(w.letters) != 1 {
		t.Fatalf("take: %v, %d letters", err, len(w.letters))
	}
	if v, err := w.static.At(t.Context(), lwaKey, secret.Current); err != nil || v.ID != version {
		t.Errorf("current is %s, %v", v.ID, err)
	}
	for _, s := range []secret.Step{secret.Create, secret.Set, secret.Test, secret.Finish} {
		if err := r.Step(t.Context(), s, version); err != nil {
			t.Errorf("%s afterwards: %v", s, err)
		}
	}
	if err := r.Step(t.Context(), "otherStep", version); !errors.Is(err, secret.ErrStep) {
		t.Errorf("an unknown step: %v", err)
	}
}
