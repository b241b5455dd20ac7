package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

// What a server never does on request is scripted here: load, collisions, and
// half answers. What DynamoDB does with a request is for the conformance suite.

const (
	seller = tenant.ID("t_aaaaaa")
	offers = "pm-offers"
)

var (
	names = map[store.Table]string{store.Offers: offers}
	epoch = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	k     = store.Key{PK: "p", SK: "s"}
)

// script answers from functions; a call that has none panics.
type script struct {
	dynamo.API
	get      func(n int) (*dynamodb.GetItemOutput, error)
	batch    func(n int, keys []map[string]types.AttributeValue) *dynamodb.BatchGetItemOutput
	put      func(n int) error
	transact func(n int) error

	mu    sync.Mutex // of the counters: a batch makes several calls at a time
	calls int
	stale int // reads that were not strongly consistent
}

func (s *script) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return s.get(s.count(in.ConsistentRead))
}

func (s *script) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	n := s.count(in.RequestItems[offers].ConsistentRead)
	return s.batch(n, in.RequestItems[offers].Keys), nil
}

func (s *script) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	s.count(in.ConsistentRead)
	return &dynamodb.QueryOutput{}, nil
}

func (s *script) count(consistent *bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if !aws.ToBool(consistent) {
		s.stale++
	}
	return s.calls
}

func (s *script) PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	s.calls++
	return &dynamodb.PutItemOutput{}, s.put(s.calls)
}

func (s *script) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	s.calls++
	return &dynamodb.TransactWriteItemsOutput{}, s.transact(s.calls)
}

// open returns a DB on the script whose waits pass at once on the clock and
// whose jitter is always the whole wait.
func open(s *script) (*dynamo.DB, *clock.Manual) {
	clk := clock.NewManual(epoch)
	clk.AutoAdvance = true
	return dynamo.New(s, names, dynamo.WithClock(clk), dynamo.WithRandom(longest{})), clk
}

// longest is the jitter that is always the whole wait.
type longest struct{}

func (longest) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 255
	}
	return len(p), nil
}

func write(sk string) store.Write {
	return store.Write{Tenant: seller, Table: store.Offers, Put: &store.Item{Key: store.Key{PK: "p", SK: sk}}}
}

func cancelled(codes ...string) error {
	e := &types.TransactionCanceledException{}
	for _, c := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
	}
	return fmt.Errorf("operation error: %w", e)
}

