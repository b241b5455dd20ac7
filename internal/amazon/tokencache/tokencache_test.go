package tokencache_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/amazon/tokencache"
	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func account(grant int64) amazon.Account {
	return amazon.Account{Tenant: "t_alpha1", Connection: "conn_a", Grant: grant}
}

type source struct {
	now   *clock.Manual
	calls atomic.Int64
	err   error
}

func (s *source) fetch(context.Context, amazon.Account) (amazon.Token, error) {
	n := s.calls.Add(1)
	return amazon.Token{Access: secret.New(strconv.FormatInt(n, 10)), Expires: s.now.Now().Add(time.Hour)}, s.err
}

func get(t *testing.T, c *tokencache.Cache, a amazon.Account, want string) {
	t.Helper()
	got, err := c.Get(t.Context(), a)
	if err != nil || got.Access.Reveal() != want {
		t.Fatalf("token %q, %v; want %q", got.Access.Reveal(), err, want)
	}
}

func TestATokenIsReplacedBetweenOneAndTwoMinutesBeforeItExpires(t *testing.T) {
	t.Parallel()
	s := &source{now: clock.NewManual(start)}
	c := tokencache.New(s.now, rand.Reader, time.Minute, s.fetch)
	get(t, c, account(1), "1")
	s.now.Advance(58 * time.Minute)
	get(t, c, account(1), "1")
	s.now.Advance(time.Minute)
	get(t, c, account(1), "2")
}

func TestANewAuthorisationNeverGetsATokenOfTheOldOne(t *testing.T) {
	t.Parallel()
	s := &source{now: clock.NewManual(start)}
	c := tokencache.New(s.now, rand.Reader, time.Minute, s.fetch)
	get(t, c, account(1), "1")
	get(t, c, account(2), "2")
	get(t, c, account(2), "2")
	other := account(2)
	other.Tenant = "t_beta22"
	get(t, c, other, "3")
}

func TestAFailedFetchIsNotKept(t *testing.T) {
	t.Parallel()
	s := &source{now: clock.NewManual(start), err: errors.New("down")}
	c := tokencache.New(s.now, rand.Reader, time.Minute, s.fetch)
	if _, err := c.Get(t.Context(), account(1)); !errors.Is(err, s.err) {
		t.Fatalf("got %v", err)
	}
	s.err = nil
	get(t, c, account(1), "2")
}

func TestCallersThatWaitTogetherShareOneFetchAndMayLeave(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(start)
	inside, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	c := tokencache.New(now, rand.Reader, time.Minute, func(ctx context.Context, _ amazon.Account) (amazon.Token, error) {
		if calls.Add(1) == 1 {
			close(inside)
		}
		<-release
		return amazon.Token{Access: secret.New("x"), Expires: start.Add(time.Hour)}, ctx.Err()
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := c.Get(ctx, account(1))
		left <- err
	}()
	<-inside
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that left got %v", err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { get(t, c, account(1), "x") })
	}
	close(release)
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}
