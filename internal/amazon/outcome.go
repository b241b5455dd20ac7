package amazon

import (
	"errors"
	"net/http"
	"strconv"
)

// Outcome says what a failed call means for the work behind it.
type Outcome string

// The outcomes: a closed set. Every failure is exactly one of them.
const (
	Permanent   Outcome = "permanent"    // will never work: the change is rejected with Amazon's text
	Retry       Outcome = "retry"        // certainly no effect: send again after a back-off
	RetryAfter  Outcome = "retry-after"  // throttled: the whole lane waits, then sends again
	Reauthorise Outcome = "re-authorise" // the seller must connect again; the lane is parked
	Operator    Outcome = "operator"     // our own set-up is broken; every lane is parked and a person is paged
	Unknown     Outcome = "unknown"      // may have taken effect: read back before sending again
)

// rule is one line of the table; the first line that fits decides. Zero values
// fit anything.
type rule struct {
	status  int
	code    string
	reached *bool
	outcome Outcome
}

var yes, no = true, false

// The table. LWA codes are OAuth 2.0 errors (RFC 6749, section 5.2).
var rules = []rule{
	{code: CodeNotSent, outcome: Permanent},
	{code: "invalid_grant", outcome: Reauthorise},
	{code: "access_denied", outcome: Reauthorise},
	{code: "invalid_request", outcome: Operator},
	{code: "server_error", outcome: Retry},
	{code: "temporarily_unavailable", outcome: Retry},
	{code: "invalid_client", outcome: Operator},
	{code: "unauthorized_client", outcome: Operator},
	{code: "invalid_scope", outcome: Operator},
	{code: "unsupported_grant_type", outcome: Operator},
	{code: "QuotaExceeded", outcome: RetryAfter},
	{status: http.StatusTooManyRequests, outcome: RetryAfter},
	{status: http.StatusUnauthorized, outcome: Reauthorise},
	{status: http.StatusForbidden, outcome: Reauthorise},
	{status: http.StatusRequestTimeout, outcome: Unknown},
	{status: http.StatusBadRequest, outcome: Permanent},
	{status: http.StatusNotFound, outcome: Permanent},
	{status: http.StatusConflict, outcome: Retry},
	{status: http.StatusRequestEntityTooLarge, outcome: Permanent},
	{status: http.StatusUnsupportedMediaType, outcome: Permanent},
	{status: http.StatusServiceUnavailable, reached: &no, outcome: Retry},
	{reached: &no, outcome: Retry},
	{reached: &yes, outcome: Unknown},
}

// Classify returns the outcome of a failed call. An error that is not an *Error
// is Unknown: nothing is known about whether the request left.
func Classify(err error) Outcome {
	var e *Error
	if !errors.As(err, &e) {
		return Unknown
	}
	for _, r := range rules {
		if (r.status == 0 || r.status == e.Status) && (r.code == "" || r.code == e.Code) &&
			(r.reached == nil || *r.reached == e.Reached) {
			return r.outcome
		}
	}
	return Unknown
}

func statusText(status int) string {
	return strconv.Itoa(status) + " " + http.StatusText(status)
}
