package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// An API key reads pmk_<id>_<secret>: the id is 16 characters (80 bits, finds
// the key's item), the secret 52 characters (256 bits) with 7 characters of
// CRC-32 over everything before them. The prefix lets secret scanners find a
// key that leaked, the checksum lets them, and us, tell a key from a likeness
// without asking anybody.
const (
	keyPrefix = "pmk_"
	idBytes   = 10
	idLen     = 16
	secretLen = 52
	sumLen    = 7
	keyLen    = len(keyPrefix) + idLen + 1 + secretLen + sumLen
)

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newKey makes a key's id and text from 42 random bytes.
func newKey(random io.Reader) (id string, key secret.Value, err error) {
	var b [idBytes + sha256.Size]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", secret.Value{}, fmt.Errorf("identity: random bytes: %w", err)
	}
	id = lower.EncodeToString(b[:idBytes])
	text := keyPrefix + id + "_" + lower.EncodeToString(b[idBytes:])
	return id, secret.New(text + checksum(text)), nil
}

func checksum(text string) string {
	return lower.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

// parseKey returns the id and the secret part of a key that is well formed.
func parseKey(key secret.Value) (id, sec string, ok bool) {
	s := key.Reveal()
	if len(s) != keyLen || !strings.HasPrefix(s, keyPrefix) || s[len(keyPrefix)+idLen] != '_' {
		return "", "", false
	}
	if checksum(s[:keyLen-sumLen]) != s[keyLen-sumLen:] {
		return "", "", false
	}
	id = s[len(keyPrefix) : len(keyPrefix)+idLen]
	if !wellFormed(id) {
		return "", "", false
	}
	return id, s[keyLen-sumLen-secretLen : keyLen-sumLen], true
}

// mac is what is stored of a key. A plain HMAC is enough for a secret of 256
// random bits; tenant and id are in it so that an item copied to another
// tenant or id proves nothing there.
func mac(pepper secret.Value, t tenant.ID, id, sec string) []byte {
	h := hmac.New(sha256.New, []byte(pepper.Reveal()))
	fmt.Fprintf(h, "apikey/1/%s/%s/%s", t, id, sec)
	return h.Sum(nil)
}

// matching compares with every pepper, always all of them, in constant time. It
// returns the one that fits.
func matching(peppers []secret.Value, stored []byte, t tenant.ID, id, sec string) (fits secret.Value, found bool) {
	for _, p := range peppers {
		if hmac.Equal(mac(p, t, id, sec), stored) {
			fits, found = p, true
		}
	}
	return fits, found
}
