package envelope

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// maxIndexed is the longest value that has an index, in bytes: with the frame around
// it less than the 4,096 that KMS takes for a MAC.
const maxIndexed = 4000

// ErrNotIndexed: a kind or value that has no index.
var ErrNotIndexed = errors.New("envelope: a value of 1 to 4000 bytes has an index, of a kind without / or control characters")

// IndexMessage is what the keyed hash of a value is made over, the same in every
// backend. The kind cannot be mistaken for a part of the value, nor the reverse.
func IndexMessage(kind, value string) ([]byte, error) {
	if kind == "" || len(kind) > 64 || strings.ContainsFunc(kind, func(r rune) bool { return r == '/' || r < ' ' }) || value == "" || len(value) > maxIndexed {
		return nil, ErrNotIndexed
	}
	return []byte("index/1/" + kind + "/" + value), nil
}

// IndexText is the index that a MAC of at least 256 bits becomes: its first 128 in
// hexadecimal.
func IndexText(mac []byte) (string, error) {
	if len(mac) < 32 {
		return "", fmt.Errorf("envelope: a MAC of %d bytes", len(mac))
	}
	return hex.EncodeToString(mac[:16]), nil
}
