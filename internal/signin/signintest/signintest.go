// Package signintest holds every signin.Provider to the same promises. A backend's
// test calls Run; the suite leaves no user behind.
package signintest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/totp"
)

// Backend is a provider under test.
type Backend struct {
	Provider signin.Provider
	// Now is the time by which the provider checks codes.
	Now func() time.Time
	// Pass lets time go by. Nil: it cannot be made to, and codes may repeat; then
	// what depends on time is not asked of this backend, and neither is that a code or
	// a challenge works once or that passwords are remembered, which the local AWS does
	// not check.
	Pass func(time.Duration)
}

const (
	good  = "Vb7#kqLw92xT karpfen"
	other = "Vierzig-nasse-Elche4"
)

// Run runs the suite.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, world){
		"a password leads to an authenticator and that to codes":   enrols,
		"nobody and a wrong password are refused alike":            refuses,
		"creating again gives the password and keeps the codes":    createsAgain,
		"a password the pool does not take changes nothing":        policy,
		"a password is replaced and the old one is refused":        replaces,
		"a wrong code is ErrCode and the next sign-in can go well": wrongCode,
		"an authenticator counts after its first code only":        unconfirmed,
		"a challenge is its user's and of its kind":                strangers,
		"forgetting takes authenticator and password":              forgets,
		"a deleted user is nobody":                                 deletes,
		"creating twice is creating once":                          createsTwice,
		"passwords do not come back":                               remembers,
		"a code works once":                                        onceCode,
		"a challenge works once":                                   onceChallenge,
		"a challenge ends":                                         ends,
	} {
		t.Run(name, func(t *testing.T) { test(t, world{t: t, Backend: open(t)}) })
	}
}

type world struct {
	t *testing.T
	Backend
}

// user makes a user with the good password and an id of their own.
func (w world) user(n int) string {
	w.t.Helper()
	id := fmt.Sprintf("m%016x", time.Now().UnixNano()+int64(n))
	w.must(w.Provider.Create(w.t.Context(), id, secret.New(good)))
	ctx := context.WithoutCancel(w.t.Context())
	w.t.Cleanup(func() { w.must(w.Provider.Delete(ctx, id)) })
	return id
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) want(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

// begin gives the password and wants to be asked for needs.
func (w world) begin(id, password string, needs signin.Needs) secret.Value {
	w.t.Helper()
	step, err := w.Provider.Begin(w.t.Context(), id, secret.New(password))
	w.must(err)
	if step.Needs != needs || step.Challenge.Empty() {
		w.t.Fatalf("needs %q, want %q", step.Needs, needs)
	}
	return step.Challenge
}

// code is one that was not used yet, where that matters.
func (w world) code(key secret.Value) string {
	w.t.Helper()
	if w.Pass != nil {
		w.Pass(totp.Period)
	}
	code, err := totp.Code(key, w.Now())
	w.must(err)
	return code
}

// wrong is a code that is not the key's, now or soon.
func (w world) wrong(key secret.Value) string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%06d", n)
		if _, ok := totp.Match(key, code, w.Now()); !ok {
			if _, ok := totp.Match(key, code, w.Now().Add(totp.Period)); !ok {
				return code
			}
		}
	}
}

func (w world) enrol(id, password string) secret.Value {
	w.t.Helper()
	e, err := w.Provider.Enrol(w.t.Context(), w.begin(id, password, signin.NeedsEnrolment))
	w.must(err)
	w.must(w.Provider.Confirm(w.t.Context(), id, e.Challenge, w.code(e.Secret)))
	return e.Secret
}

func enrols(t *testing.T, w world) {
	id := w.user(0)
	key := w.enrol(id, good)
	for range 2 {
		w.must(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), w.code(key)))
	}
}

func refuses(t *testing.T, w world) {
	id := w.user(0)
	nobody := id + "0"
	for _, password := range []string{"", other, good + " ", " " + good, "Vb7#kqLw92xT Karpfen"} {
		_, known := w.Provider.Begin(t.Context(), id, secret.New(password))
		_, unknown := w.Provider.Begin(t.Context(), nobody, secret.New(password))
		w.want(known, signin.ErrRefused)
		w.want(unknown, signin.ErrRefused)
		if known.Error() != unknown.Error() {
			t.Errorf("%q told apart from %q", known, unknown)
		}
	}
	_, err := w.Provider.Begin(t.Context(), nobody, secret.New(good))
	w.want(err, signin.ErrRefused)
	w.want(w.Provider.SetPassword(t.Context(), nobody, secret.New(good)), signin.ErrRefused)
	w.want(w.Provider.Forget(t.Context(), nobody), signin.ErrRefused)
}

