package pricefile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// marked is the file with a column that numbers the rows.
func marked(t interface{ Fatal(...any) }, content string) string {
	f, err := openString(content, germany)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Mark(&b, func(n int) (string, error) { return fmt.Sprintf("row; %d", n), nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAMarkedFileHasOneMoreColumn(t *testing.T) {
	t.Parallel()
	got := marked(t, "notes;;\nSKU;Titel;Preis\nA;=cmd();19,99\n\nB;x\n\"C;c\";-5;-5,00;more\n\"D;5\n")
	want := "\ufeffnotes;;;\r\nSKU;Titel;Preis;" + MarkHeader + "\r\nA;'=cmd();19,99;\"row; 0\"\r\n;;;\r\nB;x;;\"row; 1\"\r\n\"C;c\";-5;-5,00;more;\"row; 2\"\r\n\"\"\"D\";5;;\"row; 3\"\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := marked(t, got); again != got {
		t.Errorf("marked again: %s", cmp.Diff(got, again))
	}
}

// The marked file says what the file said, but for broken quotes, which
// marking mends.
func TestAMarkedFileReadsAsTheFileDid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sep := rapid.SampledFrom([]string{";", ",", "\t", "|"}).Draw(t, "separator")
		cell := rapid.OneOf(rapid.SampledFrom([]string{"", "19,99", "1.234", "-5", "'=x", "''@x", "=1+1", "clear", "ß", "a\"b", "+4"}), rapid.StringMatching(`[-='"a-c;,|1-3 .]{0,6}`))
		var b strings.Builder
		b.WriteString(strings.Join([]string{"sku", "title", "price", "min"}, sep) + "\n")
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			for i := range 4 {
				if i > 0 {
					b.WriteString(sep)
				}
				b.WriteString(`"` + strings.ReplaceAll(cell.Draw(t, "cell"), `"`, `""`) + `"`)
			}
			b.WriteString("\n")
		}
		say := func(content string) ([]string, bool) {
			f, err := openString(content, germany)
			if err != nil {
				return nil, false
			}
			var out []string
			for row, errs := range f.Rows() {
				text := fmt.Sprintf("%q %v", row.SKU, row.Edit.Set.Summary(price.Fields()))
				for _, e := range errs {
					text += fmt.Sprintf(" %s %s=%q", e.Code, e.Column, plainText([]byte(e.Value)))
				}
				out = append(out, text)
			}
			return out, true
		}
		before, ok := say(b.String())
		if !ok {
			return
		}
		after, ok := say(marked(t, b.String()))
		if !ok || !slices.Equal(before, after) {
			t.Fatalf("%q became %q", before, after)
		}
	})
}

func TestNeutralisingIsTakenBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringMatching(`'{0,3}[-=+@a1\t]{0,2}.{0,3}`), rapid.String()).Draw(t, "text")
		n := Neutralise(s)
		if len(n) > 0 && formula(n[0]) {
			t.Fatalf("%q would be run", n)
		}
		if got := string(plainText([]byte(n))); got != s {
			t.Fatalf("%q became %q and was read as %q", s, n, got)
		}
	})
}
