package xlsx

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// written returns a workbook of these rows.
func written(t interface{ Fatal(...any) }, rows ...[]Cell) []byte {
	var out bytes.Buffer
	w, err := NewWriter(&out, `Preise & "mehr"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func cell(column int, k Kind, s string) Cell { return Cell{Column: column, Kind: k, Text: []byte(s)} }

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	got, err := read(written(t,
		[]Cell{cell(0, Text, "sku"), cell(27, Text, "price"), cell(16_383, Text, "last")}, nil,
		[]Cell{cell(0, Text, "=1+1"), cell(1, Number, "19.90"), cell(2, Number, "1234567890123456"), cell(3, Number, "n/a"), cell(4, Text, "")},
		[]Cell{cell(0, Date, "2030-12-31"), cell(1, Date, "2030-12-31T23:59:59"), cell(2, Date, "1900-01-01"), cell(3, Date, "31.12.2030"), cell(4, Text, " a\r\n\x00_x000D_ ")},
	))
	want := []string{
		"1 0 text sku", "1 27 text price", "1 16383 text last",
		"3 0 text =1+1", "3 1 number 19.9", "3 2 text 1234567890123456", "3 3 text n/a",
		"4 0 date 2030-12-31", "4 1 date 2030-12-31T23:59:59", "4 2 text 1900-01-01", "4 3 text 31.12.2030", "4 4 text  a\r\n\x00_x000D_",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestEveryTextAndSecondSurvivesAWorkbook(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var cells []Cell
		for i := range 20 {
			if rapid.Bool().Draw(t, "text") {
				s := rapid.OneOf(rapid.String(), rapid.StringMatching(`(_x[0-9A-F]{4}_|_x|[_x]){0,9}`)).Draw(t, "value")
				cells = append(cells, cell(i, Text, s))
				continue
			}
			days, seconds := rapid.IntRange(61, lastDay).Draw(t, "day"), rapid.IntRange(0, 86_399).Draw(t, "second")
			cells = append(cells, cell(i, Date, stamp(days, seconds)))
		}
		content := written(t, cells)
		w, err := Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := w.Rows(0)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var row Row
		if _, err := rows.Next(&row); err != nil {
			t.Fatal(err)
		}
		for _, want := range cells {
			if len(want.Text) == 0 {
				continue
			}
			if len(row.Cells) == 0 || row.Cells[0].Kind != want.Kind || !bytes.Equal(row.Cells[0].Text, want.Text) {
				t.Fatalf("wrote %q, read %v", want.Text, row.Cells)
			}
			row.Cells = row.Cells[1:]
		}
	})
}

func stamp(days, seconds int) string {
	at := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days)
	return at.Add(time.Duration(seconds) * time.Second).Format("2006-01-02T15:04:05")
}

func TestWhatAWorkbookCannotHoldIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", strings.Repeat("x", 32), "a/b", "\xff"} {
		if _, err := NewWriter(&bytes.Buffer{}, name); err == nil {
			t.Errorf("%q passed", name)
		}
	}
	w, err := NewWriter(&bytes.Buffer{}, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write([]Cell{cell(0, Text, strings.Repeat("ä", MaxText+1))}); err == nil {
		t.Error("a long text passed")
	}
	if err := w.Write([]Cell{cell(1, Text, "b"), cell(0, Text, "a")}); err == nil {
		t.Error("cells out of order passed")
	}
	w.row = MaxRow
	if err := w.Write(nil); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}
