package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
)

// exported is a ledger of n leaves in several appends, as an export.
func exported(tb testing.TB, w *world, n int) []byte {
	tb.Helper()
	l := w.log()
	for i := 0; i < n; i += 4 {
		mustAppend(tb, l, tenantA, entries(start, "offers/p1", i+1, min(4, n-i)))
	}
	return export(tb, l, tenantA)
}

func verify(b []byte, opts ledger.VerifyOpts) (ledger.Report, error) {
	return ledger.Verify(bytes.NewReader(b), opts)
}

func TestAnExportVerifiesOffline(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 7, 64, 65} {
		w := newWorld(t)
		rep, err := verify(exported(t, w, n), ledger.VerifyOpts{Key: w.signer.VerifierKey()})
		if err != nil {
			t.Fatalf("%d leaves: %v", n, err)
		}
		if rep.Checked != int64(n) || rep.Tenant != tenantA || !rep.KeyGiven || !rep.Checkpoint.At.Equal(start) {
			t.Errorf("%d leaves: report %+v", n, rep)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := exported(t, w, 3)
	key := w.signer.VerifierKey()
	lines := bytes.Count(good, []byte("\n"))
	for i := range good {
		for _, mask := range []byte{0x01, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= mask
			rep, err := verify(bad, ledger.VerifyOpts{Key: key})
			if !errors.Is(err, ledger.ErrBad) {
				t.Fatalf("byte %d ^ %#x (%q): %v", i, mask, good[i], err)
			}
			// The entry that was touched is the one that is named. A new line end
			// inside it or a lost one also makes it that entry's problem.
			line := bytes.Count(good[:i], []byte("\n"))
			var p *ledger.Problem
			if errors.As(err, &p); line > 0 && line < lines && p.Index != int64(line-1) {
				t.Fatalf("byte %d in entry %d: blamed %v", i, line-1, err)
			}
			if line > 0 && rep.Checked != int64(line-1) {
				t.Fatalf("byte %d in entry %d: %d entries found good", i, line-1, rep.Checked)
			}
		}
	}
}

func TestRemovedSwappedDuplicatedInventedAndCutEntriesAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := bytes.SplitAfter(exported(t, w, 40), []byte("\n"))
	good = good[:len(good)-1] // what follows the last line end: nothing
	key := w.signer.VerifierKey()
	rapid.Check(t, func(rt *rapid.T) {
		lines := slices.Clone(good)
		i := rapid.IntRange(1, 40).Draw(rt, "line")
		j := rapid.IntRange(1, 40).Filter(func(j int) bool { return j != i }).Draw(rt, "other")
		first := i - 1 // index of the first bad entry
		switch op := rapid.SampledFrom([]string{"remove", "swap", "duplicate", "copy over", "end early", "cut", "append"}).Draw(rt, "op"); op {
		case "remove":
			lines = slices.Delete(lines, i, i+1)
		case "swap":
			lines[i], lines[j] = lines[j], lines[i]
			first = min(i, j) - 1
		case "duplicate":
			lines = slices.Insert(lines, i+1, lines[i])
			first = i
		case "copy over":
			lines[i] = lines[j]
		case "end early":
			lines = lines[:i]
		case "cut":
			n := rapid.IntRange(1, len(lines[i])-1).Draw(rt, "bytes")
			lines = append(lines[:i:i], lines[i][:n])
		case "append":
			lines = append(lines, bytes.Replace(lines[40], []byte(`"index":39`), []byte(`"index":40`), 1))
			first = 40
		}
		_, err := verify(bytes.Join(lines, nil), ledger.VerifyOpts{Key: key})
		var p *ledger.Problem
		if !errors.As(err, &p) || p.Index != int64(first) {
			rt.Fatalf("first bad entry is %d, got: %v", first, err)
		}
	})
}

// A forger with all our code but not the key: every leaf is made to fit again.
func TestAForgedEntryWithAFittingLeafIsFound(t *testing.T) {
	t.Parallel()
	w, forged := newWorld(t), newWorld(t)
	good := exported(t, w, 8)
	l := forged.log()
	es := entries(start, "offers/p1", 1, 8)
	es[5].Events[0].After = []byte(`{"price":"1.00 EUR"}`)
	mustAppend(t, l, tenantA, es)
	fake := export(t, l, tenantA)
	head, _, _ := bytes.Cut(good, []byte("\n"))
	_, rest, _ := bytes.Cut(fake, []byte("\n"))
	rep, err := verify(slices.Concat(head, []byte("\n"), rest), ledger.VerifyOpts{Key: w.signer.VerifierKey()})
	if !errors.Is(err, ledger.ErrBad) || rep.Checked != 8 {
		t.Errorf("checked %d: %v", rep.Checked, err)
	}
}

func TestAnotherSignersExportIsRefusedByTheTrustedKey(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	var err error
	if other.signer, err = ledger.NewSigner(secret.New(strings.Repeat("another secret ", 3))); err != nil {
		t.Fatal(err)
	}
	fake := exported(t, other, 3)
	if _, err := verify(fake, ledger.VerifyOpts{Key: w.signer.VerifierKey()}); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("foreign signature: %v", err)
	}
	rep, err := verify(fake, ledger.VerifyOpts{})
	if err != nil || rep.KeyGiven {
		t.Errorf("without a key it is whole in itself, and the report says so: %+v, %v", rep, err)
	}
}

