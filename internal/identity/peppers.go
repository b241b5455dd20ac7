package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"pricemanager/internal/secret"
)

// PeppersFrom takes the peppers from one secret: one or several, separated by
// white space, the newest first. PepperRotation makes new ones.
func PeppersFrom(g secret.Getter, name string) Peppers {
	return func(ctx context.Context, fresh bool) ([]secret.Value, error) {
		if c, ok := g.(interface{ Forget(name string) }); ok && fresh {
			c.Forget(name)
		}
		v, err := g.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		return pepperList(v), nil
	}
}

func pepperList(v secret.Value) []secret.Value {
	var peppers []secret.Value
	for _, s := range strings.Fields(v.Reveal()) {
		peppers = append(peppers, secret.New(s))
	}
	return peppers
}

// madeForm is the time that a pepper made by a rotation begins with. One without
// was made when the secret was.
const madeForm = "20060102T150405Z."

func madeAt(pepper secret.Value) (time.Time, bool) {
	s := pepper.Reveal()
	if len(s) < len(madeForm) {
		return time.Time{}, false
	}
	t, err := time.Parse(madeForm, s[:len(madeForm)])
	return t, err == nil
}

// pepperID names a pepper in a key's item, and tells nothing about it.
func pepperID(pepper secret.Value) string {
	h := hmac.New(sha256.New, []byte(pepper.Reveal()))
	h.Write([]byte("apikey/1/pepper"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// knows reports whether a pepper of that name is in the list.
func knows(peppers []secret.Value, id string) bool {
	for _, p := range peppers {
		if pepperID(p) == id {
			return true
		}
	}
	return false
}
