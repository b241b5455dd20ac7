package cognito

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/signin"
)

// verdict is the error of a call in signin's words, as far as it means the same in
// every call. Of others the API's code is kept and the text left out.
func verdict(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case isA[*types.UserNotFoundException](err):
		return signin.ErrRefused
	case isA[*types.InvalidPasswordException](err), isA[*types.PasswordHistoryPolicyViolationException](err):
		return signin.ErrPassword
	case isA[*types.CodeMismatchException](err), isA[*types.ExpiredCodeException](err):
		// Expired is also a code that was used already.
		return signin.ErrCode
	case isA[*types.TooManyRequestsException](err), isA[*types.LimitExceededException](err), isA[*types.TooManyFailedAttemptsException](err):
		return signin.ErrBusy
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("signin: cognito: %s: %s", op, api.ErrorCode())
	}
	return fmt.Errorf("signin: cognito: %s: %w", op, err)
}

// unexpected is an answer that the pool as template.yaml sets it up does not give.
func unexpected(op, what string) error {
	return fmt.Errorf("signin: cognito: %s: the user pool answered with %q", op, what)
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
