package identity_test

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// people is a world with members and sessions.
type people struct {
	db       *memory.DB
	clock    *clock.Manual
	members  *identity.Members
	sessions *identity.Sessions
}

func newPeople(t testing.TB) *people {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	db := memory.New(clk)
	index, err := memkms.NewIndex(crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &people{
		db: db, clock: clk,
		members:  &identity.Members{DB: db, Seal: envelope.New(memkms.New(crand.Reader), db, clk), Index: index.Of, Clock: clk},
		sessions: &identity.Sessions{DB: db, Clock: clk, Random: crand.Reader},
	}
}

func newMember(t fataler, role identity.Role, name string) identity.NewMember {
	t.Helper()
	id, err := identity.NewMemberID(func(b []byte) error { _, err := crand.Read(b); return err })
	if err != nil {
		t.Fatal(err)
	}
	return identity.NewMember{ID: id, Role: role, Name: personal.New(name), Email: personal.New(name + "@example.com")}
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// join makes a member; their name makes their address.
func (p *people) join(t *testing.T, at tenant.ID, role identity.Role, name string) identity.Member {
	t.Helper()
	n := newMember(t, role, name)
	if err := p.members.Join(t.Context(), at, "member:boss", n); err != nil {
		t.Fatal(err)
	}
	m, err := p.members.Get(t.Context(), at, n.ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// grants are those of the world.
func (p *people) grants() *identity.Grants {
	return &identity.Grants{DB: p.db, Clock: p.clock, Random: crand.Reader}
}

// begin makes a session and returns its id and cookie; an operator's by a new grant,
// unless it names one.
func (p *people) begin(t *testing.T, at tenant.ID, s identity.Start) (id string, cookie secret.Value) {
	t.Helper()
	if s.Operator != "" && s.Grant == "" {
		g, err := p.grants().Give(t.Context(), at, "member:boss", "a fault to look into", 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s.Grant = g.ID
	}
	id, err := p.sessions.NewSessionID()
	if err != nil {
		t.Fatal(err)
	}
	cookie, err = p.sessions.Begin(t.Context(), at, id, s)
	if err != nil {
		t.Fatal(err)
	}
	return id, cookie
}

// signIn is a member with a session in which a code was checked.
func (p *people) signIn(t *testing.T, at tenant.ID, role identity.Role, name string) (m identity.Member, id string, cookie secret.Value) {
	t.Helper()
	m = p.join(t, at, role, name)
	id, cookie = p.begin(t, at, identity.Start{Member: m.ID, Enrolled: true})
	return m, id, cookie
}

// resume wants the cookie to be good and returns whose it is, and the next one.
func (p *people) resume(t *testing.T, cookie secret.Value) (identity.Principal, secret.Value) {
	t.Helper()
	who, next, err := p.sessions.Resume(t.Context(), cookie)
	if err != nil {
		t.Fatalf("the session is refused: %v", err)
	}
	return who, next
}

// refused wants the cookie to be good for nothing.
func (p *people) refused(t *testing.T, why string, cookie secret.Value) {
	t.Helper()
	who, next, err := p.sessions.Resume(t.Context(), cookie)
	if want := "unauthenticated: Sign in again."; shown(err) != want || fmt.Sprint(who) != fmt.Sprint(identity.Principal{}) || !next.Empty() {
		t.Errorf("%s: %v, %v, want %s", why, who, err, want)
	}
}

// shown is what a caller sees of an error.
func shown(err error) string {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return fmt.Sprint("no fault: ", err)
	}
	return string(f.Kind) + ": " + f.Public
}