func TestAnOlderCheckpointCatchesATruncatedOrRewrittenLedger(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	l := w.log()
	var since []string
	for i := range 10 {
		mustAppend(t, l, tenantA, entries(start, "offers/p1", 1+3*i, 3))
		cp, err := l.Checkpoint(ctx, tenantA)
		if err != nil {
			t.Fatal(err)
		}
		since = append(since, cp)
	}
	good := export(t, l, tenantA)
	for i, cp := range since {
		if rep, err := verify(good, ledger.VerifyOpts{Key: w.signer.VerifierKey(), Since: cp}); err != nil || rep.Since.Size != int64(3+3*i) {
			t.Errorf("checkpoint %d: %v", i, err)
		}
	}

	// The same signer, another history: shorter, and one with an early change.
	short := newWorld(t)
	shorter := exported(t, short, 6)
	if _, err := verify(shorter, ledger.VerifyOpts{Since: since[9]}); !errors.Is(err, ledger.ErrBad) || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("truncated ledger: %v", err)
	}
	if _, err := verify(shorter, ledger.VerifyOpts{Since: since[0]}); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("rewritten ledger: %v", err)
	}
	foreign, err := l.Checkpoint(ctx, tenantB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(good, ledger.VerifyOpts{Since: foreign}); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("checkpoint of another tenant: %v", err)
	}
	if _, err := verify(good, ledger.VerifyOpts{Since: "not a note"}); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("no checkpoint: %v", err)
	}
}

func TestCheckpointIsASignedNoteOverTheRFC6962Root(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	for i := range 9 {
		mustAppend(t, l, tenantA, entries(start, "offers/p1", 1+5*i, 5))
	}
	leaves, err := l.Events(context.Background(), tenantA, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	// The root by Go's own checksum database code, from the leaf hashes alone.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(idx []int64) (out []tlog.Hash, _ error) {
		for _, i := range idx {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, leaf := range leaves {
		hs, err := tlog.StoredHashesForRecordHash(int64(i), leaf.Hash, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := l.Checkpoint(context.Background(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(w.signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		t.Fatalf("note: %v", err)
	}
	if want := fmt.Sprintf("pricemanager.ledger/t_aaaaaa\n45\n%s\nat 2026-03-01T12:00:00Z\n", root); n.Text != want {
		t.Errorf("checkpoint\n%s\nwant\n%s", n.Text, want)
	}
	// Every inclusion proof that tlog makes from what is kept holds.
	for i := range leaves {
		proof, err := tlog.ProveRecord(45, int64(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, 45, root, int64(i), leaves[i].Hash); err != nil {
			t.Errorf("leaf %d: %v", i, err)
		}
	}
}

func TestSignerIsDerivedFromTheSecret(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t).signer, newWorld(t).signer
	if a.VerifierKey() != b.VerifierKey() {
		t.Error("the same secret gave two keys")
	}
	// Fixed: a change of the derivation would orphan every checkpoint out there.
	if want := fixedVerifierKey; a.VerifierKey() != want {
		t.Errorf("verifier key %s, want %s", a.VerifierKey(), want)
	}
	if _, err := ledger.NewSigner(secret.New("short")); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("short secret: %v", err)
	}
}

func TestEventsFromAnyLeafOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exported(t, w, 50)
	for from := range 52 {
		leaves, err := w.log().Events(context.Background(), tenantA, int64(from), 7)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(7, max(0, 50-from)); len(leaves) != want {
			t.Errorf("from %d: %d leaves, want %d", from, len(leaves), want)
		}
		for i, leaf := range leaves {
			if leaf.Index != int64(from+i) {
				t.Errorf("from %d: leaf %d has index %d", from, i, leaf.Index)
			}
		}
	}
}

func TestAnExportIsNotWrittenFromALedgerThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exported(t, w, 12)
	item := w.ledgerItem(t, 4)
	leaves := item.Bytes("leaves")
	leaves[0] ^= 1
	w.putLedgerItem(t, item)
	if _, err := w.log().WriteExport(context.Background(), tenantA, io.Discard); err == nil {
		t.Error("a changed leaf hash was exported")
	}
	leaves[0] ^= 1
	edge := item.Bytes("edge")
	edge[0] ^= 1
	w.putLedgerItem(t, item) // only the last item's edge is the head
	if _, err := w.log().WriteExport(context.Background(), tenantA, io.Discard); err != nil {
		t.Errorf("an old edge is not the head: %v", err)
	}
	w.deleteLedgerItem(t, 4)
	if _, err := w.log().WriteExport(context.Background(), tenantA, io.Discard); err == nil {
		t.Error("a ledger with a hole was exported")
	}
}

func FuzzVerify(f *testing.F) {
	// Salts from a fixed source: every fuzzing process must make the same export.
	w := newWorld(f)
	w.rand = func() io.Reader { return mathrand.NewChaCha8([32]byte{}) }
	good := exported(f, w, 3)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("{}\n"))
	key := w.signer.VerifierKey()
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := verify(b, ledger.VerifyOpts{Key: key})
		if err == nil && !bytes.Equal(b, good) {
			// Only this one export was ever signed, up to the time in the checkpoint.
			t.Errorf("accepted what was never written: %q", b)
		}
	})
}