func createsAgain(t *testing.T, w world) {
	id := w.user(0)
	w.enrol(id, good)
	w.must(w.Provider.Create(t.Context(), id, secret.New(other)))
	w.begin(id, other, signin.NeedsCode)
	_, err := w.Provider.Begin(t.Context(), id, secret.New(good))
	w.want(err, signin.ErrRefused)
}

func policy(t *testing.T, w world) {
	id := w.user(0)
	for _, short := range []string{"", "Sh0rt!pass", "vierzig-nasse-elche4", "VIERZIG-NASSE-ELCHE4", "Vierzig-nasse-Elche", "Vierzig4nasse4Elche", " Vierzig-nasse-Elche4"} {
		w.want(w.Provider.SetPassword(t.Context(), id, secret.New(short)), signin.ErrPassword)
		w.want(w.Provider.Create(t.Context(), id, secret.New(short)), signin.ErrPassword)
		w.want(w.Provider.Create(t.Context(), id+"1", secret.New(short)), signin.ErrPassword)
		w.want(w.Provider.SetPassword(t.Context(), id+"1", secret.New(good)), signin.ErrRefused)
	}
	w.begin(id, good, signin.NeedsEnrolment)
}

func createsTwice(t *testing.T, w world) {
	id := w.user(0)
	w.must(w.Provider.Create(t.Context(), id, secret.New(good)))
	w.enrol(id, good)
	w.must(w.Provider.Create(t.Context(), id, secret.New(good)))
	w.begin(id, good, signin.NeedsCode)
}

func remembers(t *testing.T, w world) {
	w.timed()
	id := w.user(0)
	w.want(w.Provider.SetPassword(t.Context(), id, secret.New(good)), signin.ErrPassword)
	w.must(w.Provider.SetPassword(t.Context(), id, secret.New(other)))
	w.want(w.Provider.SetPassword(t.Context(), id, secret.New(good)), signin.ErrPassword)
	w.want(w.Provider.Create(t.Context(), id, secret.New(good)), signin.ErrPassword)
	w.begin(id, other, signin.NeedsEnrolment)
}

func replaces(t *testing.T, w world) {
	id := w.user(0)
	w.enrol(id, good)
	w.must(w.Provider.SetPassword(t.Context(), id, secret.New(other)))
	_, err := w.Provider.Begin(t.Context(), id, secret.New(good))
	w.want(err, signin.ErrRefused)
	w.begin(id, other, signin.NeedsCode)
}

func wrongCode(t *testing.T, w world) {
	id := w.user(0)
	e, err := w.Provider.Enrol(t.Context(), w.begin(id, good, signin.NeedsEnrolment))
	w.must(err)
	malformed := []string{"", "12345", "1234567", "abcdef", "12 456", "١٢٣٤٥٦"}
	for _, code := range append(malformed, w.wrong(e.Secret)) {
		w.want(w.Provider.Confirm(t.Context(), id, e.Challenge, code), signin.ErrCode)
	}
	key := w.enrol(id, good)
	for _, code := range append(malformed, w.wrong(key)) {
		w.want(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), code), signin.ErrCode)
	}
	w.must(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), w.code(key)))
}

func unconfirmed(t *testing.T, w world) {
	id := w.user(0)
	e, err := w.Provider.Enrol(t.Context(), w.begin(id, good, signin.NeedsEnrolment))
	w.must(err)
	// Not even with the right code does a sign-in end that was never asked for one.
	w.want(w.Provider.Answer(t.Context(), id, e.Challenge, w.code(e.Secret)), signin.ErrExpired)
	w.begin(id, good, signin.NeedsEnrolment)
	again, err := w.Provider.Enrol(t.Context(), w.begin(id, good, signin.NeedsEnrolment))
	w.must(err)
	if again.Secret.Reveal() == e.Secret.Reveal() {
		t.Fatal("the same key twice")
	}
	w.must(w.Provider.Confirm(t.Context(), id, again.Challenge, w.code(again.Secret)))
	w.must(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), w.code(again.Secret)))
}

