package dynamo

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/store"
)

// The codes that DynamoDB gives for one write of a cancelled transaction.
const (
	reasonCondition  = "ConditionalCheckFailed"
	reasonConflict   = "TransactionConflict"
	reasonThroughput = "ProvisionedThroughputExceeded"
	reasonThrottling = "ThrottlingError"
	reasonInvalid    = "ValidationError"
)

// failure puts the SDK's errors into the words of package store.
func failure(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded":
			return fmt.Errorf("%w: %w", store.ErrThrottled, err)
		case "ValidationException":
			return fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
	}
	return fmt.Errorf("dynamo: %w", err)
}

// busy reports that a write was turned away only because another was under way
// on the same item, or for load in the midst of a transaction: nothing was
// written, and the SDK has not repeated it.
func busy(err error) bool {
	var one *types.TransactionConflictException
	if errors.As(err, &one) {
		return true
	}
	has := reasons(err)
	return (has[reasonConflict] || has[reasonThroughput] || has[reasonThrottling]) &&
		!has[reasonCondition] && !has[reasonInvalid]
}

func reasons(err error) map[string]bool {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return nil
	}
	has := map[string]bool{}
	for _, r := range c.CancellationReasons {
		if r.Code != nil {
			has[*r.Code] = true
		}
	}
	return has
}

// conflict is the failure of a write of its own.
func conflict(w store.Write, err error) error {
	var c *types.ConditionalCheckFailedException
	if !errors.As(err, &c) {
		return failure(err)
	}
	return conflictError(w, 0, c.Item)
}

// cancelled is the failure of a transaction that is not worth repeating.
func cancelled(writes []store.Write, err error) error {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return failure(err)
	}
	for i, r := range c.CancellationReasons {
		if r.Code != nil && *r.Code == reasonCondition && i < len(writes) {
			return conflictError(writes[i], i, r.Item)
		}
	}
	if reasons(err)[reasonInvalid] {
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return failure(err)
}

func conflictError(w store.Write, i int, raw map[string]types.AttributeValue) error {
	e := &store.ConflictError{Table: w.Table, Write: i}
	if len(raw) > 0 {
		// An item that cannot be read is left out: the conflict is certain anyhow.
		if it, err := decode(w.Tenant, raw); err == nil {
			e.Current = &it
		}
	}
	return e
}
