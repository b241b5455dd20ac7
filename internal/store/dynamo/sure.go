package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"pricemanager/internal/store"
)

// sureness follows the attempts that the SDK makes at one write. When an answer
// is lost, the SDK asks again, and DynamoDB has no way to know that it is the
// same write: one that is conditional then fails against its own effect, and
// one that adds would add twice. (Connections die unanswered often enough: a
// Lambda function that was frozen comes back to stale ones.)
type sureness struct {
	repeatable bool // doing it twice is doing it once
	doubt      bool // an attempt ended without anyone knowing what it did
}

// watch puts s between one request and its retryer.
func (s *sureness) watch(o *dynamodb.Options) {
	if o.Retryer != nil {
		o.Retryer = &watcher{Retryer: o.Retryer, s: s}
	}
}

// judge turns the final error into one that is true in spite of doubt: none
// that promises that nothing was written.
func (s *sureness) judge(err error) error {
	if !s.doubt {
		return err
	}
	for _, sure := range []error{store.ErrConflict, store.ErrThrottled, store.ErrInvalid} {
		if errors.Is(err, sure) {
			return fmt.Errorf("dynamo: outcome unknown: an attempt got no answer, and the next one: %v", err) //nolint:errorlint // wrapped it would be the promise that this takes back
		}
	}
	return err
}

type watcher struct {
	aws.Retryer
	s *sureness
}

var _ aws.RetryerV2 = (*watcher)(nil)

func (w *watcher) IsErrorRetryable(err error) bool {
	if withoutEffect(err) {
		return w.Retryer.IsErrorRetryable(err)
	}
	w.s.doubt = true
	return w.s.repeatable && w.Retryer.IsErrorRetryable(err)
}

func (w *watcher) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if v2, ok := w.Retryer.(aws.RetryerV2); ok {
		return v2.GetAttemptToken(ctx)
	}
	return w.GetInitialToken(), nil
}

// withoutEffect reports that the request surely did nothing: DynamoDB refused
// it, or it never reached the wire. A 5xx may have written (DynamoDB's guide,
// "Error handling": read back before repeating).
func withoutEffect(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	var answer *smithyhttp.ResponseError // also wraps failures without an answer
	if !errors.As(err, &answer) || answer.Response == nil {
		return false
	}
	code := answer.HTTPStatusCode()
	return code >= 400 && code < 500
}
