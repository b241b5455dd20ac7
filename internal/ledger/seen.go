package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// number is a sequence number as a big-endian integer: the same order as that of
// its decimal digits, in a fixed size without a pointer, because a process
// remembers hundreds of thousands of them.
type number [20]byte

// maxSeq is the longest sequence number taken, in digits. DynamoDB's have 21 to
// 40; 48 digits are less than 160 bits.
const maxSeq = 48

// parseSeq reads decimal digits. Zero, like anything else that is no positive
// number of at most maxSeq digits, is not ok.
func parseSeq(digits string) (n number, ok bool) {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" || len(digits) > maxSeq {
		return n, false
	}
	var low, mid, high uint64
	for _, d := range []byte(digits) {
		if d < '0' || d > '9' {
			return n, false
		}
		var carry, c uint64
		carry, low = bits.Mul64(low, 10)
		low, c = bits.Add64(low, uint64(d-'0'), 0)
		carry += c
		next, m := bits.Mul64(mid, 10)
		mid, c = bits.Add64(m, carry, 0)
		high = high*10 + next + c
	}
	binary.BigEndian.PutUint32(n[:4], uint32(high)) // 160 bits hold 48 digits
	binary.BigEndian.PutUint64(n[4:], mid)
	binary.BigEndian.PutUint64(n[12:], low)
	return n, true
}

func (n number) after(m number) bool { return bytes.Compare(n[:], m[:]) > 0 }

// packSeen encodes the last sequence number of each source: tag, length, and
// the number in big-endian bytes without leading zeros.
func packSeen(seen map[tag]number) []byte {
	out := make([]byte, 0, len(seen)*28)
	for tg, seq := range seen {
		b := bytes.TrimLeft(seq[:], "\x00")
		out = append(out, tg[:]...)
		out = append(out, byte(len(b)))
		out = append(out, b...)
	}
	return out
}

// eachSeen calls f for every source and sequence number of packSeen's bytes.
func eachSeen(b []byte, f func(tag, number)) error {
	for len(b) > 0 {
		if len(b) < 17 || int(b[16]) > len(number{}) || len(b) < 17+int(b[16]) {
			return fmt.Errorf("ledger: cut list of sources: %s", hex.EncodeToString(b[:min(len(b), 17)]))
		}
		end := 17 + int(b[16])
		var n number
		copy(n[len(n)-int(b[16]):], b[17:end])
		f(tag(b[:16]), n)
		b = b[end:]
	}
	return nil
}

// generation is what is remembered of a stretch of appends.
type generation struct {
	seen   map[tag]number
	oldest string    // SK of the oldest append in seen
	since  time.Time // its time
	whole  bool      // that is the first append of all
}

// generationSize is how many sources one generation takes before the next one
// begins.
const generationSize = 200_000

// maxSeen bounds the sources remembered per tenant beyond those that the entries
// in hand need, at about 50 bytes each.
const maxSeen = 2 * generationSize

// memory is the last sequence number per source in the appends since a certain
// time, in generations, oldest first, so that what is old can be dropped without
// reading the rest again.
type memory []*generation

// last returns the newest number of a source: the youngest generation that knows
// the source has it, because along one source numbers grow from append to append.
func (m memory) last(tg tag) (number, bool) {
	for i := len(m) - 1; i >= 0; i-- {
		if n, ok := m[i].seen[tg]; ok {
			return n, true
		}
	}
	return number{}, false
}

// note keeps the higher number of a source, in whatever order appends are read.
func (g *generation) note(tg tag, n number) {
	if old, ok := g.seen[tg]; !ok || n.after(old) {
		g.seen[tg] = n
	}
}

// before puts an append in front of all that is remembered.
func (m memory) before(seg segment) *generation {
	g := m[0]
	g.oldest, g.since, g.whole = itemKey(seg.first).SK, seg.at, seg.first == 0
	return g
}

// next returns the generation that takes a new append up.
func (m *memory) next(seg segment) *generation {
	if n := len(*m); n > 0 && len((*m)[n-1].seen) < generationSize {
		return (*m)[n-1]
	}
	g := &generation{seen: map[tag]number{}, oldest: itemKey(seg.first).SK, since: seg.at, whole: seg.first == 0}
	*m = append(*m, g)
	return g
}

// trim drops what is older than from when it has become much.
func (m *memory) trim(from time.Time) {
	total := 0
	for _, g := range *m {
		total += len(g.seen)
	}
	for len(*m) > 1 && total > maxSeen && (*m)[1].since.Before(from) {
		total -= len((*m)[0].seen)
		*m = (*m)[1:]
	}
}
