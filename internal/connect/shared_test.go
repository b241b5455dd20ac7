package connect_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// slowLWA takes a second for each refresh and counts them.
type slowLWA struct {
	amazon.LWA // nothing else is called

	calls atomic.Int64
	fail  atomic.Bool
}

func (l *slowLWA) Refresh(ctx context.Context, _ amazon.Credentials, _ secret.Value) (amazon.Grant, error) {
	n := l.calls.Add(1)
	if err := (clock.Real{}).Sleep(ctx, time.Second); err != nil {
		return amazon.Grant{}, err
	}
	if l.fail.Load() {
		return amazon.Grant{}, &amazon.Error{Op: "lwa.refresh", Status: 503}
	}
	return amazon.Grant{Token: amazon.Token{Access: secret.New(fmt.Sprint("Atza|", n)), Expires: time.Now().Add(time.Hour)}}, nil
}

const sharedConn = "conn_aaaaaaaaaaaaaaaaaaaaaaaaaa"

// fleet are broker instances, each with a memory of its own, and one table.
type fleet struct {
	db      *memory.DB
	lwa     *slowLWA
	vault   *vault.Vault
	brokers []*connect.Broker
}

// newFleet is for use within a bubble of synctest, where time is simulated.
func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{db: memory.New(clock.Real{}), lwa: &slowLWA{}, vault: &vault.Vault{}}
	for name, s := range map[string]string{lwaKey: `{"client_id":"a","client_secret":"b"}`, prefix + "t_alpha1/" + sharedConn + "/1": "Atzr|x", prefix + "t_alpha1/" + sharedConn + "/2": "Atzr|y"} {
		if err := f.vault.Put(t.Context(), name, secret.New(s)); err != nil {
			t.Fatal(err)
		}
	}
	kms := memkms.New(rand.Reader)
	for range n {
		f.brokers = append(f.brokers, connect.NewBroker(connect.BrokerOptions{
			Vault: f.vault, Static: secret.NewCached(f.vault, clock.Real{}, time.Hour), LWAKey: lwaKey, Prefix: prefix, LWA: f.lwa,
			Clock: clock.Real{}, Random: rand.Reader,
			Shared: &connect.Shared{DB: f.db, Sealer: envelope.New(kms, f.db, clock.Real{}), Clock: clock.Real{}},
		}))
	}
	return f
}

// all has every instance asked four times at once.
func (f *fleet) all(t *testing.T, grant int64) {
	t.Helper()
	var wg sync.WaitGroup
	for _, b := range f.brokers {
		for range 4 {
			wg.Go(func() {
				if got, err := b.Access(t.Context(), accountOf(alpha, sharedConn, grant)); err != nil || got.Access.Empty() {
					t.Errorf("access: %v", err)
				}
			})
		}
	}
	wg.Wait()
}

func TestAllInstancesOfTheBrokerAskAmazonOnceAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 5)
		for hour := int64(1); hour <= 6; hour++ {
			for range 3 {
				f.all(t, 1)
			}
			if n := f.lwa.calls.Load(); n != hour {
				t.Fatalf("%d calls to Login with Amazon after %d hours", n, hour)
			}
			time.Sleep(time.Hour) // of the bubble: simulated
		}
		f.all(t, 2)
		if n := f.lwa.calls.Load(); n != 7 {
			t.Errorf("%d calls: a new authorisation needs one of its own", n)
		}
	})
}

func TestAnInstanceThatDiesOrFailsDoesNotKeepTheOthersFromTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		// The write that would give the token to the others, and the lease back, is
		// never made: as when the instance has died.
		var died atomic.Bool
		f.db.Hook = func(op memory.Op) (bool, error) {
			if u := op.Writes[0].Update; u != nil && u.Set["sealed"] != nil && died.CompareAndSwap(false, true) {
				return false, errors.New("dead")
			}
			return true, nil
		}
		begun := time.Now()
		f.all(t, 1)
		if n, took := f.lwa.calls.Load(), time.Since(begun); n != 2 || took < 5*time.Second || took > 7*time.Second {
			t.Errorf("%d calls in %s: want another one when the lease is over", n, took)
		}
		f = newFleet(t, 3)
		f.lwa.fail.Store(true)
		if _, err := f.brokers[0].Access(t.Context(), accountOf(alpha, sharedConn, 1)); err == nil {
			t.Error("no error")
		}
		f.lwa.fail.Store(false)
		begun = time.Now()
		f.all(t, 1)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the lease of a failed refresh was waited for: %s", took)
		}
		f = newFleet(t, 2)
		f.db.Hook = func(memory.Op) (bool, error) { return false, errors.New("down") }
		f.all(t, 1)
	})
}

func TestASharedTokenIsSealedAndGoesWithItsAuthorisation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.all(t, 1)
		count := func() (items int, dump string) {
			f.db.Each(func(_ tenant.ID, table store.Table, it store.Item) bool {
				if table == store.Connections {
					items++
					dump += fmt.Sprintf("%v %s", it, it.Bytes("sealed"))
				}
				return true
			})
			return items, dump
		}
		if n, dump := count(); n != 1 || strings.Contains(dump, "Atza|") {
			t.Errorf("%d items: %s", n, dump)
		}
		for range 2 {
			if err := f.brokers[0].Discard(t.Context(), alpha, sharedConn, 1); err != nil {
				t.Fatal(err)
			}
		}
		if n, dump := count(); n != 0 {
			t.Errorf("left: %s", dump)
		}
	})
}
