package account_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/totp"
)

func TestASignInTakesPasswordAndCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	p.cookie = p.signIn(home)
	if who := p.principal(); !who.Enrolled || who.Tenant != p.Tenant || who.Member != p.Member || !who.MFAAt.Equal(w.clk.Now()) {
		t.Errorf("signed in as %+v", who)
	}
	_, err := w.svc.SignIn(t.Context(), text("ann@example.com"), secret.New(phrase2), home)
	w.refused(err, "sign-in-refused")
	step, err := w.svc.SignIn(t.Context(), text(" ANN@Example.com"), secret.New(phrase), home)
	w.ok(err)
	_, err = w.svc.Code(t.Context(), step.Attempt, "000000", home)
	w.refused(err, "code-refused")
	if got := w.events(p.Tenant); !slices.Contains(got, "signin.refused") || !slices.Contains(got, "code.refused") {
		t.Errorf("the ledger was told %v", got)
	}
}

func TestNobodyIsAnsweredLikeAMemberWithAWrongPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.founder("ann@example.com")
	w.who.Hook = func(op, _ string) (bool, error) { w.note("provider " + op); return true, nil }
	try := func(email string) string {
		return w.traceOf(func() {
			_, err := w.svc.SignIn(t.Context(), text(email), secret.New(phrase2), home)
			w.note(err.Error())
		})
	}
	try("warm@example.com") // what a network address's first refusal writes
	for i := range 8 {
		if a, b := try("ann@example.com"), try("bob@example.com"); a != b {
			t.Errorf("try %d:\n%s for a member,\n%s for nobody", i, a, b)
		}
	}
	w.clk.Advance(2 * time.Hour) // the mails of the sign-up do not count any more
	reset := func(email string) string {
		return w.traceOf(func() { w.ok(w.svc.ForgotPassword(t.Context(), text(email))) })
	}
	if a, b := reset("ann@example.com"), reset("cid@example.com"); a == "" || a != b {
		t.Errorf("a reset asks for\n%s for a member,\n%s for nobody", a, b)
	}
}

func TestFailedTriesSlowDownForMembersAndForNobody(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		w := newWorld(t)
		w.founder("ann@example.com")
		try := func(password string) error {
			_, err := w.svc.SignIn(t.Context(), text(email), secret.New(password), home)
			return err
		}
		for range 5 {
			w.refused(try(phrase2), "sign-in-refused")
		}
		for _, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			wait := time.Duration(minutes) * time.Minute
			w.refused(try(phrase), "too-many-tries") // also with the right password
			w.clk.Advance(wait - time.Second)
			w.refused(try(phrase), "too-many-tries")
			w.clk.Advance(time.Second)
			w.refused(try(phrase2), "sign-in-refused")
		}
		w.clk.Advance(time.Hour)
		if err := try(phrase); email == "ann@example.com" && err != nil {
			t.Errorf("after the wait the right password gave %v", err)
		}
	}
}

// TestNoNumberOfGuessesAtOnceGoesUncounted: guesses made together are no more than
// guesses made one after the other.
func TestNoNumberOfGuessesAtOnceGoesUncounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.founder("ann@example.com")
	asked := 0
	var mu sync.Mutex
	w.who.Hook = func(op, _ string) (bool, error) {
		mu.Lock()
		asked++
		mu.Unlock()
		return true, nil
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			_, _ = w.svc.SignIn(t.Context(), text("ann@example.com"), secret.New(fmt.Sprint("wrong password ", i)), home)
		})
	}
	wg.Wait()
	if asked > 5 {
		t.Errorf("the provider was asked %d times", asked)
	}
}

func TestCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	asked := 0
	w.who.Hook = func(op, _ string) (bool, error) {
		if op == "answer" {
			asked++
		}
		return true, nil
	}
	// Somebody who has the password, for a day, as often as they like.
	for minute := range 24 * 60 {
		step, err := w.svc.SignIn(t.Context(), text(p.email), secret.New(p.password), home)
		w.ok(err)
		for i := range 3 {
			_, _ = w.svc.Code(t.Context(), step.Attempt, fmt.Sprintf("%06d", minute*3+i), home)
		}
		w.clk.Advance(time.Minute)
	}
	if asked > 40 {
		t.Errorf("%d codes were tried in a day", asked)
	}
}

// lax is a provider that takes any code, as often as it comes.
type lax struct{ signin.Provider }

func (lax) Answer(context.Context, string, secret.Value, string) error { return nil }