func TestACollisionIsTriedAgainAndThenThrottled(t *testing.T) {
	t.Parallel()
	for what, busy := range map[string]error{
		"a transaction in the way of a write": &types.TransactionConflictException{},
		"a transaction in the way of another": cancelled("None", "TransactionConflict"),
		"load in a transaction":               cancelled("ThrottlingError"),
		"capacity in a transaction":           cancelled("ProvisionedThroughputExceeded", "TransactionConflict"),
	} {
		for _, failures := range []int{0, 1, 4, 5} {
			answer := func(n int) error {
				if n <= failures {
					return busy
				}
				return nil
			}
			s := &script{put: answer, transact: answer}
			db, clk := open(s)
			var err error
			if what == "a transaction in the way of a write" {
				err = db.Put(t.Context(), seller, store.Offers, store.Item{Key: k})
			} else {
				err = db.Transact(t.Context(), write("s"), write("s2"))
			}
			if failures < 5 && (err != nil || s.calls != failures+1) {
				t.Errorf("%s, %d times: %v after %d calls", what, failures, err, s.calls)
			}
			if failures == 5 && (!errors.Is(err, store.ErrThrottled) || s.calls != 5) {
				t.Errorf("%s, always: %v after %d calls, want ErrThrottled after 5", what, err, s.calls)
			}
			// 20 ms, doubled each time, and nothing after the last attempt.
			want := 20 * time.Millisecond * (1<<min(failures, 4) - 1)
			if waited := clk.Now().Sub(epoch); waited != want {
				t.Errorf("%s, %d times: waited %s, want %s", what, failures, waited, want)
			}
		}
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{transact: func(int) error { cancel(); return cancelled("TransactionConflict") }}
	db, _ := open(s)
	if err := db.Transact(ctx, write("s")); !errors.Is(err, context.Canceled) || s.calls != 1 {
		t.Errorf("error is %v after %d calls, want context.Canceled after one", err, s.calls)
	}
}

func TestAFailedConditionOutweighsACollision(t *testing.T) {
	t.Parallel()
	s := &script{transact: func(int) error {
		return cancelled("TransactionConflict", "None", "ConditionalCheckFailed", "ConditionalCheckFailed")
	}}
	db, _ := open(s)
	err := db.Transact(t.Context(), write("a"), write("b"), write("c"), write("d"))
	var c *store.ConflictError
	if !errors.As(err, &c) || c.Write != 2 || s.calls != 1 {
		t.Errorf("error is %v after %d calls, want a conflict at write 2 at once", err, s.calls)
	}
}

func TestErrorsGetTheWordsOfTheStore(t *testing.T) {
	t.Parallel()
	all := []error{store.ErrNotFound, store.ErrConflict, store.ErrThrottled, store.ErrInvalid}
	for what, c := range map[string]struct{ from, want error }{
		"capacity":  {&types.ProvisionedThroughputExceededException{}, store.ErrThrottled},
		"rate":      {&smithy.GenericAPIError{Code: "ThrottlingException"}, store.ErrThrottled},
		"account":   {&types.RequestLimitExceeded{}, store.ErrThrottled},
		"malformed": {&smithy.GenericAPIError{Code: "ValidationException"}, store.ErrInvalid},
		// None of these says that there is no such item, or that nothing happened.
		"no such table": {&types.ResourceNotFoundException{}, nil},
		"server error":  {&types.InternalServerError{}, nil},
		"in progress":   {&types.TransactionInProgressException{}, nil},
		"no permission": {&smithy.GenericAPIError{Code: "AccessDeniedException"}, nil},
		"no network":    {errors.New("connection reset by peer"), nil},
	} {
		s := &script{
			get: func(int) (*dynamodb.GetItemOutput, error) { return nil, c.from },
			put: func(int) error { return c.from }, transact: func(int) error { return c.from },
		}
		db, _ := open(s)
		_, getErr := db.Get(t.Context(), seller, store.Offers, k)
		for _, err := range []error{getErr, db.Put(t.Context(), seller, store.Offers, store.Item{Key: k}), db.Transact(t.Context(), write("s"))} {
			for _, sentinel := range all {
				if errors.Is(err, sentinel) != errors.Is(sentinel, c.want) || err == nil {
					t.Errorf("%s: error is %v, want %v", what, err, c.want)
				}
			}
			if c.want == nil && !errors.Is(err, c.from) {
				t.Errorf("%s: %v hides its cause", what, err)
			}
		}
		if s.calls != 3 {
			t.Errorf("%s: %d calls, want one each", what, s.calls)
		}
	}
}

// TestEveryReadIsConsistent looks at the requests, because a local server has no
// stale replica to betray a missing flag.
func TestEveryReadIsConsistent(t *testing.T) {
	t.Parallel()
	s := &script{
		get: func(int) (*dynamodb.GetItemOutput, error) { return &dynamodb.GetItemOutput{}, nil },
		batch: func(int, []map[string]types.AttributeValue) *dynamodb.BatchGetItemOutput {
			return &dynamodb.BatchGetItemOutput{}
		},
	}
	db, _ := open(s)
	_, _ = db.Get(t.Context(), seller, store.Offers, k)
	_, _ = db.BatchGet(t.Context(), seller, store.Offers, []store.Key{k})
	_, _ = db.Query(t.Context(), seller, store.Offers, store.Query{PK: "p"})
	if s.calls != 3 || s.stale != 0 {
		t.Errorf("%d of %d reads may be stale", s.stale, s.calls)
	}
}

func TestATableWithoutANameIsNotTouched(t *testing.T) {
	t.Parallel()
	db, _ := open(&script{}) // panics when called
	w := write("s")
	w.Table = store.Ledger
	_, getErr := db.Get(t.Context(), seller, store.Ledger, k)
	_, queryErr := db.Query(t.Context(), seller, store.Ledger, store.Query{PK: "p"})
	for _, err := range []error{getErr, queryErr, db.Delete(t.Context(), seller, store.Ledger, k), db.Transact(t.Context(), write("s"), w)} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("error is %v, want ErrInvalid", err)
		}
	}
}

// TestAnItemOfAnotherShapeIsAnError: whatever else writes into our tables must
// not reach the rooms as a half-read item, and never as another tenant's.
func TestAnItemOfAnotherShapeIsAnError(t *testing.T) {
	t.Parallel()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	for what, raw := range map[string]map[string]types.AttributeValue{
		"no key":         {"x": text("y")},
		"no sort key":    {"pk": text("t_aaaaaa#p")},
		"no tenant":      {"pk": text("p"), "sk": text("s")},
		"another tenant": {"pk": text("t_bbbbbb#p"), "sk": text("s")},
		"a fraction":     {"pk": text("t_aaaaaa#p"), "sk": text("s"), "n": &types.AttributeValueMemberN{Value: "1.5"}},
		"beyond int64":   {"pk": text("t_aaaaaa#p"), "sk": text("s"), "n": &types.AttributeValueMemberN{Value: "9223372036854775808"}},
		"a list":         {"pk": text("t_aaaaaa#p"), "sk": text("s"), "l": &types.AttributeValueMemberL{}},
	} {
		s := &script{get: func(int) (*dynamodb.GetItemOutput, error) { return &dynamodb.GetItemOutput{Item: raw}, nil }}
		db, _ := open(s)
		if it, err := db.Get(t.Context(), seller, store.Offers, k); err == nil {
			t.Errorf("%s: read as %v", what, it)
		}
	}
}
