package tokencache_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	c := tokencache.New(s.now, rand.Reader, time.Minute, 0, s.fetch)
	get(t, c, account(1), "1")
	s.now.Advance(58 * time.Minute)
	get(t, c, account(1), "1")
	s.now.Advance(time.Minute)
	get(t, c, account(1), "2")
}

func TestANewAuthorisationNeverGetsATokenOfTheOldOne(t *testing.T) {
	t.Parallel()
	s := &source{now: clock.NewManual(start)}
	c := tokencache.New(s.now, rand.Reader, time.Minute, 0, s.fetch)
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
	c := tokencache.New(s.now, rand.Reader, time.Minute, 0, s.fetch)
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
	c := tokencache.New(now, rand.Reader, time.Minute, 0, func(ctx context.Context, _ amazon.Account) (amazon.Token, error) {
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

// slow is a source whose answers wait until they are let go.
type slow struct {
	source
	asked int
	let   chan error
}

func (s *slow) fetch(ctx context.Context, a amazon.Account) (amazon.Token, error) {
	s.asked++
	if err := <-s.let; err != nil {
		return amazon.Token{}, err
	}
	return s.source.fetch(ctx, a)
}

// replaced runs a test in a bubble with a cache whose first token is there and
// about to be replaced: it is given up in one to two minutes.
func replaced(t *testing.T, test func(t *testing.T, s *slow, c *tokencache.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{source: source{now: clock.NewManual(start)}, let: make(chan error, 1)}
		c := tokencache.New(s.now, rand.Reader, time.Minute, 2*time.Minute, s.fetch)
		s.let <- nil
		get(t, c, account(1), "1")
		s.now.Advance(57 * time.Minute)
		test(t, s, c)
	})
}

// nobodyWaits has many callers ask at once, and fails if one of them has to wait.
func nobodyWaits(t *testing.T, c *tokencache.Cache, want string) {
	t.Helper()
	answered := 0
	for range 20 {
		go func() {
			if got, err := c.Get(t.Context(), account(1)); err != nil || got.Access.Reveal() != want {
				t.Errorf("token %q, %v; want %q", got.Access.Reveal(), err, want)
			}
			answered++
		}()
		synctest.Wait() // for the answer, or until the caller has to wait for something
	}
	if answered != 20 {
		t.Errorf("%d of 20 callers had to wait", 20-answered)
	}
}

func TestNobodyWaitsForANewTokenWhileTheOldOneWorks(t *testing.T) {
	t.Parallel()
	replaced(t, func(t *testing.T, s *slow, c *tokencache.Cache) {
		nobodyWaits(t, c, "1")
		if s.asked != 2 {
			t.Errorf("%d tokens were asked for, want the first and one more", s.asked)
		}
		s.let <- nil
		synctest.Wait()
		nobodyWaits(t, c, "2")
		if s.asked != 2 {
			t.Errorf("%d tokens were asked for, want two", s.asked)
		}
	})
}

func TestAFailedRenewalIsRepeatedAndTheOldTokenServesMeanwhile(t *testing.T) {
	t.Parallel()
	replaced(t, func(t *testing.T, s *slow, c *tokencache.Cache) {
		for n := range 3 {
			nobodyWaits(t, c, "1")
			s.let <- errors.New("down")
			synctest.Wait()
			nobodyWaits(t, c, "1")
			if s.asked != 2+n {
				t.Errorf("asked %d times, want once in fifteen seconds", s.asked-1)
			}
			s.now.Advance(15 * time.Second)
		}
		s.now.Advance(2 * time.Minute) // it is over now: whoever comes has to wait
		s.let <- nil
		get(t, c, account(1), "2")
	})
}
