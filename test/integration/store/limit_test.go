package store_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/identity"
	"pricemanager/internal/limit"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

func TestLimitsAreExactOnTheLocalAWS(t *testing.T) {
	t.Parallel()
	limitsAreExact(t, cloudConfig(t))
}

func TestLimitsAreExactOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	limitsAreExact(t, dynamoLocalConfig(t))
}

// limitsAreExact has several instances, with clients of their own, count at once.
// Time is the test's: however slow the machine is, it is one minute.
func limitsAreExact(t *testing.T, cfg aws.Config) {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	names := tables(t, dynamodb.NewFromConfig(cfg), "limits")
	hashes := func(_ context.Context, text string) ([]string, error) { return []string{"of " + text}, nil }
	log := slog.New(slog.DiscardHandler)
	var instances []*limit.Limits
	for range 5 {
		db := dynamo.New(dynamodb.NewFromConfig(cfg), names)
		l, err := limit.New(patient{db}, hashes, edge.New(db, hashes, clk, log), limit.Quotas{Caller: 60}, clk, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		instances = append(instances, l)
	}
	const address = "198.51.100.7"
	machine := identity.Principal{Tenant: "t_alpha001", KeyID: "k1"}
	round := func() (addresses, keys int64) {
		var a, k atomic.Int64
		var all sync.WaitGroup
		for _, l := range instances {
			for range 3 {
				all.Go(func() {
					for range 10 {
						got, err := l.Address(t.Context(), address)
						if err != nil {
							t.Error(err)
						}
						if got.Wait == 0 {
							a.Add(1)
						}
						both, err := l.Caller(t.Context(), machine)
						if err != nil {
							t.Error(err)
						} else if both[0].Wait == 0 {
							k.Add(1)
						}
					}
				})
			}
		}
		all.Wait()
		return a.Load(), k.Load()
	}
	for minute := range 2 {
		if a, k := round(); a != 100 || k != 60 {
			t.Errorf("minute %d: %d of an address pass and %d of a key, want 100 and 60", minute, a, k)
		}
		clk.Advance(time.Minute)
	}
}

// patient waits for a slow server as long as the test runs: that limits do not is
// their own tests' matter.
type patient struct{ store.DB }

func (p patient) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (store.Item, error) {
	return p.DB.Update(context.WithoutCancel(ctx), t, table, key, u)
}
