package pricefile

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// inOneWindow reads a content that is in the window from the beginning.
func inOneWindow(content string, sep, eol byte) *delimited {
	d := newDelimited(strings.NewReader(content), sep, eol)
	d.bytes, d.read = []byte(content), int64(len(content))
	return d
}

// sameRecords fails unless a window of a few bytes shows what one window does.
func sameRecords(t *testing.T, content string, sep, eol byte, size int) {
	t.Helper()
	narrow, wide := newDelimited(strings.NewReader(content), sep, eol), inOneWindow(content, sep, eol)
	narrow.size = size
	var a, b record
	for n := 0; ; n++ {
		more := wide.next(&b)
		if narrow.next(&a) != more {
			t.Fatalf("row %d: one window says %v: %v %v", n, more, narrow.err(), wide.err())
		}
		if !more {
			break
		}
		if a.line != b.line || a.problem != b.problem || !slices.EqualFunc(a.cells, b.cells, bytes.Equal) {
			t.Fatalf("row %d: got %q, want %q", n, a.cells, b.cells)
		}
	}
	if (narrow.err() == nil) != (wide.err() == nil) {
		t.Fatalf("got %v, want %v", narrow.err(), wide.err())
	}
}

func TestRowsReadTheSameWhereverTheWindowEnds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	kinds := []string{
		"A;1,50;x", "\"B\";\"2,50\";\"y\"\"y\"", "C;3,50;\"of\nmany\nlines\"", "\"D;4,50;z", "", ";;", "E;5,50;\xc3\xb6",
		"F;6,50;" + strings.Repeat("long ", 190), "G;7;\"" + strings.Repeat("\n", 900) + "\"", "H;\"" + strings.Repeat("x", 5*MaxCell) + "\"",
	}
	for _, eol := range []string{"\n", "\r\n", "\r"} {
		var b strings.Builder
		for b.Len() < 3*windowBytes {
			b.WriteString(kinds[random.IntN(len(kinds))] + eol)
		}
		for _, size := range []int{1, 7, 1000, windowBytes} {
			sameRecords(t, b.String(), ';', eol[len(eol)-1], size)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("a;\"b\nc\";d\r\n\"e;f\n\"\"\"\"", byte(';'), byte('\n'), 3)
	f.Add("a\t\"b\r\"c\"\r", byte('\t'), byte('\r'), 1)
	f.Fuzz(func(t *testing.T, content string, sep, eol byte, size int) {
		if size < 1 || size > 1<<16 || sep == '"' || eol == '"' || sep == eol {
			return
		}
		sameRecords(t, content, sep, eol, size)
	})
}
