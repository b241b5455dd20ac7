// Package storetest holds every backend of package store to the same behaviour:
// one suite for DB, one for Blobs, one for Queue, and a property test that
// compares any DB with a model so simple that it can be read at a glance.
//
// The suites may share one database with anything else: each test works in
// tenants of its own. They know nothing of the backend, so whatever they find
// is a promise of package store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Option changes how the DB suite runs.
type Option func(*suite)

// ModelChecks bounds how many random histories the model test plays, for
// backends that take milliseconds for each call. Without it rapid decides.
func ModelChecks(n int) Option { return func(s *suite) { s.modelChecks = n } }

// DB holds a backend to the promises of store.DB. open is called for each test
// and may return the same DB every time.
func DB(t *testing.T, open func(t *testing.T) store.DB, options ...Option) {
	for _, test := range []func(*suite){
		(*suite).valuesComeBackAsTheyWere, (*suite).putReplacesTheWholeItem,
		(*suite).updateChangesOnlyWhatItNames, (*suite).addCountsFromZero,
		(*suite).deleteLeavesNothing, (*suite).callersShareNoMemory,
		(*suite).batchGetFindsWhatExists, (*suite).cancelledCallsDoNothing,

		(*suite).conditionsDecideEveryWrite, (*suite).allConditionsMustHold,
		(*suite).conflictsShowTheItem,

		(*suite).queriesMatchAPlainFilter, (*suite).pagesJoinToTheWhole,
		(*suite).keysAreOrderedByTheirBytes, (*suite).bigItemsEndAPageEarly,

		(*suite).tenantsNeverMeet, (*suite).hostileKeysStayApart,

		(*suite).transactionsAreAllOrNothing, (*suite).transactionsReachTheirLimit,
		(*suite).transactionsDoEveryKindOfWrite,

		(*suite).oneWinnerPerVersion, (*suite).oneCreator, (*suite).noAddIsLost,
		(*suite).crossingTransactionsKeepTheSum,

		(*suite).malformedReadsAreRefused, (*suite).malformedWritesAreRefused,
		(*suite).malformedTransactionsAreRefused, (*suite).sizesAreLimited,

		(*suite).matchesTheModel,
	} {
		t.Run(name(test), func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, db: open(t), ctx: t.Context(), a: newTenant(), b: newTenant()}
			for _, o := range options {
				o(s)
			}
			test(s)
		})
	}
}

// suite is one test with two tenants of its own.
type suite struct {
	*testing.T
	db          store.DB
	ctx         context.Context //nolint:containedctx // of one test
	a, b        tenant.ID
	modelChecks int
}

var tenants atomic.Int64

// newTenant is a tenant that no other test of this process uses.
func newTenant() tenant.ID {
	return tenant.ID(fmt.Sprintf("t_test%06d", tenants.Add(1)))
}

// name is that of a method expression: the promise in camel case.
func name(f func(*suite)) string {
	full := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return strings.TrimSuffix(full[strings.LastIndex(full, ".")+1:], "-fm")
}

type attrs = map[string]any

func key(pk, sk string) store.Key { return store.Key{PK: pk, SK: sk} }

func item(pk, sk string, a attrs) store.Item { return store.Item{Key: key(pk, sk), Attrs: a} }

// ok ends the test unless the write went well.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v", err)
	}
}

func (s *suite) put(t tenant.ID, items ...store.Item) {
	s.Helper()
	for _, it := range items {
		s.ok(s.db.Put(s.ctx, t, store.Offers, it))
	}
}

// is compares an item of the Offers table with what it should be; nil attributes
// mean that there should be none.
func (s *suite) is(t tenant.ID, k store.Key, want attrs) {
	s.Helper()
	got, err := s.db.Get(s.ctx, t, store.Offers, k)
	if want == nil {
		if !errors.Is(err, store.ErrNotFound) {
			s.Fatalf("Get %v = %v, %v; want ErrNotFound", k, got, err)
		}
		return
	}
	s.ok(err)
	s.same(got, store.Item{Key: k, Attrs: want})
}

func (s *suite) same(got, want any) {
	s.Helper()
	if reflect.DeepEqual(got, want) {
		return // much faster than cmp on an item of 400 KB
	}
	if d := cmp.Diff(want, got); d != "" {
		s.Fatalf("not what it should be (-want +got):\n%s", d)
	}
}

func (s *suite) refused(what string, err error) {
	s.Helper()
	if !errors.Is(err, store.ErrInvalid) {
		s.Errorf("%s: error is %v, want ErrInvalid", what, err)
	}
}

// conflict returns the ConflictError in err.
func (s *suite) conflict(err error) *store.ConflictError {
	s.Helper()
	var c *store.ConflictError
	if !errors.Is(err, store.ErrConflict) || !errors.As(err, &c) {
		s.Fatalf("error is %v, want a ConflictError", err)
	}
	return c
}
