package identity_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
)

// One event for each thing that somebody did; none for being used and renewed, or for
// a session whose time has come.
func TestLedgerLearnsWhatBecomesOfMembersAndSessions(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	ctx := t.Context()
	var want []ledger.Event
	did := func(typ ledger.Type, actor, target, before, after string) {
		raw := func(s string) json.RawMessage {
			if s == "" {
				return nil
			}
			return json.RawMessage(s)
		}
		want = append(want, ledger.Event{Type: typ, At: p.clock.Now(), Actor: actor, Target: target, Before: raw(before), After: raw(after)})
		p.clock.Advance(time.Second)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	boss := p.join(t, alpha, identity.Owner, "boss")
	did(ledger.MemberJoined, "member:boss", "member:"+boss.ID, "", `{"role":"owner"}`)
	m := p.join(t, alpha, identity.Viewer, "ann")
	ann := "member:" + m.ID
	did(ledger.MemberJoined, "member:boss", ann, "", `{"role":"viewer"}`)
	id, _ := p.begin(t, alpha, identity.Start{Member: m.ID})
	did(ledger.SessionBegun, ann, "session:"+id, "", `{"enrolled":false,"expires":"2026-11-22T10:30:02Z"}`)
	must(p.members.SetEnrolled(ctx, alpha, m.ID, true))
	did(ledger.MemberEnrolled, ann, ann, "", "")
	cookie, err := p.sessions.Elevate(ctx, alpha, id)
	must(err)
	did(ledger.SessionElevated, ann, "session:"+id, "", "")
	p.clock.Advance(20 * time.Minute)
	_, next := p.resume(t, cookie)
	p.resume(t, next)
	_, err = p.sessions.Elevate(ctx, alpha, id)
	must(err)
	did(ledger.SessionElevated, ann, "session:"+id, "", "")
	must(p.members.SetRole(ctx, alpha, "member:boss", m.ID, identity.Approver, 2))
	did(ledger.MemberRoleChanged, "member:boss", ann, `{"role":"viewer"}`, `{"role":"approver"}`)
	must(p.members.SetRole(ctx, alpha, "member:boss", m.ID, identity.Approver, 3))
	must(p.members.SetEmail(ctx, alpha, ann, m.ID, personal.New("new@example.com")))
	did(ledger.MemberMailChanged, ann, ann, "", "")
	must(p.members.SetEnrolled(ctx, alpha, m.ID, false))
	did(ledger.MemberUnenrolled, ann, ann, "", "")
	must(p.members.SetEnrolled(ctx, alpha, m.ID, true))
	did(ledger.MemberEnrolled, ann, ann, "", "")
	for range 2 {
		must(p.sessions.End(ctx, alpha, "member:boss", "", id))
		if len(want) == 10 {
			did(ledger.SessionEnded, "member:boss", "session:"+id, "", "")
		}
	}
	must(p.members.Remove(ctx, alpha, "member:boss", m.ID, 6))
	did(ledger.MemberRemoved, "member:boss", ann, `{"role":"approver"}`, "")
	g, err := p.grants().Give(ctx, alpha, "member:boss", "the import is stuck", 24*time.Hour)
	must(err)
	did(ledger.SupportGranted, "member:boss", "support:"+g.ID, "", `{"emergency":false,"reason":"the import is stuck","until":"2026-11-23T09:50:12Z"}`)
	op, _, err := p.grants().Enter(ctx, alpha, p.sessions, "olga", "")
	must(err)
	did(ledger.SessionBegun, "operator:olga", "session:"+op.ID, "", `{"enrolled":true,"expires":"2026-11-22T10:50:13Z","grant":"`+g.ID+`"}`)
	for range 2 {
		must(p.grants().Leave(ctx, alpha, p.sessions, "olga", op.ID))
	}
	did(ledger.SessionEnded, "operator:olga", "session:"+op.ID, "", "")
	must(p.grants().Revoke(ctx, alpha, "member:boss", g.ID))
	did(ledger.SupportRevoked, "member:boss", "support:"+g.ID, "", "")
	must(p.grants().Revoke(ctx, alpha, "member:boss", g.ID))
	p.clock.Advance(60 * 24 * time.Hour)
	p.db.Expire()

	var got []ledger.Event
	for _, r := range p.db.Records(store.Identity, "") {
		got = append(got, identity.Events(r)...)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, e := range got {
		if !e.Type.Valid() {
			t.Errorf("the ledger does not know %s", e.Type)
		}
	}
}
