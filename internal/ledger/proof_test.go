package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
)

func TestEveryProofHoldsAgainstTheChecksOfGosChecksumDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	n := 0
	for _, more := range []int{1, 1, 3, 2, 17, 40, 5, 64, 1, 200} { // appends that end anywhere
		mustAppend(t, l, tenantA, entries(start, "offers/p1", n+1, more))
		n += more
	}
	leaves, err := l.Events(t.Context(), tenantA, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, int64(n)).Draw(rt, "size")
		leaf := rapid.Int64Range(0, size-1).Draw(rt, "leaf")
		from := rapid.Int64Range(1, size).Draw(rt, "from")
		in, err := l.Inclusion(t.Context(), tenantA, leaf, size)
		if err != nil || in.Hash != leaves[leaf].Hash {
			rt.Fatalf("leaf %d of %d: %v, %v", leaf, size, in.Hash, err)
		}
		if err := tlog.CheckRecord(in.Path, size, in.Root, leaf, in.Hash); err != nil {
			rt.Fatalf("leaf %d of %d: %v", leaf, size, err)
		}
		con, err := l.Consistency(t.Context(), tenantA, from, size)
		if err != nil || con.ToRoot != in.Root {
			rt.Fatalf("from %d to %d: %v, %v", from, size, con, err)
		}
		if err := tlog.CheckTree(con.Path, size, con.ToRoot, from, con.FromRoot); err != nil {
			rt.Fatalf("from %d to %d: %v", from, size, err)
		}
	})
	head, err := l.Head(t.Context(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	if in, err := l.Inclusion(t.Context(), tenantA, 0, 0); err != nil || in.Size != head.Size || in.Root != head.Root {
		t.Errorf("of the newest size: %+v, %v; the head is %+v", in, err, head)
	}
	for _, bad := range [][2]int64{{-1, 5}, {5, 5}, {0, int64(n) + 1}, {0, -1}} {
		if _, err := l.Inclusion(t.Context(), tenantA, bad[0], bad[1]); fault.KindOf(err) != fault.Invalid {
			t.Errorf("leaf %d of %d: %v", bad[0], bad[1], err)
		}
		if _, err := l.Consistency(t.Context(), tenantA, 0, bad[1]); fault.KindOf(err) != fault.Invalid {
			t.Errorf("from 0 to %d: %v", bad[1], err)
		}
	}
	if _, err := l.Inclusion(t.Context(), tenantB, 0, 0); fault.KindOf(err) != fault.Invalid {
		t.Errorf("of an empty ledger: %v", err)
	}
}

// batchesOf is a ledger with the events of two batches and of none, on many days.
func batchesOf(t *testing.T, w *world, l *ledger.Log) {
	t.Helper()
	for day := range 20 {
		es := entries(w.clock.Now(), fmt.Sprintf("offers/day%d", day), 1, 6)
		for i := range es {
			es[i].Events[0].Batch = []string{"bat_one", "bat_two", ""}[i%3]
			if day < 5 || day >= 15 {
				es[i].Events[0].Batch = "bat_other"
			}
		}
		mustAppend(t, l, tenantA, es)
		w.clock.Advance(24 * time.Hour)
	}
}

func TestAReceiptHasEveryEventOfItsBatchAndIsCheckedOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	batchesOf(t, w, l)
	begun, ended := start.Add(5*24*time.Hour), start.Add(14*24*time.Hour)
	for name, to := range map[string]time.Time{"ended": ended, "under way": {}} {
		r, err := l.Receipt(t.Context(), tenantA, "bat_one", begun, to, "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		report, err := ledger.VerifyReceipt(b, w.signer.VerifierKey())
		if err != nil || report.Events != 20 || !report.Whole || report.Batch != "bat_one" || !report.KeyGiven {
			t.Errorf("%s: %+v, %v; want all 20 events", name, report, err)
		}
	}
	if r, err := l.Receipt(t.Context(), tenantB, "bat_one", begun, ended, ""); err != nil || len(r.Events) != 0 {
		t.Errorf("another tenant's receipt: %d events, %v", len(r.Events), err)
	}
	for _, after := range []string{"x", "-1", "1", "999"} {
		if _, err := l.Receipt(t.Context(), tenantA, "bat_one", begun, ended, after); fault.KindOf(err) != fault.Invalid {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

func TestALargeReceiptComesInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	const total = 1234
	mustAppend(t, l, tenantA, entries(start, "offers/p1", 1, total))
	seen, pages := int64(0), 0
	for after := ""; ; pages++ {
		r, err := l.Receipt(t.Context(), tenantA, "bat_4f6c2a9d1b", start, time.Time{}, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Events {
			if e.Index != seen {
				t.Fatalf("event %d comes after %d", e.Index, seen-1)
			}
			seen++
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if report, err := ledger.VerifyReceipt(b, ""); err != nil || report.Whole != (r.Next == "") {
			t.Fatalf("page %d: %+v, %v", pages, report, err)
		}
		if after = r.Next; after == "" {
			break
		}
	}
	if seen != total || pages != 2 {
		t.Errorf("%d events on %d pages, want %d on 3", seen, pages+1, total)
	}
}

func TestAChangedReceiptIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	batchesOf(t, w, l)
	r, err := l.Receipt(t.Context(), tenantA, "bat_one", start, time.Time{}, "")
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	key := w.signer.VerifierKey()
	rapid.Check(t, func(rt *rapid.T) {
		bad := []byte(string(good))
		i := rapid.IntRange(0, len(bad)-1).Draw(rt, "byte")
		bad[i] ^= 1 << rapid.IntRange(0, 6).Draw(rt, "bit")
		// JSON knows letters in either case in the names of members, and nothing else
		// twice: what is read from the bytes decides.
		report, err := ledger.VerifyReceipt(bad, key)
		if err == nil && !sameReceipt(bad, good) {
			rt.Fatalf("byte %d, %q for %q, is not found: %+v", i, bad[i], good[i], report)
		}
		if err != nil && !errors.Is(err, ledger.ErrBad) {
			rt.Fatalf("byte %d: %v", i, err)
		}
	})
	for name, change := range map[string]func(*ledger.Receipt){
		"an event of another batch": func(r *ledger.Receipt) { r.Batch = "bat_two" },
		"an event twice":            func(r *ledger.Receipt) { r.Events[4] = r.Events[3] },
		"two swapped":               func(r *ledger.Receipt) { r.Events[4], r.Events[3] = r.Events[3], r.Events[4] },
		"another proof":             func(r *ledger.Receipt) { r.Events[4].Proof = r.Events[3].Proof },
		"another place":             func(r *ledger.Receipt) { r.Events[4].Index++ },
		"past the end":              func(r *ledger.Receipt) { r.Events[4].Index = 1 << 40 },
		"another tenant":            func(r *ledger.Receipt) { r.Tenant = string(tenantB) },
	} {
		var bad ledger.Receipt
		if err := json.Unmarshal(good, &bad); err != nil {
			t.Fatal(err)
		}
		change(&bad)
		b, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.VerifyReceipt(b, key); !errors.Is(err, ledger.ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ledger.VerifyReceipt(good, strings.Replace(key, "+", "+0", 1)); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("another key: %v", err)
	}
}

// sameReceipt reports whether two receipts say the same of the ledger. That there
// are further pages nobody signs.
func sameReceipt(a, b []byte) bool {
	var x, y ledger.Receipt
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	x.Next, y.Next = "", ""
	p, err := json.Marshal(x)
	q, also := json.Marshal(y)
	return err == nil && also == nil && string(p) == string(q)
}
