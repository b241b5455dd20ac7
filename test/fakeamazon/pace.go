package fakeamazon

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// pace is the fake's seed and speed: it draws everything that looks random and
// scales everything that takes time.
type pace struct {
	seed  uint64
	speed int64
}

// sum hashes the seed with the parts. The same parts give the same sum whatever
// else happened before, so that draws do not depend on the order of requests.
func (p pace) sum(parts ...any) [sha256.Size]byte {
	b := binary.BigEndian.AppendUint64(nil, p.seed)
	for _, part := range parts {
		text := fmt.Sprint(part)
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}

// number draws a number below n.
func (p pace) number(n uint64, parts ...any) uint64 {
	sum := p.sum(parts...)
	return binary.BigEndian.Uint64(sum[:]) % n
}

// delay draws from d and scales it by the speed.
func (p pace) delay(d Delay, parts ...any) time.Duration {
	span := uint64(max(d.Max-d.Min, 0)) + 1
	return (d.Min + time.Duration(p.number(span, append(parts, "delay")...))) / time.Duration(p.speed)
}

// id draws 32 hexadecimal digits.
func (p pace) id(parts ...any) string {
	sum := p.sum(append(parts, "id")...)
	return hex.EncodeToString(sum[:16])
}

// token draws text of about the length of Amazon's tokens, 360 characters.
func (p pace) token(parts ...any) string {
	var raw []byte
	for i := range 9 {
		sum := p.sum(append(parts, "token", i)...)
		raw = append(raw, sum[:30]...)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
