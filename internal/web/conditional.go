package web

import (
	"strconv"
	"strings"

	"pricemanager/internal/fault"
)

const (
	maxTag            = 64  // bytes of a version in an ETag: a SHA-256 in hexadecimal
	maxIdempotencyKey = 200 // bytes
)

// Tagged names the version of what the answer shows, as its ETag: printable and
// without quotes. A change is then asked for with If-Match.
func (r *Response) Tagged(version string) *Response { return r.With("ETag", `"`+version+`"`) }

// IfMatch is the version that the request is about: what the caller saw before
// deciding. Exactly one has to be named, a strong one.
func (r *Request) IfMatch() (version string, err error) {
	values := r.Header.Values("If-Match")
	if len(values) == 1 {
		tag, opened := strings.CutPrefix(values[0], `"`)
		tag, closed := strings.CutSuffix(tag, `"`)
		if opened && closed && len(tag) <= maxTag && printable(tag) && !strings.Contains(tag, `"`) {
			return tag, nil
		}
	}
	return "", fault.New(fault.Invalid, "if-match", "Send the ETag of what you saw as the header If-Match, so that nobody's change is lost.")
}

// IfMatchNumber is IfMatch where versions are numbers. What is none is no version
// of it: the same Conflict, of type moved, that an outdated one is.
func (r *Request) IfMatchNumber(moved string) (int64, error) {
	tag, err := r.IfMatch()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Conflict, moved, "If-Match is not an ETag of this. Read it again, and decide anew.").Because(err)
	}
	return n, nil
}

// IdempotencyKey is what tells a repeated request from a new one.
func (r *Request) IdempotencyKey() (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxIdempotencyKey || !printable(values[0]) {
		return "", fault.New(fault.Invalid, "idempotency-key",
			"Send one Idempotency-Key header of 1 to %d characters of ASCII, and the same one when you repeat the request.", maxIdempotencyKey)
	}
	return values[0], nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
