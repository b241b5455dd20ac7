package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

func manyKeys(n int) []store.Key {
	keys := make([]store.Key, n)
	for i := range keys {
		keys[i] = store.Key{PK: "p", SK: fmt.Sprintf("%05d", i)}
	}
	return keys
}

func answer(asked []map[string]types.AttributeValue, served int) *dynamodb.BatchGetItemOutput {
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{offers: asked[:served]}}
	if served < len(asked) {
		out.UnprocessedKeys = map[string]types.KeysAndAttributes{offers: {Keys: asked[served:]}}
	}
	return out
}

func TestABatchGoesOnUntilEverythingIsRead(t *testing.T) {
	t.Parallel()
	keys := manyKeys(2750)
	// The first answer to anything brings nothing, and each one after it a half.
	var mu sync.Mutex
	refused := map[string]bool{}
	s := &script{batch: func(_ int, asked []map[string]types.AttributeValue) *dynamodb.BatchGetItemOutput {
		if len(asked) > 100 {
			t.Errorf("asked for %d keys at once", len(asked))
		}
		first := asked[0]["sk"].(*types.AttributeValueMemberS).Value
		mu.Lock()
		defer mu.Unlock()
		if !refused[first] {
			refused[first] = true
			return answer(asked, 0)
		}
		return answer(asked, (len(asked)+1)/2)
	}}
	db, clk := open(s)
	items, err := db.BatchGet(t.Context(), seller, store.Offers, append(keys, keys[:500]...))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[store.Key]bool{}
	for _, it := range items {
		seen[it.Key] = true
	}
	if len(items) != len(keys) || len(seen) != len(keys) {
		t.Errorf("read %d items, %d of them different, want %d", len(items), len(seen), len(keys))
	}
	if !clk.Now().After(epoch) {
		t.Error("what was left over was asked for again without a pause")
	}
}

func TestABatchThatGetsNothingIsThrottled(t *testing.T) {
	t.Parallel()
	s := &script{batch: func(_ int, asked []map[string]types.AttributeValue) *dynamodb.BatchGetItemOutput {
		return answer(asked, 0)
	}}
	db, clk := open(s)
	if _, err := db.BatchGet(t.Context(), seller, store.Offers, []store.Key{k}); !errors.Is(err, store.ErrThrottled) || s.calls != 5 {
		t.Errorf("error is %v after %d calls, want ErrThrottled after 5", err, s.calls)
	}
	if waited := clk.Now().Sub(epoch); waited != 300*time.Millisecond {
		t.Errorf("waited %s, want 20, 40, 80 and 160 ms", waited)
	}
}

// gate answers when as many calls are under way as there can be.
type gate struct {
	dynamo.API
	need int

	mu         sync.Mutex
	open, most int
	full       chan struct{}
	fails      int // the call that fails, by number; 0 for none
	calls      int
}

var errGate = errors.New("gate: this one fails")

func (g *gate) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	g.mu.Lock()
	g.calls++
	n := g.calls
	g.open++
	g.most = max(g.most, g.open)
	if g.open == g.need {
		close(g.full)
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open--
	}()
	select {
	case <-g.full:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if n == g.fails {
		return nil, errGate
	}
	if g.fails != 0 { // ends only because another one failed
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return answer(in.RequestItems[offers].Keys, len(in.RequestItems[offers].Keys)), nil
}

func TestALargeBatchReadsTenCallsAtATime(t *testing.T) {
	t.Parallel()
	// Calls that came one after another would wait for each other until the test's
	// own limit.
	g := &gate{need: 10, full: make(chan struct{})}
	items, err := dynamo.New(g, names).BatchGet(t.Context(), seller, store.Offers, manyKeys(1000))
	if err != nil || len(items) != 1000 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	if g.most != 10 {
		t.Errorf("%d calls at a time, want 10", g.most)
	}
}

func TestOneFailedCallFailsTheBatchAndEndsTheOthers(t *testing.T) {
	t.Parallel()
	g := &gate{need: 10, full: make(chan struct{}), fails: 3}
	if _, err := dynamo.New(g, names).BatchGet(t.Context(), seller, store.Offers, manyKeys(5000)); !errors.Is(err, errGate) {
		t.Errorf("error is %v, want the failed call's", err)
	}
	if g.open != 0 || g.calls > 20 {
		t.Errorf("%d calls of 50 were made and %d are still open", g.calls, g.open)
	}
}
