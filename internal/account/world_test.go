package account_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	mailmem "pricemanager/internal/mail/memory"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	signmem "pricemanager/internal/signin/memory"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	phrase  = "Vineyard copper-lantern 41"
	phrase2 = "Harbour violet-mandolin 77"
)

var home = account.Origin{Address: "203.0.113.7", Agent: "Firefox on a desk"}

// thief is another place.
var thief = account.Origin{Address: "198.51.100.1", Agent: "Chrome"}

// world is the service over everything in memory.
type world struct {
	*testing.T
	clk   *clock.Manual
	db    *memory.DB
	mail  *mailmem.Sender
	who   *signmem.Provider
	svc   *account.Service
	read  int // mails that were read
	list  *edge.List
	mu    sync.Mutex
	trace []string // calls of the stores, the index and the provider, without what they are about
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &world{T: t, clk: clk, db: memory.New(clk), mail: &mailmem.Sender{}, who: &signmem.Provider{Clock: clk, Rand: rand.Reader}}
	sealer := envelope.New(memkms.New(rand.Reader), w.db, clk)
	db := traced{w.db, w.note}
	index := func(_ context.Context, kind, value string) (string, error) {
		w.note("index " + kind)
		message, err := envelope.IndexMessage(kind, value) // with KMS's limits
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(message)
		return envelope.IndexText(sum[:])
	}
	w.svc = &account.Service{
		DB: db, Seal: sealer, Clock: clk, Random: rand.Reader, Provider: w.who, Mail: w.mail, Log: slog.New(slog.DiscardHandler), URL: "https://pm.example",
		Members:  &identity.Members{DB: db, Seal: sealer, Index: index, Clock: clk},
		Sessions: &identity.Sessions{DB: w.db, Clock: clk, Random: rand.Reader},
		Tenants:  identity.NewTenants(w.db, sealer, clk),
	}
	hashes := func(_ context.Context, s string) ([]string, error) {
		h, err := index(t.Context(), "hash", s)
		return []string{h}, err
	}
	w.list = edge.New(w.db, hashes, clk, w.svc.Log)
	w.svc.Misuse = limit.NewMisuse(db, hashes, w.list, limit.Rule{Name: "sign-in", Reports: 30, Within: time.Hour, Block: time.Hour, Reason: "refused sign-ins"}, clk, nil)
	return w
}

func text(s string) personal.Sensitive[string] { return personal.New(s) }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused fails the test unless the error is a fault of the problem type.
func (w *world) refused(err error, typ string) {
	w.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Type != typ {
		w.Errorf("got %v, want the problem %q", err, typ)
	}
}

var ticketForm = regexp.MustCompile(`ticket=(\S+)`)

// letter returns the mail that came next, to whom it went, and the ticket in it.
func (w *world) letter() (to, body string, ticket secret.Value) {
	w.Helper()
	sent := w.mail.Sent()
	if len(sent) <= w.read {
		w.Fatal("no mail came")
	}
	m := sent[w.read]
	w.read++
	if found := ticketForm.FindStringSubmatch(m.Body.Reveal()); found != nil {
		ticket = secret.New(found[1])
	}
	return m.To.Reveal(), m.Subject + "\n" + m.Body.Reveal(), ticket
}

// unread is how many mails were not looked at.
func (w *world) unread() int { return len(w.mail.Sent()) - w.read }

// person is a member with an authenticator.
type person struct {
	account.Joined
	w        *world
	email    string
	password string
	key      secret.Value
	recovery []secret.Value
	cookie   secret.Value
}

// founder signs up and sets up an authenticator.
func (w *world) founder(email string) *person {
	w.Helper()
	w.ok(w.svc.SignUp(w.Context(), text(email), text("Ann Founder"), text("Company of "+email)))
	_, _, ticket := w.letter()
	j, err := w.svc.CompleteSignUp(w.Context(), ticket, secret.New(phrase))
	w.ok(err)
	p := &person{Joined: j, w: w, email: email, password: phrase}
	p.enrol()
	return p
}

