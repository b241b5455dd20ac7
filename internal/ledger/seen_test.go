package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/store"
)

func TestAnEventIsWrittenAsJSONMarshalWritesIt(t *testing.T) {
	t.Parallel()
	texts := rapid.SampledFrom([]string{"", "lane", "conn_1/A1/SKU 7", `a"b`, `a\b`, "<b>", "a&b", "ü", "\u2028", "\x7f", "\n", "~"})
	raws := rapid.SampledFrom([]string{"", `{"our":"1.00 EUR"}`, `{"a": 1}`, `"x"`, `"<"`, "null", `"a \\" b"`, `{"a":"\\\\" }`, `"ü"`, `{"a`, "1 2", "\"\x7f\""})
	rapid.Check(t, func(rt *rapid.T) {
		e := Event{
			Version: EventVersion, Type: rapid.SampledFrom(Types()).Draw(rt, "type"),
			At:    time.Unix(rapid.Int64Range(-70_000_000_000, 300_000_000_000).Draw(rt, "at"), rapid.Int64Range(0, 999).Draw(rt, "ms")*1e6).UTC(),
			Actor: texts.Draw(rt, "actor"), Target: texts.Draw(rt, "target"), Batch: texts.Draw(rt, "batch"),
			Correlation: texts.Draw(rt, "correlation"), Source: texts.Draw(rt, "source"),
			Before: json.RawMessage(raws.Draw(rt, "before")), After: json.RawMessage(raws.Draw(rt, "after")),
		}
		want, err := json.Marshal(e)
		got, ok := e.plain()
		if ok && (err != nil || !bytes.Equal(got, want)) {
			rt.Fatalf("plain says\n%s\njson.Marshal\n%s, %v", got, want, err)
		}
	})
	typical := Event{Version: 1, Type: ChangeSent, At: time.Unix(1, 0).UTC(), Target: "c/m/s", After: json.RawMessage(`{"our":"1.00 EUR"}`)}
	if _, ok := typical.plain(); !ok {
		t.Error("the usual event takes the slow way")
	}
}

func TestSequenceNumbersAreOrderedAsTheirDigitsAre(t *testing.T) {
	t.Parallel()
	digits := rapid.StringMatching(`0{0,3}[1-9][0-9]{0,47}`)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := digits.Draw(rt, "a"), digits.Draw(rt, "b")
		x, ok := parseSeq(a)
		y, also := parseSeq(b)
		if !ok || !also || x.after(y) != (store.CompareSeq(a, b) > 0) || y.after(x) != (store.CompareSeq(a, b) < 0) {
			rt.Fatalf("%s and %s: %x, %x", a, b, x, y)
		}
		kept := map[tag]number{{1}: x, {2}: y}
		got := map[tag]number{}
		if err := eachSeen(packSeen(kept), func(tg tag, n number) { got[tg] = n }); err != nil || fmt.Sprint(got) != fmt.Sprint(kept) {
			rt.Fatalf("kept %v, read %v, %v", kept, got, err)
		}
	})
	for _, bad := range []string{"", "0", "000", "-1", "1a", " 1", strings.Repeat("9", maxSeq+1)} {
		if n, ok := parseSeq(bad); ok {
			t.Errorf("%q is taken as %x", bad, n)
		}
	}
}

// A million rows applied at once are a million sources within the time that has
// to be remembered: none of them may be dropped, and what is older must be.
func TestWhatIsNeededIsRememberedAndTheRestIsNot(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	var m memory
	one, _ := parseSeq("1")
	at := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second) }
	id := func(i int) (tg tag) { binary.BigEndian.PutUint64(tg[:], uint64(i)); return tg }
	const appends, each, needed = 3000, 400, 1000
	for i := range appends {
		g := m.next(segment{first: int64(i * each), at: at(i)})
		for j := range each {
			g.note(id(i*each+j), one)
		}
		m.trim(at(i - needed))
	}
	for i := (appends - needed) * each; i < appends*each; i++ {
		if _, ok := m.last(id(i)); !ok {
			t.Fatalf("source %d is forgotten, of append %d, and is needed", i, i/each)
		}
	}
	total := 0
	for _, g := range m {
		total += len(g.seen)
	}
	if most := max(maxSeen, needed*each) + 2*generationSize; total > most {
		t.Errorf("%d sources are remembered, at most %d", total, most)
	}
}
