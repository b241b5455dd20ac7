package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// saltSize is the length of seeds and salts in bytes.
const saltSize = 32

// field is the name of what a leaf commits to. Committing to single fields
// later means other names, not another construction.
const field = "event"

// commitment is SHA-256 over salt, field name and value, each with its length
// (4 bytes, big-endian) in front. Without the salt it says nothing about the
// value, however few values are possible.
func commitment(salt []byte, name string, value []byte) [sha256.Size]byte {
	buf := make([]byte, 0, 1024) // of a constant size: it stays off the heap for all but large events
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(salt)))
	buf = append(buf, salt...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(name)))
	buf = append(buf, name...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(value)))
	buf = append(buf, value...)
	return sha256.Sum256(buf)
}

// leafHash is the RFC 6962 hash of the leaf whose content is the commitment.
func leafHash(salt, event []byte) tlog.Hash {
	c := commitment(salt, field, event)
	var in [1 + sha256.Size]byte // 0 and the content; tlog.RecordHash says the same with a hash on the heap
	copy(in[1:], c[:])
	return sha256.Sum256(in[:])
}

// salter derives the salts of one append from its random seed, one for each
// leaf, so that only the seed is kept and giving out one salt gives out no
// other. It is HKDF-Expand (RFC 5869) with SHA-256 and 32 bytes of output,
// which is a single HMAC; the keyed state is reused because this is the hottest
// part of an append.
type salter struct{ mac hash.Hash }

func newSalter(seed []byte) salter { return salter{hmac.New(sha256.New, seed)} }

const saltInfo = "pricemanager ledger salt 1"

// salt returns the salt of the leaf with this index in the tree.
func (s salter) salt(index int64) []byte {
	var in [len(saltInfo) + 9]byte
	copy(in[:], saltInfo)
	binary.BigEndian.PutUint64(in[len(saltInfo):], uint64(index))
	in[len(in)-1] = 1 // HKDF's block counter
	s.mac.Reset()
	s.mac.Write(in[:])
	return s.mac.Sum(nil)
}

// edge is the right edge of a tree: the roots of its complete subtrees, largest
// first, one for each bit of the size. It is all that appending needs.
type edge struct {
	size  int64
	roots []tlog.Hash
}

func (e *edge) append(leaf tlog.Hash) {
	e.roots = append(e.roots, leaf)
	// Every trailing one bit of the old size is a subtree of the same height as
	// the one just completed: merge them.
	for n := e.size; n&1 == 1; n >>= 1 {
		last := len(e.roots) - 1
		e.roots[last-1] = tlog.NodeHash(e.roots[last-1], e.roots[last])
		e.roots = e.roots[:last]
	}
	e.size++
}

// emptyRoot is the root of the tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// root is the tree's root hash.
func (e *edge) root() tlog.Hash {
	if len(e.roots) == 0 {
		return emptyRoot
	}
	h := e.roots[len(e.roots)-1]
	for i := len(e.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.roots[i], h)
	}
	return h
}

func (e *edge) clone() edge {
	return edge{e.size, append([]tlog.Hash(nil), e.roots...)}
}

func (e *edge) bytes() []byte { return joinHashes(e.roots) }

func parseEdge(size int64, b []byte) (edge, error) {
	roots, err := splitHashes(b)
	if err != nil {
		return edge{}, err
	}
	if size < 0 || len(roots) != bits.OnesCount64(uint64(size)) {
		return edge{}, fmt.Errorf("ledger: edge of %d hashes does not fit a tree of %d", len(roots), size)
	}
	return edge{size, roots}, nil
}

func joinHashes(hs []tlog.Hash) []byte {
	out := make([]byte, 0, len(hs)*tlog.HashSize)
	for _, h := range hs {
		out = append(out, h[:]...)
	}
	return out
}

func splitHashes(b []byte) ([]tlog.Hash, error) {
	if len(b)%tlog.HashSize != 0 {
		return nil, fmt.Errorf("ledger: %d bytes are not a list of hashes", len(b))
	}
	out := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range out {
		copy(out[i][:], b[i*tlog.HashSize:])
	}
	return out, nil
}
