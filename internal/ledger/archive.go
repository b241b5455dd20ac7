package ledger

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// runLeaves is how many leaves one archived run has: 128 KB of hashes.
const runLeaves = 4096

// Archive copies what proves a ledger's history to the bucket under Object Lock,
// where nobody can change it before its time:
//
//	leaves/<first leaf, 15 digits>               the hashes of 4,096 leaves
//	leaves/<first leaf, 15 digits>.part/<count>  those of the last, unfinished run
//	checkpoints/<size, 15 digits>.note           a signed checkpoint
//
// The hashes give away nothing: the events stay in the table, sealed. From the
// archive alone every checkpoint in it can be checked: the leaves of the runs up
// to its size have its root.
type Archive struct {
	Log   *Log
	Blobs store.Blobs
}

// Run archives what is new of a tenant's ledger and reports whether there was
// anything. It can be stopped anywhere and run again: leaves are written before
// the checkpoint over them, in ascending order and under names that say what they
// hold, so a repetition goes on where the last one ended and writes nothing twice
// but what it was in the middle of. A table whose leaves do not add up to their
// own tree is an error, and nothing of it is archived.
func (a Archive) Run(ctx context.Context, t tenant.ID) (bool, error) {
	head, err := a.Log.Head(ctx, t)
	if err != nil || head.Size == 0 {
		return false, err
	}
	name := fmt.Sprintf("%s%015d.note", checkpoints, head.Size)
	if have, err := a.has(ctx, t, name); have || err != nil {
		return false, err
	}
	done, err := a.runs(ctx, t, head.Size/runLeaves)
	if err != nil {
		return false, err
	}
	for first := done * runLeaves; first < head.Size; first += runLeaves {
		leaves, err := a.leaves(ctx, t, first, min(first+runLeaves, head.Size))
		if err != nil {
			return false, err
		}
		run := fmt.Sprintf("leaves/%015d", first)
		if len(leaves) < runLeaves {
			run = fmt.Sprintf("%s.part/%04d", run, len(leaves))
		}
		if err := a.Blobs.Put(ctx, t, store.Archive, run, "application/octet-stream", joinHashes(leaves)); err != nil {
			return false, fmt.Errorf("ledger: archive %s of %s: %w", run, t, err)
		}
	}
	// Last, so that whoever finds a checkpoint finds its leaves.
	signed, _, err := a.Log.sign(ctx, t, head)
	if err != nil {
		return false, err
	}
	if err := a.Blobs.Put(ctx, t, store.Archive, name, "text/plain; charset=utf-8", []byte(signed)); err != nil {
		return false, fmt.Errorf("ledger: archive %s of %s: %w", name, t, err)
	}
	return true, nil
}

// runs is how many whole runs of at most n are archived. They are written in
// their order, so the first one missing is found by halving.
func (a Archive) runs(ctx context.Context, t tenant.ID, n int64) (int64, error) {
	var failed error
	done := sort.Search(int(n), func(i int) bool {
		have, err := a.has(ctx, t, fmt.Sprintf("leaves/%015d", int64(i)*runLeaves))
		if err != nil {
			failed = err
		}
		return !have
	})
	return int64(done), failed
}

func (a Archive) has(ctx context.Context, t tenant.ID, name string) (bool, error) {
	names, err := a.Blobs.List(ctx, t, store.Archive, name)
	if err != nil {
		return false, fmt.Errorf("ledger: archive of %s: %w", t, err)
	}
	return slices.Contains(names, name), nil
}

// leaves reads the hashes of a stretch of leaves, and checks every append that it
// reads against the right edge that it left.
func (a Archive) leaves(ctx context.Context, t tenant.ID, first, end int64) ([]tlog.Hash, error) {
	tree := a.Log.hashes(ctx, t)
	out := make([]tlog.Hash, 0, end-first)
	for at := first; at < end; {
		s, err := tree.stretch(at)
		if err != nil {
			return nil, err
		}
		e := s.before.clone()
		for _, h := range s.leaves {
			e.append(h)
		}
		if e.root() != s.after.root() {
			return nil, fmt.Errorf("ledger: %s does not add up: leaves %d to %d lead to another tree than their append says", t, s.before.size, e.size-1)
		}
		from := at - s.before.size
		to := min(int64(len(s.leaves)), end-s.before.size)
		out = append(out, s.leaves[from:to]...)
		at = s.before.size + to
	}
	return out, nil
}
