package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/infra/local/stack"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/web"
)

// signedIn puts an owner into the stack's tenant and signs them in, and returns the
// header of their session. They have no password, so no guess of the fuzzer ends
// them.
func signedIn(ctx context.Context, s *stack.Stack) (header string, err error) {
	db := dynamo.New(dynamodb.NewFromConfig(s.Config()), map[store.Table]string{store.Identity: s.Outputs["IdentityTableName"]})
	id, err := identity.NewMemberID(func(b []byte) error { _, err := rand.Read(b); return err })
	if err != nil {
		return "", err
	}
	// Nobody looks this address up, so it may be found under any key.
	index, err := memkms.NewIndex(rand.Reader)
	if err != nil {
		return "", err
	}
	members := identity.Members{DB: db, Seal: s.Sealer(), Index: index.Of, Clock: clock.Real{}}
	err = members.Join(ctx, s.Tenant, "apifuzz", identity.NewMember{
		ID: id, Role: identity.Owner, Name: personal.New("Olive"), Email: personal.New("olive@example.com"),
	})
	if err != nil {
		return "", fmt.Errorf("an owner: %w", err)
	}
	if err := members.SetEnrolled(ctx, s.Tenant, id, true); err != nil {
		return "", fmt.Errorf("an owner: %w", err)
	}
	sessions := identity.Sessions{DB: db, Clock: clock.Real{}, Random: rand.Reader}
	session, err := sessions.NewSessionID()
	if err != nil {
		return "", err
	}
	cookie, err := sessions.Begin(ctx, s.Tenant, session, identity.Start{Member: id, Enrolled: true, Life: time.Hour})
	if err != nil {
		return "", fmt.Errorf("an owner's session: %w", err)
	}
	return "Cookie: " + web.SessionCookie + "=" + cookie.Reveal(), nil
}
