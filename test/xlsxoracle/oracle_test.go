package xlsxoracle

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"pricemanager/internal/xlsx"
	"pricemanager/internal/xlsx/xlsxtest"
)

// reporter is what testing.T and rapid.T have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// compare reads a workbook twice and returns how many cells both agree on.
func compare(t reporter, content []byte) int {
	t.Helper()
	theirs, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("excelize: %v", err)
	}
	defer theirs.Close()
	ours, err := xlsx.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	props, err := theirs.GetWorkbookProps()
	if err != nil {
		t.Fatal(err)
	}
	from1904 := props.Date1904 != nil && *props.Date1904
	n := 0
	for i, sheet := range ours.Sheets {
		if names := theirs.GetSheetList(); sheet.Name != names[i] {
			t.Fatalf("sheet %d is %q, excelize: %q", i, sheet.Name, names[i])
		}
		if visible, err := theirs.GetSheetVisible(sheet.Name); err != nil || visible == sheet.Hidden {
			t.Fatalf("sheet %q hidden: %t, excelize: visible %t %v", sheet.Name, sheet.Hidden, visible, err)
		}
		raw, err := theirs.GetRows(sheet.Name, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatalf("excelize: %v", err)
		}
		shown, err := theirs.GetRows(sheet.Name)
		if err != nil {
			t.Fatalf("excelize: %v", err)
		}
		rows, err := ours.Rows(i)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var row xlsx.Row
		for {
			ok, err := rows.Next(&row)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			for _, c := range row.Cells {
				where := fmt.Sprintf("%s row %d column %d", sheet.Name, row.Number, c.Column+1)
				if c.Kind == xlsx.NoValue {
					name, _ := excelize.CoordinatesToCellName(c.Column+1, row.Number)
					formula, err := theirs.GetCellFormula(sheet.Name, name)
					if err != nil || "="+formula != string(c.Text) || take(raw, row.Number, c.Column) != "" {
						t.Errorf("%s: %q, excelize: %q", where, c.Text, formula)
					}
					n++
					continue
				}
				value, display := take(raw, row.Number, c.Column), take(shown, row.Number, c.Column)
				if !same(c, value, display, from1904) {
					t.Errorf("%s: kind %d %q, excelize: %q shown as %q", where, c.Kind, c.Text, value, display)
				}
				n++
			}
		}
		for r := range raw {
			for c, value := range raw[r] {
				if value != "" {
					t.Errorf("%s row %d column %d: nothing, excelize: %q", sheet.Name, r+1, c+1, value)
				}
			}
		}
	}
	return n
}

// take returns a cell and forgets it.
func take(rows [][]string, row, column int) string {
	if row > len(rows) || column >= len(rows[row-1]) {
		return ""
	}
	s := rows[row-1][column]
	rows[row-1][column] = ""
	return s
}

// same reports whether a cell is what excelize says is stored and shown.
func same(c xlsx.Cell, raw, shown string, from1904 bool) bool {
	text := string(c.Text)
	switch c.Kind {
	case xlsx.Bool:
		return text == "TRUE" && (raw == "1" || raw == "TRUE") || text == "FALSE" && (raw == "0" || raw == "FALSE")
	case xlsx.Number, xlsx.Time, xlsx.Scaled:
		if len(text) > 1 && text[0] == '0' && text[1] != '.' {
			return text == shown // 00123
		}
		return equal(text, raw)
	case xlsx.Percent:
		d, ok := new(big.Rat).SetString(strings.TrimSuffix(text, "%"))
		return ok && equal(d.Quo(d, big.NewRat(100, 1)).FloatString(40), raw)
	case xlsx.Date:
		serial, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			return text == raw // written as a date
		}
		at, err := excelize.ExcelDateToTime(serial, from1904)
		if err != nil {
			return false
		}
		if len(text) == len(time.DateOnly) {
			return text == at.Format(time.DateOnly)
		}
		return text == at.Round(time.Second).Format("2006-01-02T15:04:05")
	}
	return text == raw
}

