package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const why = "the import is stuck since noon"

func TestAnOperatorLooksByAGrantAndNotALittleLonger(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	g := p.grants()
	_, _, err := g.Enter(t.Context(), alpha, p.sessions, "olga", "")
	wantKind(t, err, fault.Forbidden)
	given, err := g.Give(t.Context(), alpha, "member:boss", why, 90*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = g.Enter(t.Context(), beta, p.sessions, "olga", given.ID)
	wantKind(t, err, fault.Forbidden)
	_, _, err = g.Enter(t.Context(), alpha, p.sessions, "Olga the Great", given.ID)
	wantKind(t, err, fault.Invalid)

	first, cookie, err := g.Enter(t.Context(), alpha, p.sessions, "olga", "")
	if err != nil || !first.Expires.Equal(p.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v, %v", first, err)
	}
	who, _ := p.resume(t, cookie)
	if who.Actor != "operator:olga" || !who.May(identity.OffersRead) || who.May(identity.PlansWrite) || who.May(identity.MembersRead) || who.May(identity.SupportWrite) {
		t.Errorf("%+v", who)
	}
	p.clock.Advance(time.Hour)
	p.refused(t, "after an hour", cookie)
	second, cookie, err := g.Enter(t.Context(), alpha, p.sessions, "olga", given.ID)
	if err != nil || !second.Expires.Equal(given.Until) {
		t.Fatalf("%+v ends not with the grant, at %s: %v", second, given.Until, err)
	}
	p.clock.Advance(30*time.Minute - time.Second)
	p.resume(t, cookie)
	p.clock.Advance(time.Second)
	p.refused(t, "after the grant", cookie)
	_, _, err = g.Enter(t.Context(), alpha, p.sessions, "olga", given.ID)
	wantKind(t, err, fault.Forbidden)

	list, err := g.List(t.Context(), alpha)
	if err != nil || len(list) != 1 || list[0].Entries != 2 || list[0].Reason != why || list[0].LastEntry.IsZero() {
		t.Errorf("the tenant sees %+v, %v", list, err)
	}
	if list, err = g.List(t.Context(), beta); err != nil || len(list) != 0 {
		t.Errorf("another tenant sees %+v, %v", list, err)
	}
}

// meanwhile has something happen before each transaction.
type meanwhile struct {
	store.DB
	do func() error
}

func (m meanwhile) Transact(ctx context.Context, writes ...store.Write) error {
	if err := m.do(); err != nil {
		return err
	}
	return m.DB.Transact(ctx, writes...)
}

// unread has no grant be read.
type unread struct{ store.DB }

func (u unread) Get(ctx context.Context, t tenant.ID, table store.Table, k store.Key) (store.Item, error) {
	if k.PK == "support" {
		return store.Item{}, errors.New("the table is down")
	}
	return u.DB.Get(ctx, t, table, k)
}

func TestARevokedGrantEndsItsSessionsWithTheNextRequest(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	g := p.grants()
	given, err := g.Give(t.Context(), alpha, "member:boss", why, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, cookie, err := g.Enter(t.Context(), alpha, p.sessions, "olga", "")
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, g.Revoke(t.Context(), beta, "member:eve", given.ID), fault.NotFound)
	p.resume(t, cookie)
	// Between an operator's look at the grant and their session.
	late := *p.sessions
	late.DB = meanwhile{p.db, func() error { return g.Revoke(t.Context(), alpha, "member:boss", given.ID) }}
	_, _, err = g.Enter(t.Context(), alpha, &late, "olga", given.ID)
	wantKind(t, err, fault.Forbidden)
	p.refused(t, "revoked", cookie)
	wantKind(t, g.Revoke(t.Context(), alpha, "member:boss", "aaaaaaaaaaaaaaaa"), fault.NotFound)
	wantKind(t, g.Revoke(t.Context(), alpha, "member:boss", "no id"), fault.NotFound)
}

func TestInAnEmergencyNobodyLooksBeforeTheTenantWasTold(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	g := p.grants()
	seized, err := g.Seize(t.Context(), alpha, "olga", why)
	if err != nil || seized.By != "operator:olga" || !seized.Until.Equal(p.clock.Now().Add(identity.OperatorLife)) {
		t.Fatalf("%+v, %v", seized, err)
	}
	_, _, err = g.Enter(t.Context(), alpha, p.sessions, "olga", seized.ID)
	wantKind(t, err, fault.Forbidden)
	if err := g.Told(t.Context(), beta, seized.ID); err == nil {
		t.Error("told of another tenant's")
	}
	if err := g.Told(t.Context(), alpha, seized.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err = g.Enter(t.Context(), alpha, p.sessions, "olga", seized.ID); err != nil {
		t.Error(err)
	}
}

func TestAGrantNeedsAReasonAndAnEnd(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	for _, reason := range []string{"", "   fault   ", "two\nlines of it", strings.Repeat("x", 501), "\xff not a text at all"} {
		_, err := p.grants().Give(t.Context(), alpha, "member:boss", reason, time.Hour)
		wantKind(t, err, fault.Invalid)
	}
	for _, life := range []time.Duration{0, -time.Hour, time.Hour - 1, identity.LongestGrant + 1} {
		_, err := p.grants().Give(t.Context(), alpha, "member:boss", why, life)
		wantKind(t, err, fault.Invalid)
	}
	if _, err := p.sessions.Begin(t.Context(), alpha, "aaaaaaaaaaaaaaaa", identity.Start{Operator: "olga", Enrolled: true}); err == nil {
		t.Error("an operator is in without a grant")
	}
}

func TestAnOperatorEndsTheirOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, member, cookie := p.signIn(t, alpha, identity.Viewer, "ann")
	op, theirs := p.begin(t, alpha, identity.Start{Operator: "olga", Enrolled: true})
	for _, c := range []struct{ operator, id string }{{"olga", member}, {"", member}, {"jo", op}, {"olga", "none"}} {
		wantKind(t, p.grants().Leave(t.Context(), alpha, p.sessions, c.operator, c.id), fault.NotFound)
	}
	wantKind(t, p.grants().Leave(t.Context(), beta, p.sessions, "olga", op), fault.NotFound)
	p.resume(t, cookie)
	if err := p.grants().Leave(t.Context(), alpha, p.sessions, "olga", op); err != nil {
		t.Fatal(err)
	}
	p.refused(t, "left", theirs)
}

func TestAGrantThatCannotBeReadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, cookie := p.begin(t, alpha, identity.Start{Operator: "olga", Enrolled: true})
	p.sessions.DB = unread{p.db}
	_, _, err := p.sessions.Resume(t.Context(), cookie)
	wantKind(t, err, fault.Unavailable)
}
