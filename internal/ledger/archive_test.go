package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// frail fails a Put after some, before or after it had its effect.
type frail struct {
	*memory.Blobs
	puts, failAt int
	after        bool
	twice        map[string]int
}

var errFrail = errors.New("the process dies")

func (f *frail) Put(ctx context.Context, t tenant.ID, b store.Bucket, name, typ string, body []byte) error {
	f.puts++
	if f.puts == f.failAt && !f.after {
		return errFrail
	}
	if f.twice != nil {
		f.twice[name]++
	}
	err := f.Blobs.Put(ctx, t, b, name, typ, body)
	if f.puts == f.failAt && f.after {
		return errFrail
	}
	return err
}

// proveArchive rebuilds the tree from the bucket alone and holds every archived
// checkpoint against it.
func proveArchive(t *testing.T, w *world, blobs store.Blobs) (checkpoints int) {
	t.Helper()
	names, err := blobs.List(t.Context(), tenantA, store.Archive, "")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := blobs.Get(t.Context(), tenantA, store.Archive, name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "checkpoints/") {
			continue
		}
		checkpoints++
		c, err := ledger.OpenCheckpoint(string(read(name)), w.signer.VerifierKey())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
			for _, i := range at {
				out = append(out, stored[i])
			}
			return out, nil
		})
		for first := int64(0); first < c.Size; first += 4096 {
			run := fmt.Sprintf("leaves/%015d", first)
			if !slices.Contains(names, run) {
				run = fmt.Sprintf("%s.part/%04d", run, c.Size-first)
			}
			b := read(run)
			for i := range min(4096, c.Size-first) {
				hs, err := tlog.StoredHashesForRecordHash(first+i, tlog.Hash(b[i*32:][:32]), reader)
				if err != nil {
					t.Fatal(err)
				}
				stored = append(stored, hs...)
			}
		}
		root, err := tlog.TreeHash(c.Size, reader)
		if err != nil || root != c.Root {
			t.Errorf("%s: root %s, %v; the archived leaves have %s", name, c.Root, err, root)
		}
	}
	return checkpoints
}

func TestAnArchiveProvesItselfWhereverItsMakingWasCutOff(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for failAt := range 8 { // seven objects are written
			if after && failAt%2 == 0 {
				continue
			}
			w := newWorld(t)
			l := w.log()
			blobs := &frail{Blobs: memory.NewBlobs(w.clock), failAt: failAt, after: after, twice: map[string]int{}}
			a := ledger.Archive{Log: l, Blobs: blobs}
			n := 0
			for i, more := range []int{700, 3500, 0, 100} {
				if more > 0 {
					mustAppend(t, l, tenantA, entries(start, "offers/p1", n+1, more))
					n += more
				}
				archived, err := a.Run(t.Context(), tenantA)
				if errors.Is(err, errFrail) {
					archived, err = a.Run(t.Context(), tenantA)
				}
				// Cut off after the checkpoint was written, there is nothing left to do.
				if err != nil || archived != (more > 0) && !after {
					t.Fatalf("failing at %d, round %d: archived %t, %v", failAt, i, archived, err)
				}
			}
			if got := proveArchive(t, w, blobs); got != 3 {
				t.Errorf("failing at %d: %d checkpoints, want 3", failAt, got)
			}
			for name, times := range blobs.twice {
				if times > 1 && failAt == 0 {
					t.Errorf("%s was written %d times", name, times)
				}
			}
		}
	}
}

func TestALedgerThatDoesNotAddUpIsNotArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	mustAppend(t, l, tenantA, entries(start, "offers/p1", 1, 5))
	mustAppend(t, l, tenantA, entries(start, "offers/p1", 6, 5))
	item := w.ledgerItem(t, 0)
	leaves := item.Bytes("leaves")
	leaves[0] ^= 1
	w.putLedgerItem(t, item)
	blobs := memory.NewBlobs(w.clock)
	if _, err := (ledger.Archive{Log: w.log(), Blobs: blobs}).Run(t.Context(), tenantA); err == nil || !strings.Contains(err.Error(), "does not add up") {
		t.Errorf("archived: %v", err)
	}
	if names, err := blobs.List(t.Context(), tenantA, store.Archive, ""); err != nil || len(names) != 0 {
		t.Errorf("archived %v, %v", names, err)
	}
}
