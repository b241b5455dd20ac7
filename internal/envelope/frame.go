package envelope

import (
	"encoding/binary"

	"pricemanager/internal/tenant"
)

// A sealed field is
//
//	"PME" | format (1 byte, 1) | key version (4 bytes, big-endian) | nonce (12) | ciphertext | tag (16)
//
// The key version numbers the data keys of one tenant and purpose from 1. KMS
// key rotation re-wraps a data key under the same version, so sealed fields do
// not change with it.
const (
	magic      = "PME"
	format1    = 1
	headerSize = 8
	gcmSize    = 12 + 16 // nonce and tag

	// Overhead is how many bytes longer a sealed field is than its plaintext.
	Overhead = headerSize + gcmSize
)

func header(version uint32) (h [headerSize]byte) {
	copy(h[:], magic)
	h[3] = format1
	binary.BigEndian.PutUint32(h[4:], version)
	return h
}

// parse splits a sealed field. It allocates nothing and looks at no more than
// the header.
func parse(sealed []byte) (version uint32, body []byte, ok bool) {
	if len(sealed) < Overhead || len(sealed) > Overhead+MaxPlaintext {
		return 0, nil, false
	}
	if string(sealed[:3]) != magic || sealed[3] != format1 {
		return 0, nil, false
	}
	version = binary.BigEndian.Uint32(sealed[4:headerSize])
	return version, sealed[headerSize:], version != 0
}

// aad is the authenticated context: every part with its length in front, so
// that no two places give the same bytes.
func aad(t tenant.ID, p Purpose, at Where, head [headerSize]byte) []byte {
	parts := [...]string{string(t), string(p), string(at.Table), at.Key.PK, at.Key.SK, at.Field, string(head[:])}
	n := 0
	for _, s := range parts {
		n += 4 + len(s)
	}
	out := make([]byte, 0, n)
	for _, s := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
		out = append(out, s...)
	}
	return out
}