func strangers(t *testing.T, w world) {
	alice, bob := w.user(0), w.user(1)
	keyA, keyB := w.enrol(alice, good), w.enrol(bob, good)
	w.want(w.Provider.Answer(t.Context(), bob, w.begin(alice, good, signin.NeedsCode), w.code(keyB)), signin.ErrExpired)
	w.want(w.Provider.Answer(t.Context(), alice, w.begin(bob, good, signin.NeedsCode), w.code(keyA)), signin.ErrExpired)
	for _, text := range []string{"", "nonsense", "{}", `{"user":"` + alice + `"}`} {
		w.want(w.Provider.Answer(t.Context(), alice, secret.New(text), w.code(keyA)), signin.ErrExpired)
		_, err := w.Provider.Enrol(t.Context(), secret.New(text))
		w.want(err, signin.ErrExpired)
		w.want(w.Provider.Confirm(t.Context(), alice, secret.New(text), w.code(keyA)), signin.ErrExpired)
	}
	// A sign-in that is asked for a code cannot enrol another authenticator.
	w.want(w.Provider.Confirm(t.Context(), alice, w.begin(alice, good, signin.NeedsCode), w.code(keyA)), signin.ErrExpired)
	_, err := w.Provider.Enrol(t.Context(), w.begin(alice, good, signin.NeedsCode))
	w.want(err, signin.ErrExpired)
	carol, dave := w.user(2), w.user(3)
	e, err := w.Provider.Enrol(t.Context(), w.begin(carol, good, signin.NeedsEnrolment))
	w.must(err)
	w.want(w.Provider.Confirm(t.Context(), dave, e.Challenge, w.code(e.Secret)), signin.ErrExpired)
	w.begin(dave, good, signin.NeedsEnrolment)
}

func forgets(t *testing.T, w world) {
	id := w.user(0)
	w.enrol(id, good)
	w.must(w.Provider.Forget(t.Context(), id))
	_, err := w.Provider.Begin(t.Context(), id, secret.New(good))
	w.want(err, signin.ErrRefused)
	_, err = w.Provider.Begin(t.Context(), id, secret.Value{})
	w.want(err, signin.ErrRefused)
	w.must(w.Provider.SetPassword(t.Context(), id, secret.New(other)))
	key := w.enrol(id, other)
	w.must(w.Provider.Answer(t.Context(), id, w.begin(id, other, signin.NeedsCode), w.code(key)))
	w.must(w.Provider.Forget(t.Context(), id))
	w.must(w.Provider.Create(t.Context(), id, secret.New(good)))
	w.begin(id, good, signin.NeedsEnrolment)
}

func deletes(t *testing.T, w world) {
	id := w.user(0)
	key := w.enrol(id, good)
	open := w.begin(id, good, signin.NeedsCode)
	for range 2 {
		w.must(w.Provider.Delete(t.Context(), id))
	}
	_, err := w.Provider.Begin(t.Context(), id, secret.New(good))
	w.want(err, signin.ErrRefused)
	if err := w.Provider.Answer(t.Context(), id, open, w.code(key)); err == nil {
		t.Fatal("the challenge outlived its user")
	}
	// Whoever has the id next has nothing of the one before.
	w.must(w.Provider.Create(t.Context(), id, secret.New(other)))
	w.begin(id, other, signin.NeedsEnrolment)
}

func onceCode(t *testing.T, w world) {
	w.timed()
	id := w.user(0)
	key := w.enrol(id, good)
	code := w.code(key)
	w.must(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), code))
	w.want(w.Provider.Answer(t.Context(), id, w.begin(id, good, signin.NeedsCode), code), signin.ErrCode)
}

func onceChallenge(t *testing.T, w world) {
	w.timed()
	id := w.user(0)
	begun := w.begin(id, good, signin.NeedsEnrolment)
	e, err := w.Provider.Enrol(t.Context(), begun)
	w.must(err)
	_, err = w.Provider.Enrol(t.Context(), begun)
	w.want(err, signin.ErrExpired)
	w.must(w.Provider.Confirm(t.Context(), id, e.Challenge, w.code(e.Secret)))
	w.want(w.Provider.Confirm(t.Context(), id, e.Challenge, w.code(e.Secret)), signin.ErrExpired)
	open := w.begin(id, good, signin.NeedsCode)
	w.must(w.Provider.Answer(t.Context(), id, open, w.code(e.Secret)))
	w.want(w.Provider.Answer(t.Context(), id, open, w.code(e.Secret)), signin.ErrExpired)
}

func ends(t *testing.T, w world) {
	w.timed()
	id := w.user(0)
	key := w.enrol(id, good)
	open := w.begin(id, good, signin.NeedsCode)
	w.Pass(14 * time.Minute)
	w.must(w.Provider.Answer(t.Context(), id, open, w.code(key)))
	open = w.begin(id, good, signin.NeedsCode)
	w.Pass(15 * time.Minute)
	w.want(w.Provider.Answer(t.Context(), id, open, w.code(key)), signin.ErrExpired)
}

func (w world) timed() {
	w.t.Helper()
	if w.Pass == nil {
		w.t.Skip("this backend does not promise it")
	}
}