// equal reports whether a decimal is another one rounded to 15 significant
// digits, by other arithmetic than the reader's: it has no more of them, and it
// is no farther away than half of the last one.
func equal(ours, stored string) bool {
	want, ok1 := new(big.Rat).SetString(stored)
	got, ok2 := new(big.Rat).SetString(ours)
	if !ok1 || !ok2 {
		return false
	}
	unit, ten := big.NewRat(1, 1), big.NewRat(10, 1)
	size := new(big.Rat).Abs(want)
	for size.Sign() > 0 && new(big.Rat).Quo(size, unit).Cmp(big.NewRat(1e14, 1)) < 0 {
		unit.Quo(unit, ten)
	}
	for new(big.Rat).Quo(size, unit).Cmp(big.NewRat(1e15, 1)) >= 0 {
		unit.Mul(unit, ten)
	}
	far := new(big.Rat).Sub(want, got)
	return new(big.Rat).Quo(got, unit).IsInt() && far.Abs(far).Mul(far, big.NewRat(2, 1)).Cmp(unit) <= 0
}

func TestEveryWorkbookOfTheCorpusReadsTheSame(t *testing.T) {
	t.Parallel()
	files, cells := 0, 0
	err := filepath.WalkDir("../../events/prices", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".xlsx" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := xlsx.Open(bytes.NewReader(content), int64(len(content))); err != nil {
			t.Logf("%s is refused: %v", path, err) // its golden file says so, too
			return nil
		}
		files++
		cells += compare(t, content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d workbooks, %d cells", files, cells)
	if files < 4 || cells == 0 {
		t.Errorf("only %d workbooks with %d cells were compared", files, cells)
	}
}

func TestWorkbooksByHandReadTheSame(t *testing.T) {
	t.Parallel()
	b := xlsxtest.Book{
		Sheets: []xlsxtest.Sheet{
			{Name: "Prices", Rows: `<row r="2"><c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="D2" t="inlineStr"><is><r><t>a</t></r><r><t>b &amp; c</t></r></is></c></row>` +
				`<row r="4"><c r="A4"><v>19.989999999999998</v></c><c r="B4" s="1"><v>47848</v></c><c r="C4" s="2"><v>47848.75</v></c><c r="D4" s="3"><v>123</v></c><c r="E4" s="4"><v>0.155</v></c>` +
				`<c r="F4" t="b"><v>1</v></c><c r="G4" t="e"><v>#N/A</v></c><c r="H4" t="str"><f>A4&amp;""</f><v>x</v></c><c r="I4"><f>A4*2</f></c><c r="J4"><v>1E-3</v></c></row>` +
				`<row><c><v>7</v></c><c t="s"><v>2</v></c></row>`},
			{Name: "Secret", State: "hidden", Rows: `<row r="1"><c r="XFD1"><v>1</v></c></row>`},
		},
		Texts: []string{"sku", "  spaces  ", "x_x000D_y"}, Shared: `<si><r><t>r</t></r><r><t>s</t></r></si>`,
		Formats: map[int]string{164: "00000", 165: "yyyy-mm-dd hh:mm"}, Styles: []int{0, 14, 165, 164, 10},
	}
	if n := compare(t, b.Bytes()); n != 16 {
		t.Errorf("%d cells, want 16", n)
	}
	b.Props = `date1904="1"`
	compare(t, b.Bytes())
	b.Props, b.Strict = "", true
	compare(t, b.Bytes())
}

func TestWorkbooksOfExcelizeReadTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := excelize.NewFile()
		defer f.Close()
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if rapid.Bool().Draw(t, "1904") {
			yes := true
			must(f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
		}
		styles := map[string]int{}
		for _, code := range []string{"0.00", `#,##0.00\ "€"`, "yyyy-mm-dd", "dd/mm/yyyy hh:mm", "0%", "hh:mm", "0.00E+00"} {
			id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &code})
			must(err)
			styles[code] = id
		}
		cells := rapid.IntRange(1, 40).Draw(t, "cells")
		for range cells {
			name, err := excelize.CoordinatesToCellName(rapid.IntRange(1, 30).Draw(t, "column"), rapid.IntRange(1, 50).Draw(t, "row"))
			must(err)
			set := func(err error, code string) {
				must(err)
				must(f.SetCellStyle("Sheet1", name, name, styles[code]))
			}
			switch rapid.IntRange(0, 7).Draw(t, "kind") {
			case 0:
				set(f.SetCellStr("Sheet1", name, rapid.StringMatching(`[ -~äß€😀\n]{1,30}`).Draw(t, "text")), "0.00")
			case 1:
				set(f.SetCellDefault("Sheet1", name, rapid.StringMatching(`-?[1-9][0-9]{0,8}\.[0-9]{0,12}[1-9]`).Draw(t, "number")),
					rapid.SampledFrom([]string{"0.00", `#,##0.00\ "€"`, "0%", "0.00E+00"}).Draw(t, "format"))
			case 2:
				set(f.SetCellDefault("Sheet1", name, fmt.Sprintf("%.17g", rapid.Float64Range(0.01, 1e9).Draw(t, "double"))), "0.00")
			case 3:
				at := time.Unix(rapid.Int64Range(1_000_000_000, 9_000_000_000).Draw(t, "time"), 0).UTC()
				set(f.SetCellValue("Sheet1", name, at), rapid.SampledFrom([]string{"yyyy-mm-dd", "dd/mm/yyyy hh:mm"}).Draw(t, "format"))
			case 4:
				set(f.SetCellBool("Sheet1", name, rapid.Bool().Draw(t, "bool")), "0.00")
			case 5:
				set(f.SetCellRichText("Sheet1", name, []excelize.RichTextRun{{Text: "bold", Font: &excelize.Font{Bold: true}}, {Text: " plain"}}), "0.00")
			case 6:
				set(f.SetCellInt("Sheet1", name, rapid.Int64Range(0, 99_999_999_999_999).Draw(t, "int")), "0.00")
			case 7:
				must(f.SetCellFormula("Sheet1", name, "1+1"))
			}
		}
		var out bytes.Buffer
		must(f.Write(&out))
		compare(t, out.Bytes())
	})
}

func TestWorkbooksThatWeWriteReadTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		w, err := xlsx.NewWriter(&out, "Prices")
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for range rapid.IntRange(1, 9).Draw(t, "rows") {
			var cells []xlsx.Cell
			for column := range rapid.IntRange(0, 30).Draw(t, "columns") {
				c := xlsx.Cell{Column: column}
				switch rapid.IntRange(0, 2).Draw(t, "kind") {
				case 0:
					c.Text = []byte(rapid.StringMatching(`[ -~äß€😀\n]{1,30}`).Draw(t, "text"))
				case 1:
					c.Kind, c.Text = xlsx.Number, []byte(rapid.StringMatching(`-?[1-9][0-9]{0,16}\.[0-9]{0,4}`).Draw(t, "number"))
				case 2:
					at := time.Unix(rapid.Int64Range(0, 9_000_000_000).Draw(t, "time"), 0).UTC()
					c.Kind, c.Text = xlsx.Date, []byte(at.Format(rapid.SampledFrom([]string{time.DateOnly, "2006-01-02T15:04:05"}).Draw(t, "layout")))
				}
				cells = append(cells, c)
				want++
			}
			if err := w.Write(cells); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := compare(t, out.Bytes()); n != want {
			t.Fatalf("%d cells of %d", n, want)
		}
	})
}

// TestNoProductPackageLinksExcelize: the oracle stays in its test.
func TestNoProductPackageLinksExcelize(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./internal/...", "./functions/...", "./infra/...")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "xuri/") {
		t.Error("excelize is linked by a product package")
	}
	if !strings.Contains(string(out), "pricemanager/internal/xlsx\n") {
		t.Error("the list does not even hold internal/xlsx")
	}
}