func TestACodeWorksOnceEvenIfTheProviderWouldTakeItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	first, err := w.svc.SignIn(t.Context(), text(p.email), secret.New(p.password), home)
	w.ok(err)
	second, err := w.svc.SignIn(t.Context(), text(p.email), secret.New(p.password), home)
	w.ok(err)
	w.svc.Provider = lax{w.who}
	code := p.code()
	_, err = w.svc.Code(t.Context(), first.Attempt, code, home)
	w.ok(err)
	_, err = w.svc.Code(t.Context(), second.Attempt, code, home)
	w.refused(err, "code-refused")
	_, err = w.svc.Code(t.Context(), first.Attempt, p.code(), home)
	w.refused(err, "attempt-expired") // the attempt was used
}

func TestAnAttemptEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	step, err := w.svc.SignIn(t.Context(), text(p.email), secret.New(p.password), home)
	w.ok(err)
	w.clk.Advance(15*time.Minute + time.Second)
	_, err = w.svc.Code(t.Context(), step.Attempt, p.code(), home)
	w.refused(err, "attempt-expired")
}

func TestWhereNothingCanBeCountedNobodyIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.founder("ann@example.com")
	down := errors.New("the table is down")
	w.svc.DB = failing{w.db, down}
	w.who.Hook = func(op, _ string) (bool, error) { t.Error("the provider was asked"); return true, nil }
	_, err := w.svc.SignIn(t.Context(), text("ann@example.com"), secret.New(phrase), home)
	if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

func TestManyRefusedTriesBlockTheirNetworkAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.founder("ann@example.com")
	bot := account.Origin{Address: "198.51.100.9", Agent: "bot"}
	n := 0
	for ; n < 10_000 && w.list.Admit(t.Context(), bot.Address) == nil; n++ {
		_, err := w.svc.SignIn(t.Context(), text(fmt.Sprintf("user%d@example.com", n)), secret.New(phrase2), bot)
		w.refused(err, "sign-in-refused")
		w.clk.Advance(31 * time.Second) // the list is read that often
	}
	if n != 30 {
		t.Errorf("turned away after %d tries", n)
	}
	if err := w.list.Admit(t.Context(), home.Address); err != nil {
		t.Errorf("another address: %v", err)
	}
	w.clk.Advance(time.Hour)
	if err := w.list.Admit(t.Context(), bot.Address); err != nil {
		t.Errorf("after an hour: %v", err)
	}
}

func TestARecoveryCodeReplacesTheAuthenticatorOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	if len(p.recovery) != 10 {
		t.Fatalf("%d recovery codes", len(p.recovery))
	}
	step, err := w.svc.SignIn(ctx, text(p.email), secret.New(p.password), home)
	w.ok(err)
	_, err = w.svc.Recover(ctx, step.Attempt, secret.New("aaaa-bbbb-cccc-dddd"), secret.New(p.password), home)
	w.refused(err, "code-refused")
	old := p.cookie
	in, err := w.svc.Recover(ctx, step.Attempt, secret.New(strings.ToUpper(strings.ReplaceAll(p.recovery[3].Reveal(), "-", " "))), secret.New(p.password), home)
	w.ok(err)
	if in.Enrolled {
		t.Error("a recovery code gave a whole session")
	}
	if _, _, err := w.svc.Sessions.Resume(ctx, old); err == nil {
		t.Error("the sessions from before go on")
	}
	if _, body, _ := w.letter(); !strings.Contains(body, "recovery code") {
		t.Errorf("the mail says %q", body)
	}
	before := p.recovery
	p.enrol() // another authenticator
	step, err = w.svc.SignIn(ctx, text(p.email), secret.New(p.password), home)
	w.ok(err)
	// The codes of the authenticator before went with it.
	_, err = w.svc.Recover(ctx, step.Attempt, before[4], secret.New(p.password), home)
	w.refused(err, "code-refused")
	_, err = w.svc.Recover(ctx, step.Attempt, p.recovery[4], secret.New(p.password), home)
	w.ok(err)
}

// TestARecoveryThatWasCutOffIsHealedByANewPassword: the provider forgot the user and
// did not get to know them again.
func TestARecoveryThatWasCutOffIsHealedByANewPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.founder("ann@example.com")
	step, err := w.svc.SignIn(ctx, text(p.email), secret.New(p.password), home)
	w.ok(err)
	w.who.Hook = func(op, _ string) (bool, error) {
		if op == "create" {
			return false, errors.New("cut off")
		}
		return true, nil
	}
	if _, err := w.svc.Recover(ctx, step.Attempt, p.recovery[0], secret.New(p.password), home); err == nil {
		t.Fatal("it was not cut off")
	}
	w.who.Hook = nil
	_, err = w.svc.SignIn(ctx, text(p.email), secret.New(p.password), home)
	w.refused(err, "sign-in-refused")
	w.ok(w.svc.ForgotPassword(ctx, text(p.email)))
	_, _, ticket := w.letter()
	w.ok(w.svc.ResetPassword(ctx, ticket, secret.New(phrase2)))
	p.password = phrase2
	p.enrol()
}

func TestNewRecoveryCodesReplaceTheOldOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	fresh, err := w.svc.RecoveryCodes(t.Context(), p.principal())
	w.ok(err)
	step, err := w.svc.SignIn(t.Context(), text(p.email), secret.New(p.password), home)
	w.ok(err)
	_, err = w.svc.Recover(t.Context(), step.Attempt, p.recovery[0], secret.New(p.password), home)
	w.refused(err, "code-refused")
	_, err = w.svc.Recover(t.Context(), step.Attempt, fresh[9], secret.New(p.password), home)
	w.ok(err)
}

func TestAStepUpGivesTheSessionAnotherSecretAndARecentCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	w.clk.Advance(time.Hour)
	_, err := w.svc.StepUp(t.Context(), p.principal(), secret.New(phrase2), p.code(), home)
	w.refused(err, "password-refused")
	before := p.cookie
	in, err := w.svc.StepUp(t.Context(), p.principal(), secret.New(p.password), p.code(), home)
	w.ok(err)
	if _, _, err := w.svc.Sessions.Resume(t.Context(), before); err == nil {
		t.Error("the secret from before works")
	}
	p.cookie = in.Cookie
	if who := p.principal(); !who.MFAAt.Equal(w.clk.Now()) {
		t.Errorf("the code was checked at %s", who.MFAAt)
	}
}

func TestTheAuthenticatorIsShownAsTextAndPicture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	_, err := w.svc.Enrol(t.Context(), p.principal(), secret.New(p.password), home)
	w.refused(err, "authenticator-exists")
	w.ok(w.svc.RemoveAuthenticator(t.Context(), p.principal(), secret.New(p.password), p.code(), home))
	a, err := w.svc.Enrol(t.Context(), p.principal(), secret.New(p.password), home)
	w.ok(err)
	if !strings.HasPrefix(a.URI.Reveal(), "otpauth://totp/Price%20Manager:ann@example.com?secret="+a.Secret.Reveal()) {
		t.Errorf("the URI is %s", a.URI.Reveal())
	}
	if svg := a.QR.Reveal(); !strings.HasPrefix(svg, "<svg ") || strings.Contains(svg, "style") || strings.Contains(svg, "script") || strings.Contains(svg, a.Secret.Reveal()) {
		t.Errorf("the picture is %.80s", svg)
	}
	if strings.Contains(w.dump(), a.Secret.Reveal()) {
		t.Error("the key rests with us")
	}
	code, err := totp.Code(a.Secret, w.clk.Now())
	w.ok(err)
	if _, codes, err := w.svc.ConfirmEnrolment(t.Context(), p.principal(), code, home); err != nil || len(codes) != 10 {
		t.Errorf("%d codes, %v", len(codes), err)
	}
}

// TestTenThousandStolenPasswordsComeToNothing: a list of ten thousand addresses and
// passwords is tried within an hour from fifty network addresses. Among them are a
// member, with passwords that are not theirs.
func TestTenThousandStolenPasswordsComeToNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.founder("ann@example.com")
	var told bytes.Buffer
	w.svc.Metrics = metrics.New(&told, w.clk, "account", "test")
	asked, turnedAway := 0, 0
	w.who.Hook = func(op, _ string) (bool, error) {
		asked++
		return true, nil
	}
	for i := range 10_000 {
		w.clk.Advance(360 * time.Millisecond)
		from := account.Origin{Address: fmt.Sprintf("198.51.100.%d", i%50), Agent: "bot"}
		if w.list.Admit(t.Context(), from.Address) != nil {
			turnedAway++
			continue
		}
		email := fmt.Sprintf("user%d@example.com", i)
		if i%100 == 0 {
			email = p.email
		}
		if _, err := w.svc.SignIn(t.Context(), text(email), secret.New(fmt.Sprintf("Stolen %d Password!", i)), from); err == nil {
			t.Fatal("a stolen password let somebody in")
		}
	}
	// Each network address gets 30 tries, and the half minute until it is known as bad.
	if turnedAway < 7_000 || asked > 3_000 {
		t.Errorf("%d tries were turned away, the provider was asked %d times", turnedAway, asked)
	}
	if n := strings.Count(told.String(), `"SignInRefused":1`); n != asked {
		t.Errorf("the alarm's metric counts %d of %d", n, asked)
	}
	refused := 0
	for _, typ := range w.events(p.Tenant) {
		if typ == "signin.refused" {
			refused++
		}
	}
	if refused < 5 || refused > 12 {
		t.Errorf("the member's ledger was told of %d", refused)
	}
	w.who.Hook = nil
	w.clk.Advance(time.Hour)
	p.signIn(home) // and the member comes in
}
