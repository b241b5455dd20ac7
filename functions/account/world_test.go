package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	mailmem "pricemanager/internal/mail/memory"
	"pricemanager/internal/personal"
	"pricemanager/internal/runtime"
	"pricemanager/internal/secret"
	signmem "pricemanager/internal/signin/memory"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/replay"
)

const (
	phrase  = "Vineyard copper-lantern 41"
	phrase2 = "Harbour violet-mandolin 77"
)

// peppers is a vault with one secret.
type peppers struct{}

func (peppers) Get(context.Context, string) (secret.Value, error) {
	return secret.New(strings.Repeat("p", 64)), nil
}

// world is the function over everything in memory. What callers were given in it, and
// so have in the recorded events, is in names.
type world struct {
	t       *testing.T
	clk     *clock.Manual
	db      *memory.DB
	queue   *memory.Queue
	mail    *mailmem.Sender
	who     *signmem.Provider
	h       *handler
	serve   replay.Handler
	read    int // mails that were read
	sent    int // before the case
	kms     *memkms.KMS
	company tenant.ID
	// foreign is the session of the owner of the strangers' company.
	foreign  secret.Value
	stranger tenant.ID
	names    map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &world{t: t, clk: clk, db: memory.New(clk), queue: memory.NewQueue(clk), mail: &mailmem.Sender{}, who: &signmem.Provider{Clock: clk}, names: map[string]string{}}
	kms := memkms.New(rand.NewChaCha8([32]byte{99}))
	w.kms = kms
	index := func(_ context.Context, kind, value string) (string, error) {
		b, err := envelope.IndexMessage(kind, value)
		if err != nil {
			return "", err
		}
		mac := sha256.Sum256(b)
		return envelope.IndexText(mac[:])
	}
	cfg := config{}
	cfg.Public.URL = "https://pm.example"
	var err error
	w.h, err = newHandler(deps{
		app: &runtime.App{Log: replay.Log(t), Clock: clk}, cfg: cfg, db: w.db, queue: w.queue, sealer: envelope.New(kms, w.db, clk),
		index: index, provider: w.who, mail: w.mail, secrets: peppers{}, random: rand.NewChaCha8([32]byte{}),
	})
	w.ok(err)
	w.serve = w.h.events().Handle
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func text(s string) personal.Sensitive[string] { return personal.New(s) }

// stage has what comes next made of randomness of its own, so that names stay what they
// are when something is changed before it. Mails from before are not read any more.
func (w *world) stage(n byte) {
	w.read = len(w.mail.Sent())
	r := rand.NewChaCha8([32]byte{n})
	w.h.accounts.Random, w.h.accounts.Sessions.Random, w.who.Rand = r, r, r
}

var ticketForm = regexp.MustCompile(`ticket=(\S+)`)

// ticket is the one in the mail that came next.
func (w *world) ticket() secret.Value {
	w.t.Helper()
	for sent := w.mail.Sent(); w.read < len(sent); {
		m := sent[w.read]
		w.read++
		if found := ticketForm.FindStringSubmatch(m.Body.Reveal()); found != nil {
			return secret.New(found[1])
		}
	}
	w.t.Fatal("no mail with a ticket")
	return secret.Value{}
}

var desk = account.Origin{Address: "203.0.113.7", Agent: "curl/8.5.0"}

// signIn begins to sign in.
func (w *world) signIn(email string) account.Step {
	w.t.Helper()
	step, err := w.h.accounts.SignIn(w.t.Context(), text(email), secret.New(phrase), desk)
	w.ok(err)
	return step
}

func (w *world) principal(cookie secret.Value) identity.Principal {
	w.t.Helper()
	p, _, err := w.h.accounts.Sessions.Resume(w.t.Context(), cookie)
	w.ok(err)
	return p
}

// enrol sets up an authenticator in the session and returns its key and the recovery
// codes.
func (w *world) enrol(cookie secret.Value) (key secret.Value, codes []secret.Value, next secret.Value) {
	w.t.Helper()
	a, err := w.h.accounts.Enrol(w.t.Context(), w.principal(cookie), secret.New(phrase), desk)
	w.ok(err)
	in, codes, err := w.h.accounts.ConfirmEnrolment(w.t.Context(), w.principal(cookie), w.code(a.Secret), desk)
	w.ok(err)
	return a.Secret, codes, in.Cookie
}

// code is a code that was not used yet.
func (w *world) code(key secret.Value) string {
	w.t.Helper()
	w.clk.Advance(totp.Period)
	code, err := totp.Code(key, w.clk.Now())
	w.ok(err)
	return code
}

// found makes a company and its owner, and, when that is so old, an authenticator and a
// session.
func (w *world) found(n byte, email string, age time.Duration) (j account.Joined, key secret.Value, codes []secret.Value, cookie secret.Value) {
	w.t.Helper()
	ctx := w.t.Context()
	w.stage(n)
	w.ok(w.h.accounts.SignUp(ctx, text(email), text("Ann"), text("Lantern Trading")))
	j, err := w.h.accounts.CompleteSignUp(ctx, w.ticket(), secret.New(phrase))
	w.ok(err)
	w.clk.Advance(age)
	w.stage(n + 1)
	key, codes, cookie = w.enrol(w.signIn(email).Session.Cookie)
	return j, key, codes, cookie
}

// join makes a viewer of the company.
func (w *world) join(n byte, t tenant.ID, email string) account.Joined {
	w.t.Helper()
	w.stage(n)
	_, err := w.h.accounts.Invite(w.t.Context(), t, "member:someone", text(email), text("Member"), identity.Viewer)
	w.ok(err)
	j, err := w.h.accounts.Accept(w.t.Context(), w.ticket(), secret.New(phrase), text(""))
	w.ok(err)
	return j
}

// recordedWorld has the company Lantern Trading with its owner ann, who is signed in
// twice, bob, who is not, dan, who has no authenticator, eve, who is setting one up, and
// an invitation to cid; and a company of strangers.
func recordedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	ctx, a := t.Context(), w.h.accounts
	name := func(what, is string) { w.names[what] = is }

	ann, key, codes, cookie := w.found(10, "ann@example.com", 25*time.Hour) // her password may be changed
	w.stage(1)
	w.ok(a.SignUp(ctx, text("new@example.com"), text("New"), text("New Ltd")))
	name("ticket-sign-up", w.ticket().Reveal())
	w.company = ann.Tenant
	bob := w.join(20, ann.Tenant, "bob@example.com")
	name("member-bob", bob.Member)
	name("member-ann", ann.Member)
	w.join(22, ann.Tenant, "dan@example.com")
	w.stage(23)
	name("cookie-unenrolled", w.signIn("dan@example.com").Session.Cookie.Reveal())
	w.join(24, ann.Tenant, "eve@example.com")
	w.stage(25)
	enrolling := w.signIn("eve@example.com").Session.Cookie
	e, err := a.Enrol(ctx, w.principal(enrolling), secret.New(phrase), desk)
	w.ok(err)
	name("cookie-enrolling", enrolling.Reveal())
	w.stage(26)
	i, err := a.Invite(ctx, ann.Tenant, "member:"+ann.Member, text("cid@example.com"), text("Cid"), identity.Editor)
	w.ok(err)
	name("invitation", i.ID)
	name("ticket-invitation", w.ticket().Reveal())
	w.stage(27)
	w.ok(a.ForgotPassword(ctx, text("bob@example.com")))
	name("ticket-reset", w.ticket().Reveal())
	w.stage(28)
	second, err := a.Code(ctx, w.signIn("ann@example.com").Attempt, w.code(key), account.Origin{Address: "198.51.100.7", Agent: "phone"})
	w.ok(err)
	name("session-other", w.principal(second.Cookie).Session)
	name("ticket-not-me", w.ticket().Reveal())
	w.stage(29)
	w.ok(a.ChangeAddress(ctx, w.principal(cookie), text("ann@new.example")))
	name("ticket-new-address", w.ticket().Reveal())
	w.stage(30)
	name("attempt", w.signIn("ann@example.com").Attempt.Reveal())
	name("recovery-code", codes[0].Reveal())

	stranger, _, _, theirs := w.found(40, "eva@strangers.example", 0)
	w.stranger, w.foreign = stranger.Tenant, theirs
	name("member-foreign", stranger.Member)
	name("session-foreign", w.principal(theirs).Session)
	w.stage(42)
	f, err := a.Invite(ctx, stranger.Tenant, "member:"+stranger.Member, text("fay@example.com"), text("Fay"), identity.Viewer)
	w.ok(err)
	name("invitation-foreign", f.ID)
	for i, of := range []tenant.ID{ann.Tenant, stranger.Tenant} {
		keys := identity.NewKeys(w.db, identity.PeppersFrom(peppers{}, ""), w.clk, rand.NewChaCha8([32]byte{byte(50 + i)})).Sealing(a.Seal)
		k, text, err := keys.Make(ctx, of, "member:someone", identity.NewKey{Name: "till", Scopes: []identity.Scope{identity.OffersRead}, From: []string{"192.0.2.0/24"}})
		w.ok(err)
		name([]string{"key", "key-foreign"}[i], k.ID)
		name([]string{"api-key", "api-key-foreign"}[i], text.Reveal())
	}
	for i, of := range []tenant.ID{ann.Tenant, stranger.Tenant} {
		w.stage(byte(70 + i))
		g, err := a.Grants().Give(ctx, of, "member:someone", "the import is stuck since noon", 24*time.Hour)
		w.ok(err)
		name([]string{"grant", "grant-foreign"}[i], g.ID)
	}
	v, err := a.Enter(ctx, ann.Tenant, "olga", "")
	w.ok(err)
	name("session-operator", v.Session.ID)
	review, err := w.h.reviews().Of(ctx, ann.Tenant)
	w.ok(err)
	name("digest", review.Digest)
	name("tenant", string(ann.Tenant))
	w.stage(60)
	name("code", w.code(key))
	first, err := totp.Code(e.Secret, w.clk.Now())
	w.ok(err)
	name("code-first", first)
	name("cookie", cookie.Reveal())
	return w
}

// recordedNames are what the events name.
//
//go:embed testdata/names.json
var recordedNames []byte

// TestTheEventsNameWhatIsThere: the seeds give the names that events/account has.
func TestTheEventsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	w := recordedWorld(t)
	var want map[string]string
	w.ok(json.Unmarshal(recordedNames, &want))
	if !maps.Equal(w.names, want) {
		for _, n := range slices.Sorted(maps.Keys(w.names)) {
			if w.names[n] != want[n] {
				t.Errorf("%s is %s now, the events say %s: put it into testdata/names.json and events/account", n, w.names[n], want[n])
			}
		}
	}
}

// member returns a member of the recorded company.
func (w *world) member(t *testing.T, id string) identity.Member {
	t.Helper()
	m, err := w.h.accounts.Members.Get(t.Context(), w.company, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	return m
}
