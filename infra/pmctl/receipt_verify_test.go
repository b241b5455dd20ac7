package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReceiptVerifySaysWhatIsProvenAndNamesTheBadEvent(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	r, err := k.log.Receipt(t.Context(), owner, "bat_1", time.Time{}, time.Time{}, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	good := k.file(t, "receipt.json", b)
	if code, out, errs := pmctl("receipt", "verify", good, "--key", k.key); code != 0 || !strings.Contains(out, "3 events of bat_1 are in the ledger of t_aaaaaa") || errs != "" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	forged := k.file(t, "forged.json", bytes.Replace(b, []byte(`"target":"two"`), []byte(`"target":"2wo"`), 1))
	if code, out, _ := pmctl("receipt", "verify", good, forged); code != 1 || !strings.Contains(out, "forged.json: entry 1") || !strings.Contains(out, "GOOD: ") {
		t.Errorf("%d %s", code, out)
	}
	for _, args := range [][]string{{}, {good + "x"}, {"--unknown", good}} {
		if code, out, errs := pmctl(append([]string{"receipt", "verify"}, args...)...); code != 2 || out != "" || errs == "" {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
}

func TestLedgerVerifyNamesTheFirstBadEntryWhereverItIs(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	whole, err := os.ReadFile(k.jsonl)
	if err != nil {
		t.Fatal(err)
	}
	good := bytes.SplitAfter(whole, []byte("\n"))
	good = good[:len(good)-1]
	entries := len(good) - 1
	rapid.Check(t, func(rt *rapid.T) {
		lines := slices.Clone(good)
		i := rapid.IntRange(1, entries).Draw(rt, "line")
		first := i - 1 // index of the first bad entry
		switch rapid.SampledFrom([]string{"flip", "remove", "swap", "duplicate", "truncate"}).Draw(rt, "damage") {
		case "flip":
			lines[i] = slices.Clone(lines[i])
			lines[i][rapid.IntRange(0, len(lines[i])-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		case "remove":
			lines = slices.Delete(lines, i, i+1)
		case "swap":
			j := i%entries + 1
			lines[i], lines[j] = lines[j], lines[i]
			first = min(i, j) - 1
		case "duplicate":
			lines, first = slices.Insert(lines, i, lines[i]), i
		case "truncate":
			lines = lines[:i]
		}
		name := k.file(t, "damaged.jsonl", bytes.Join(lines, nil))
		code, out, errs := pmctl("ledger", "verify", name, "--key", k.key)
		if code != 1 || errs != "" || !strings.HasPrefix(out, fmt.Sprintf("BAD: entry %d ", first)) {
			rt.Fatalf("first bad entry is %d: %d %s%s", first, code, out, errs)
		}
	})
}
