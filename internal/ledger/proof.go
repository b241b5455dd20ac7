package ledger

import (
	"context"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Inclusion proves that a leaf is in the tree of a size (RFC 6962, 2.1.1).
type Inclusion struct {
	Leaf int64
	Size int64
	Hash tlog.Hash // of the leaf
	Root tlog.Hash // of the tree of that size
	Path []tlog.Hash
}

// Consistency proves that the tree of one size begins with that of another
// (RFC 6962, 2.1.2).
type Consistency struct {
	From, To         int64
	FromRoot, ToRoot tlog.Hash
	Path             []tlog.Hash
}

// Inclusion proves one leaf of the tree of a size; 0 is the newest size. A leaf
// or size that the ledger does not have is fault.Invalid.
func (l *Log) Inclusion(ctx context.Context, t tenant.ID, leaf, size int64) (Inclusion, error) {
	size, err := l.sized(ctx, t, size)
	if err != nil {
		return Inclusion{}, err
	}
	if leaf < 0 || leaf >= size {
		return Inclusion{}, fault.New(fault.Invalid, "leaf",
			"leaf is %d, but the ledger of size %d has the leaves from 0 to before %[2]d: ask for one of them, or for a larger size.", leaf, size)
	}
	tree := l.hashes(ctx, t)
	p := Inclusion{Leaf: leaf, Size: size}
	if p.Path, err = tlog.ProveRecord(size, leaf, tree); err != nil {
		return Inclusion{}, err
	}
	if p.Root, err = tlog.TreeHash(size, tree); err != nil {
		return Inclusion{}, err
	}
	p.Hash, err = tree.hash(0, leaf)
	return p, err
}

// Consistency proves that the first leaves of a ledger are still what they were;
// to = 0 is the newest size. Sizes that the ledger does not have are
// fault.Invalid.
func (l *Log) Consistency(ctx context.Context, t tenant.ID, from, to int64) (Consistency, error) {
	to, err := l.sized(ctx, t, to)
	if err != nil {
		return Consistency{}, err
	}
	if from < 1 || from > to {
		return Consistency{}, fault.New(fault.Invalid, "from",
			"from is %d and to is %d: from has to be the size of an older checkpoint, at least 1 and at most to.", from, to)
	}
	tree := l.hashes(ctx, t)
	p := Consistency{From: from, To: to}
	if p.Path, err = tlog.ProveTree(to, from, tree); err != nil {
		return Consistency{}, err
	}
	if p.FromRoot, err = tlog.TreeHash(from, tree); err != nil {
		return Consistency{}, err
	}
	p.ToRoot, err = tlog.TreeHash(to, tree)
	return p, err
}

// sized returns the size that is meant.
func (l *Log) sized(ctx context.Context, t tenant.ID, size int64) (int64, error) {
	head, err := l.Head(ctx, t)
	if err != nil {
		return 0, err
	}
	if size < 0 || size > head.Size {
		return 0, fault.New(fault.Invalid, "size", "A ledger of size %d is asked for, but this one has %d events.", size, head.Size)
	}
	if size == 0 {
		return head.Size, nil
	}
	return size, nil
}

// tree reads the inner hashes that proofs are made of. None is stored: each is
// worked out from the append that completes its subtree and the right edge that
// the append before left, which is one query whatever the size of the ledger.
// It remembers what it read, for one request.
type tree struct {
	ctx    context.Context //nolint:containedctx // tlog.HashReader takes none; a tree lives for one request
	log    *Log
	tenant tenant.ID
	known  map[int64]tlog.Hash // by tlog's stored hash index
	last   *stretch            // what was read last: proofs of neighbours share it
}

// stretch is one append as far as the tree is concerned.
type stretch struct {
	before edge
	leaves []tlog.Hash
	after  edge
}

var _ tlog.HashReader = (*tree)(nil)

func (l *Log) hashes(ctx context.Context, t tenant.ID) *tree {
	return &tree{ctx: ctx, log: l, tenant: t, known: map[int64]tlog.Hash{}}
}

// ReadHashes returns the hashes with tlog's indexes.
func (r *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if h, ok := r.known[index]; ok {
			out[i] = h
			continue
		}
		level, n := tlog.SplitStoredHashIndex(index)
		h, err := r.hash(level, n)
		if err != nil {
			return nil, err
		}
		out[i], r.known[index] = h, h
	}
	return out, nil
}

// hash is the root of the n-th complete subtree of 2^level leaves.
func (r *tree) hash(level int, n int64) (tlog.Hash, error) {
	end := (n + 1) << level
	s, err := r.stretch(end - 1)
	if err != nil {
		return tlog.Hash{}, err
	}
	if level == 0 {
		return s.leaves[end-1-s.before.size], nil
	}
	e := s.before.clone()
	for e.size < end-1 {
		e.append(s.leaves[e.size-s.before.size])
	}
	// The last leaf completes subtrees of 2, 4, 8 ... leaves on its way up; the one
	// wanted is the level-th.
	h := s.leaves[end-1-s.before.size]
	for i := range level {
		h = tlog.NodeHash(e.roots[len(e.roots)-1-i], h)
	}
	return h, nil
}

// stretch returns the append that holds the leaf.
func (r *tree) stretch(leaf int64) (*stretch, error) {
	if s := r.last; s != nil && leaf >= s.before.size && leaf-s.before.size < int64(len(s.leaves)) {
		return s, nil
	}
	page, err := r.log.db.Query(r.ctx, r.tenant, store.Ledger, store.Query{PK: logPK, Reverse: true, After: itemKey(leaf + 1).SK, Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("ledger: append with leaf %d of %s: %w", leaf, r.tenant, err)
	}
	segs := make([]segment, len(page.Items))
	for i, item := range page.Items {
		if segs[i], err = parseSegment(item); err != nil {
			return nil, err
		}
	}
	var before edge
	if len(segs) == 2 {
		before = segs[1].after
	}
	if len(segs) == 0 || segs[0].after.size <= leaf || before.size != segs[0].first || len(before.roots) != bits.OnesCount64(uint64(before.size)) {
		return nil, fmt.Errorf("ledger: leaf %d of %s is missing", leaf, r.tenant)
	}
	r.last = &stretch{before: before, leaves: segs[0].leaves, after: segs[0].after}
	return r.last, nil
}
