package store_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

// wire loses what it is told to, once.
type wire struct {
	loss  atomic.Int32
	calls atomic.Int32
}

const (
	answer  = iota + 1 // the connection ends after the server has acted
	failure            // the server acts and then answers 500
	request            // there is no connection to begin with
)

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.calls.Add(1)
	loss := w.loss.Swap(0)
	if loss == request {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil || loss == 0 {
		return res, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if loss == answer {
		return nil, io.ErrUnexpectedEOF
	}
	res.StatusCode, res.Body, res.Header = http.StatusInternalServerError, http.NoBody, http.Header{}
	return res, nil
}

// TestALostAnswerIsNeverReportedAsAConflict lets the answer to the first attempt
// of each kind of write get lost. The SDK asks again, and meets its own effect.
func TestALostAnswerIsNeverReportedAsAConflict(t *testing.T) {
	t.Parallel()
	cfg := cloudConfig(t)
	line := &wire{}
	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		o.HTTPClient = awshttp.Wrap(line)
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
	db := dynamo.New(client, tables(t, client, "lost"))
	const id = tenant.ID("t_lostanswer")
	ctx, k := t.Context(), func(sk string) store.Key { return store.Key{PK: "p", SK: sk} }
	fresh := func(sk string) store.Item {
		return store.Item{Key: k(sk), Attrs: map[string]any{"v": int64(1)}}
	}
	is := func(sk string, want int64) {
		t.Helper()
		it, err := db.Get(ctx, id, store.Offers, k(sk))
		if want == 0 && errors.Is(err, store.ErrNotFound) {
			return
		}
		if err != nil || it.Int("v") != want {
			t.Errorf("%s is %v, %v; want %d", sk, it.Attrs, err, want)
		}
	}
	losing := func(what int32, call func() error) (calls int32, err error) {
		line.calls.Store(0)
		line.loss.Store(what)
		err = call()
		return line.calls.Load(), err
	}
	unknown := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrThrottled) {
			t.Errorf("%s: error is %v, want one that leaves the outcome open", what, err)
		}
	}

	calls, err := losing(answer, func() error { return db.Put(ctx, id, store.Offers, fresh("put"), store.Absent()) })
	if unknown("conditional put", err); calls != 2 {
		t.Errorf("the put was tried %d times, want 2", calls)
	}
	is("put", 1)

	_, err = losing(answer, func() error { return db.Put(ctx, id, store.Offers, fresh("plain")) })
	if err != nil {
		t.Errorf("an unconditional put may simply be repeated: %v", err)
	}
	is("plain", 1)

	_, err = losing(answer, func() error {
		_, err := db.Update(ctx, id, store.Offers, k("put"), store.Update{
			Set: map[string]any{"v": int64(2)}, If: []store.Cond{store.Eq("v", int64(1))},
		})
		return err
	})
	unknown("conditional update", err)
	is("put", 2)

	calls, err = losing(answer, func() error {
		_, err := db.Update(ctx, id, store.Offers, k("put"), store.Update{Add: map[string]int64{"v": 10}})
		return err
	})
	if unknown("add", err); calls != 1 {
		t.Errorf("the add was tried %d times, want once", calls)
	}
	is("put", 12) // and not 22

	_, err = losing(answer, func() error { return db.Delete(ctx, id, store.Offers, k("put"), store.Exists()) })
	unknown("conditional delete", err)
	is("put", 0)

	calls, err = losing(answer, func() error {
		return db.Transact(ctx, store.Write{Tenant: id, Table: store.Offers, Key: k("sum"), Update: &store.Update{
			Add: map[string]int64{"v": 1}, If: []store.Cond{store.Absent()},
		}})
	})
	if err != nil || calls != 2 {
		t.Errorf("a transaction knows its own repetition: %v after %d calls", err, calls)
	}
	is("sum", 1)

	calls, err = losing(failure, func() error { return db.Put(ctx, id, store.Offers, fresh("500"), store.Absent()) })
	if unknown("put answered by 500", err); calls != 2 {
		t.Errorf("the put was tried %d times, want 2", calls)
	}
	is("500", 1)

	// Where the first attempt cannot have done anything, a conflict is one.
	calls, err = losing(request, func() error { return db.Put(ctx, id, store.Offers, fresh("plain"), store.Absent()) })
	if !errors.Is(err, store.ErrConflict) || calls != 2 {
		t.Errorf("error is %v after %d calls, want ErrConflict after 2", err, calls)
	}
	calls, err = losing(request, func() error {
		_, err := db.Update(ctx, id, store.Offers, k("plain"), store.Update{Add: map[string]int64{"v": 10}})
		return err
	})
	if err != nil || calls != 2 {
		t.Errorf("an add that never left is not repeated: %v after %d calls", err, calls)
	}
	is("plain", 11)

	_, err = losing(answer, func() error { _, err := db.Get(ctx, id, store.Offers, k("plain")); return err })
	if err != nil {
		t.Errorf("a read may simply be repeated: %v", err)
	}
}
