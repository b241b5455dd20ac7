package cognito_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/cognito"
	"pricemanager/internal/signin/signintest"
	"pricemanager/internal/signin/totp"
)

func onAWS() (*cognito.Provider, *pool) {
	p := newPool(clock.NewManual(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)))
	return cognito.New(p, "eu-central-1_abcdefghi", "client"), p
}

const (
	member   = "m0123456789abcdef"
	password = "Vierzig-nasse-Elche4"
)

func TestConformanceAsOnAWS(t *testing.T) {
	t.Parallel()
	signintest.Run(t, func(t *testing.T) signintest.Backend {
		provider, p := onAWS()
		t.Cleanup(func() {
			if len(p.tokens) != 0 {
				t.Errorf("%d tokens were not given back", len(p.tokens))
			}
		})
		return signintest.Backend{Provider: provider, Now: p.clock.Now, Pass: p.clock.Advance}
	})
}

func TestAUserWhosePasswordIsRefusedIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	provider, p := onAWS()
	if err := provider.Create(t.Context(), member, secret.New("all-small-and-long")); !errors.Is(err, signin.ErrPassword) || len(p.users) != 0 {
		t.Fatalf("%v, %d users", err, len(p.users))
	}
}

func TestCreatingGoesOnAfterEveryCrash(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for _, at := range []string{"AdminCreateUser", "AdminSetUserPassword", "AdminInitiateAuth"} {
		provider, p := onAWS()
		p.fail = func(op string) error {
			if op == at {
				return crash
			}
			return nil
		}
		err := provider.Create(t.Context(), member, secret.New(password))
		if at != "AdminInitiateAuth" && !errors.Is(err, crash) {
			t.Fatalf("%s: %v", at, err)
		}
		p.fail = nil
		for range 2 {
			if err := provider.Create(t.Context(), member, secret.New(password)); err != nil {
				t.Fatalf("again after %s: %v", at, err)
			}
		}
		if _, err := provider.Begin(t.Context(), member, secret.New(password)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForgettingGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	provider, p := onAWS()
	if err := provider.Create(t.Context(), member, secret.New(password)); err != nil {
		t.Fatal(err)
	}
	crash := errors.New("crash")
	p.fail = func(op string) error {
		if op == "AdminCreateUser" {
			return crash
		}
		return nil
	}
	if err := provider.Forget(t.Context(), member); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	p.fail = nil
	if err := provider.Create(t.Context(), member, secret.New(password)); err != nil {
		t.Fatal(err)
	}
	if step, err := provider.Begin(t.Context(), member, secret.New(password)); err != nil || step.Needs != signin.NeedsEnrolment {
		t.Fatalf("%q, %v", step.Needs, err)
	}
}

// TestConfirmingGoesOnAfterEveryCrash: whatever was lost, the member signs in with the
// authenticator that they have, or is asked to set one up again.
func TestConfirmingGoesOnAfterEveryCrash(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"VerifySoftwareToken", "AdminRespondToAuthChallenge", "AdminSetUserMFAPreference", "RevokeToken"} {
		provider, p := onAWS()
		if err := provider.Create(t.Context(), member, secret.New(password)); err != nil {
			t.Fatal(err)
		}
		step, err := provider.Begin(t.Context(), member, secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		e, err := provider.Enrol(t.Context(), step.Challenge)
		if err != nil {
			t.Fatal(err)
		}
		crash := errors.New("crash")
		p.fail = func(op string) error {
			if op == at {
				return crash
			}
			return nil
		}
		err = provider.Confirm(t.Context(), member, e.Challenge, code(t, p, e.Secret))
		if lost := at != "RevokeToken"; errors.Is(err, crash) != lost {
			t.Fatalf("%s: %v", at, err)
		}
		p.fail = nil
		step, err = provider.Begin(t.Context(), member, secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		key := e.Secret
		if step.Needs == signin.NeedsEnrolment {
			if e, err = provider.Enrol(t.Context(), step.Challenge); err != nil {
				t.Fatal(err)
			}
			if err := provider.Confirm(t.Context(), member, e.Challenge, code(t, p, e.Secret)); err != nil {
				t.Fatalf("after %s: %v", at, err)
			}
			key = e.Secret
			if step, err = provider.Begin(t.Context(), member, secret.New(password)); err != nil {
				t.Fatal(err)
			}
		}
		if err := provider.Answer(t.Context(), member, step.Challenge, code(t, p, key)); err != nil {
			t.Errorf("after %s: %v", at, err)
		}
	}
}

func code(t *testing.T, p *pool, key secret.Value) string {
	t.Helper()
	p.clock.Advance(totp.Period)
	c, err := totp.Code(key, p.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatCognitoSaysOfAPasswordInTheWordsOfSignIn(t *testing.T) {
	t.Parallel()
	locked := &types.NotAuthorizedException{Message: aws.String("Password attempts exceeded")}
	for _, c := range []struct {
		err  error
		want error
	}{
		{locked, signin.ErrRefused},
		{&types.UserNotFoundException{}, signin.ErrRefused},
		{&types.PasswordResetRequiredException{}, signin.ErrRefused},
		{&types.TooManyRequestsException{}, signin.ErrBusy},
		{&types.LimitExceededException{}, signin.ErrBusy},
		{&types.TooManyFailedAttemptsException{}, signin.ErrBusy},
		{&types.InternalErrorException{Message: aws.String("m0123456789abcdef")}, nil},
		{context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		provider, p := onAWS()
		p.fail = func(op string) error {
			if op == "AdminInitiateAuth" {
				return &smithy.OperationError{ServiceID: "Cognito", OperationName: op, Err: c.err}
			}
			return nil
		}
		step, err := provider.Begin(t.Context(), member, secret.New(password))
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !step.Challenge.Empty() {
			t.Errorf("%T: %v, want %v", c.err, err, c.want)
		}
		if c.want == nil {
			for _, known := range []error{signin.ErrRefused, signin.ErrBusy, signin.ErrCode, signin.ErrExpired, signin.ErrPassword} {
				if errors.Is(err, known) {
					t.Errorf("%T is taken for %v", c.err, known)
				}
			}
			if strings.Contains(err.Error(), member) || !strings.Contains(err.Error(), "InternalErrorException") {
				t.Errorf("it says %v", err)
			}
		}
	}
}

// answers is an AdminInitiateAuth that says what it is told to.
type answers struct {
	*pool
	out *cip.AdminInitiateAuthOutput
}

func (a answers) AdminInitiateAuth(context.Context, *cip.AdminInitiateAuthInput, ...func(*cip.Options)) (*cip.AdminInitiateAuthOutput, error) {
	return a.out, nil
}

func TestTokensForAPasswordAloneLetNobodyIn(t *testing.T) {
	t.Parallel()
	for name, asked := range map[string]bool{"with an authenticator": true, "without one": false} {
		_, p := onAWS()
		p.users[member] = &user{asked: asked}
		provider := cognito.New(answers{p, &cip.AdminInitiateAuthOutput{AuthenticationResult: p.grant()}}, "pool", "client")
		step, err := provider.Begin(t.Context(), member, secret.New(password))
		switch {
		case asked && (err == nil || !step.Challenge.Empty() || len(p.tokens) != 0):
			t.Errorf("%s: %q, %v, %d tokens", name, step.Needs, err, len(p.tokens))
		case !asked && (err != nil || step.Needs != signin.NeedsEnrolment):
			t.Errorf("%s: %q, %v", name, step.Needs, err)
		}
	}
}

func TestAnAnswerThatThisPoolDoesNotGiveLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		challenge types.ChallengeNameType
		refused   bool
	}{{types.ChallengeNameTypeNewPasswordRequired, true}, {types.ChallengeNameTypeSmsMfa, false}, {"", false}} {
		_, p := onAWS()
		provider := cognito.New(answers{p, &cip.AdminInitiateAuthOutput{ChallengeName: c.challenge, Session: aws.String("s")}}, "pool", "client")
		step, err := provider.Begin(t.Context(), member, secret.New(password))
		if err == nil || !step.Challenge.Empty() || errors.Is(err, signin.ErrRefused) != c.refused {
			t.Errorf("%q: %q, %v", c.challenge, step.Needs, err)
		}
	}
}