func (p *person) enrol() {
	p.w.Helper()
	w := p.w
	step, err := w.svc.SignIn(w.Context(), text(p.email), secret.New(p.password), home)
	w.ok(err)
	if step.Needs != "enrolment" {
		w.Fatalf("a member without an authenticator needs %q", step.Needs)
	}
	p.cookie = step.Session.Cookie
	a, err := w.svc.Enrol(w.Context(), p.principal(), secret.New(p.password), home)
	w.ok(err)
	p.key = a.Secret
	in, codes, err := w.svc.ConfirmEnrolment(w.Context(), p.principal(), p.code(), home)
	w.ok(err)
	p.cookie, p.recovery = in.Cookie, codes
	w.read = len(w.mail.Sent())
}

// principal is whom the person's cookie stands for.
func (p *person) principal() identity.Principal {
	p.w.Helper()
	who, _, err := p.w.svc.Sessions.Resume(p.w.Context(), p.cookie)
	p.w.ok(err)
	return who
}

// code is a code that was not used yet.
func (p *person) code() string {
	p.w.clk.Advance(totp.Period)
	code, err := totp.Code(p.key, p.w.clk.Now())
	p.w.ok(err)
	return code
}

// signIn goes all the way.
func (p *person) signIn(from account.Origin) secret.Value {
	p.w.Helper()
	step, err := p.w.svc.SignIn(p.w.Context(), text(p.email), secret.New(p.password), from)
	p.w.ok(err)
	in, err := p.w.svc.Code(p.w.Context(), step.Attempt, p.code(), from)
	p.w.ok(err)
	return in.Cookie
}

func (p *person) sessions() int {
	p.w.Helper()
	all, err := p.w.svc.Sessions.List(p.w.Context(), p.Tenant, p.Member)
	p.w.ok(err)
	return len(all)
}

// events are the types of what the ledger is told of the tenant by the outbox.
func (w *world) events(t tenant.ID) (types []string) {
	for _, r := range w.db.Records(store.Identity, "") {
		if r.Tenant != t {
			continue
		}
		for _, e := range ledger.OutboxEvents(r) {
			types = append(types, string(e.Type))
		}
	}
	return types
}

// dump is everything in the tables, as text.
func (w *world) dump() string {
	var b strings.Builder
	w.db.Each(func(t tenant.ID, table store.Table, it store.Item) bool {
		b.WriteString(string(t) + string(table) + it.PK + it.SK)
		for name, v := range it.Attrs {
			b.WriteString(name + "=")
			switch v := v.(type) {
			case []byte:
				b.Write(v)
			case string:
				b.WriteString(v)
			}
		}
		return true
	})
	return b.String()
}

// traced notes what is asked of the tables.
type traced struct {
	store.DB
	note func(string)
}

func (d traced) Get(ctx context.Context, t tenant.ID, table store.Table, key store.Key) (store.Item, error) {
	d.note("get " + string(table))
	return d.DB.Get(ctx, t, table, key)
}

func (d traced) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (store.Page, error) {
	d.note("query " + string(table))
	return d.DB.Query(ctx, t, table, q)
}

func (d traced) Put(ctx context.Context, t tenant.ID, table store.Table, item store.Item, conds ...store.Cond) error {
	d.note("put " + string(table))
	return d.DB.Put(ctx, t, table, item, conds...)
}

func (d traced) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (store.Item, error) {
	d.note("update " + string(table))
	return d.DB.Update(ctx, t, table, key, u)
}

func (d traced) Delete(ctx context.Context, t tenant.ID, table store.Table, key store.Key, conds ...store.Cond) error {
	d.note("delete " + string(table))
	return d.DB.Delete(ctx, t, table, key, conds...)
}

func (d traced) Transact(ctx context.Context, writes ...store.Write) error {
	d.note(fmt.Sprintf("transact %d", len(writes)))
	return d.DB.Transact(ctx, writes...)
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, what)
}

// traceOf is what f asks for.
func (w *world) traceOf(f func()) string {
	w.trace = nil
	f()
	return strings.Join(w.trace, ", ")
}
