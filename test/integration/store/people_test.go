package store_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

func TestMembersAndSessionsOnTheLocalAWS(t *testing.T) {
	t.Parallel()
	membersAndSessions(t, cloudConfig(t))
}

func TestMembersAndSessionsOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	membersAndSessions(t, dynamoLocalConfig(t))
}

// membersAndSessions is what their promises want of a real table: which write of a
// transaction stood in the way, conditions on bytes and on what is missing.
func membersAndSessions(t *testing.T, cfg aws.Config) {
	t.Helper()
	client := dynamodb.NewFromConfig(cfg)
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	db := dynamo.New(client, tables(t, client, "people"))
	index, err := memkms.NewIndex(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	members := &identity.Members{DB: db, Seal: envelope.New(memkms.New(rand.Reader), db, clk), Index: index.Of, Clock: clk}
	sessions := &identity.Sessions{DB: db, Clock: clk, Random: rand.Reader}
	const here, there tenant.ID = "t_people00001", "t_people00002"
	join := func(at tenant.ID, role identity.Role, mail string) (string, error) {
		id, err := identity.NewMemberID(func(b []byte) error { _, err := rand.Read(b); return err })
		if err != nil {
			t.Fatal(err)
		}
		return id, members.Join(ctx, at, "operator", identity.NewMember{ID: id, Role: role, Name: personal.New("x"), Email: personal.New(mail)})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(err error, typ string) {
		t.Helper()
		var f *fault.Fault
		if !errors.As(err, &f) || f.Type != typ && string(f.Kind) != typ {
			t.Errorf("%v, want %s", err, typ)
		}
	}
	ann, err := join(here, identity.Owner, "ann@example.com")
	must(err)
	if _, err := join(there, identity.Owner, "ann@example.com"); !errors.Is(err, identity.ErrMailTaken) {
		t.Errorf("an address twice: %v", err)
	}
	is(members.Remove(ctx, here, "operator", ann, 1), "last-owner")
	is(members.SetRole(ctx, here, "operator", ann, identity.Viewer, 1), "last-owner")
	ben, err := join(here, identity.Viewer, "ben@example.com")
	must(err)
	must(members.SetRole(ctx, here, "operator", ben, identity.Owner, 1))
	is(members.SetRole(ctx, here, "operator", ben, identity.Viewer, 1), "member-moved")
	if err := members.SetEmail(ctx, here, "operator", ben, personal.New("ann@example.com")); !errors.Is(err, identity.ErrMailTaken) {
		t.Errorf("somebody else's address: %v", err)
	}
	must(members.SetEmail(ctx, here, "operator", ben, personal.New("new@example.com")))
	must(members.SetEnrolled(ctx, here, ben, true))
	must(members.SetEnrolled(ctx, here, ben, true))

	id, err := sessions.NewSessionID()
	must(err)
	first, err := sessions.Begin(ctx, here, id, identity.Start{Member: ben})
	must(err)
	resume := func(c secret.Value) secret.Value {
		t.Helper()
		who, next, err := sessions.Resume(ctx, c)
		if err != nil || who.Member != ben || who.Tenant != here {
			t.Fatalf("%+v, %v", who, err)
		}
		return next
	}
	clk.Advance(16 * time.Minute)
	second := resume(first)
	clk.Advance(2 * time.Minute)
	third := resume(first)
	_, _, err = sessions.Resume(ctx, second)
	is(err, "unauthenticated")
	resume(third)
	resume(first)
	last, err := sessions.Elevate(ctx, here, id)
	must(err)
	_, _, err = sessions.Resume(ctx, third)
	is(err, "unauthenticated")
	resume(last)
	list, err := sessions.List(ctx, here, ben)
	if err != nil || len(list) != 1 || list[0].ID != id || !list[0].Enrolled {
		t.Errorf("%+v, %v", list, err)
	}
	is(sessions.End(ctx, there, "operator", "", id), "not-found")
	must(members.Remove(ctx, here, "operator", ben, 4))
	_, _, err = sessions.Resume(ctx, last)
	is(err, "unauthenticated")
	must(sessions.End(ctx, here, "operator", "", id))
	must(sessions.End(ctx, here, "operator", "", id))
	if at, _, err := members.ByMail(ctx, "ann@example.com"); at != here || err != nil {
		t.Errorf("ann is at %s, %v", at, err)
	}
	_, _, err = members.ByMail(ctx, "new@example.com")
	is(err, "not-found")
}
