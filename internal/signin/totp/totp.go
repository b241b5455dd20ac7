// Package totp makes and checks the codes of authenticator apps: RFC 6238 with
// HMAC-SHA-1, steps of 30 seconds and six digits, which is what every app takes and
// what Cognito asks for.
//
// It keeps nothing: that a code works once is for the caller, to whom Match gives
// the step that a code belongs to. In production Cognito does the checking; this
// is for the backend in memory, for tests and for pmctl.
package totp

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 with SHA-1 is the only kind that every authenticator takes; HMAC-SHA-1 is not broken
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"pricemanager/internal/secret"
)

// Period is how long a code is shown; Digits is its length.
const (
	Period = 30 * time.Second
	Digits = 6
)

// KeyBytes is the length of a key in bytes: the output of SHA-1, as RFC 4226
// section 4 (R6) recommends, and what Cognito makes.
const KeyBytes = 20

// ErrSecret: the text is not a key in base32.
var ErrSecret = errors.New("totp: not a secret in base32: give the letters and digits that were shown with the QR code")

// Code returns the code of a key (base32, RFC 4648; spaces, lower case and missing
// padding are fine) at a moment.
func Code(key secret.Value, at time.Time) (string, error) {
	k, err := decode(key)
	if err != nil {
		return "", err
	}
	defer clear(k)
	return hotp(k, Step(at), Digits), nil
}

// Step is the number of the period that a moment is in.
func Step(at time.Time) int64 { return at.Unix() / int64(Period/time.Second) }

// Match reports whether code is the key's at that moment, or one step before or
// after it, since clocks differ (RFC 6238 section 5.2), and which step it is of.
func Match(key secret.Value, code string, at time.Time) (step int64, ok bool) {
	k, err := decode(key)
	if err != nil {
		return 0, false
	}
	defer clear(k)
	now := Step(at)
	for s := now - 1; s <= now+1; s++ {
		if subtle.ConstantTimeCompare([]byte(hotp(k, s, Digits)), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// WellFormed reports whether a text can be a code at all.
func WellFormed(code string) bool {
	return len(code) == Digits && strings.Trim(code, "0123456789") == ""
}

// Encode writes a key as it is shown: base32 without padding.
func Encode(key []byte) secret.Value {
	return secret.New(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key))
}

// URI is what the QR code holds: the key, who issued it and for which account, in
// the form that authenticators read.
func URI(issuer, account string, key secret.Value) secret.Value {
	label := url.PathEscape(issuer) + ":" + url.PathEscape(account)
	return secret.New(fmt.Sprintf("otpauth://totp/%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d",
		label, key.Reveal(), strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20"), Digits, int(Period/time.Second)))
}

func decode(key secret.Value) ([]byte, error) {
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(key.Reveal())))
	k, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(k) == 0 {
		return nil, ErrSecret // the decoder's text tells where in the secret the fault is
	}
	return k, nil
}

// hotp is RFC 4226 section 5.3.
func hotp(key []byte, counter int64, digits int) string {
	h := hmac.New(sha1.New, key)
	_ = binary.Write(h, binary.BigEndian, counter)
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	mod := uint32(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%mod)
}
