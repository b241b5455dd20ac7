package pricefile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/xlsx/xlsxtest"
)

// bombs are files that aim at memory or time. Each is read in a process of its
// own, whose peak memory counts.
var bombs = map[string]struct {
	make func(io.Writer) error
	want string // in the fault's text
}{
	"expanding sheet":    {sheetBomb(func(w io.Writer) error { return times(w, 1<<17, strings.Repeat(" ", 1000)) }), "expands to more than 200 times"},
	"expanding texts":    {partBomb("xl/sharedStrings.xml", "<sst>", strings.Repeat("<si><t>x</t></si>", 60), 1<<17), "expands to more than 200 times"},
	"too many texts":     {manyTexts, "different texts"},
	"one endless text":   {partBomb("xl/worksheets/sheet1.xml", "<sheetData><row><c><is><t>", strings.Repeat("x", 1000), 1<<17), "expands to more than 200 times"},
	"million columns":    {sheetBomb(func(w io.Writer) error { return between(w, "<row>", "<c><v>1</v></c>", 1_000_000, "</row>") }), "more than 16384 columns"},
	"million attributes": {sheetBomb(func(w io.Writer) error { return between(w, "<row ", `a="1" `, 1_000_000, "/>") }), "a tag is longer"},
	"billion laughs":     {sheetPart(`<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>`), "document type or entities"},
	"10 million rows":    {sheetBomb(tenMillionRows), "more than 1000000 rows"},
	"directory":          {hugeDirectory, "thousands of files"},
	"cut off":            {cutOff, "cut off or damaged"},
	"JSON text":          {func(w io.Writer) error { return between(w, `[{"sku":"`, strings.Repeat("x", 1000), 200_000, `"}]`) }, "more than 1048576 bytes"},
	"JSON nesting":       {func(w io.Writer) error { return between(w, `[{"sku":`, "[", 10_000_000, "") }, "nested deeper than 32"},
	"JSON rows":          {func(w io.Writer) error { return times(w, 10_000_000/raceSlower, "{\"sku\":\"A\",\"price\":1}\n") }, "more than 1000000 rows"},
	"JSON keys":          {manyKeys, "more than 200 different keys"},
}

const (
	bombEnv   = "PRICEFILE_BOMB"
	bombLimit = 160 << 10 // KiB of peak memory, of which the test program itself takes 20
)

func TestBombsAreDefusedWithinTheMemoryLimit(t *testing.T) {
	t.Parallel()
	if name := os.Getenv(bombEnv); name != "" {
		defuse(t, name)
		return
	}
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBombsAreDefusedWithinTheMemoryLimit$", "-test.count=1")
			cmd.Env = append(os.Environ(), bombEnv+"="+name, "GOMEMLIMIT=128MiB")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, text, _ := strings.Cut(string(out), "PEAK ")
			number, text, _ := strings.Cut(text, " ")
			peak, err := strconv.Atoi(number)
			if err != nil || !strings.Contains(text, bomb.want) {
				t.Fatalf("%v: want %q in\n%s", err, bomb.want, out)
			}
			limit := bombLimit
			if raceEnabled {
				limit *= 5 // the race detector's shadow of the memory
			}
			if t.Logf("peak %d MiB", peak>>10); peak > limit {
				t.Errorf("peak %d KiB, at most %d", peak, limit)
			}
		})
	}
}

// defuse opens a bomb and prints this process's peak memory and the fault.
func defuse(t *testing.T, name string) {
	path := filepath.Join(t.TempDir(), "bomb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := errors.Join(bombs[name].make(w), w.Flush()); err != nil {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(io.NewSectionReader(f, 0, size), Options{Marketplace: germany, Spool: TempFiles(t.TempDir())})
	var fl *fault.Fault
	if !errors.As(err, &fl) || fl.Kind == fault.Internal {
		t.Fatalf("%v is not a fault for the seller", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells the peak memory")
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Printf("PEAK %s %s\n", strings.Fields(peak)[0], fl.Public)
}

func times(w io.Writer, n int, s string) error {
	for range n {
		if _, err := io.WriteString(w, s); err != nil {
			return err
		}
	}
	return nil
}

func between(w io.Writer, begin, s string, n int, end string) error {
	return errors.Join(times(w, 1, begin), times(w, n, s), times(w, 1, end))
}

func sheetBomb(rows func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error { return xlsxtest.Bomb(w, rows) }
}

func sheetPart(text string) func(io.Writer) error {
	b := xlsxtest.One("")
	b.Extra = map[string]string{"xl/worksheets/sheet1.xml": text}
	return func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err }
}

// partBomb is a workbook with a part that repeats s.
func partBomb(name, begin, s string, n int) func(io.Writer) error {
	return func(w io.Writer) error {
		return writeParts(w, name, zip.Deflate, func(w io.Writer) error {
			root, rest, _ := strings.Cut(begin, ">")
			if !strings.HasPrefix(root, "<sst") {
				root, rest = "<worksheet", begin
			}
			return between(w, root+` xmlns="`+xlsxtest.Transitional+`">`+rest, s, n, "")
		})
	}
}

// writeParts writes a workbook whose part of that name fill writes.
func writeParts(w io.Writer, name string, method uint16, fill func(io.Writer) error) error {
	b := xlsxtest.One("")
	b.Texts = []string{""}
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	for part, text := range b.Parts() {
		p, err := z.CreateHeader(&zip.FileHeader{Name: part, Method: method})
		if err != nil {
			return err
		}
		if part == name {
			err = fill(p)
		} else {
			_, err = io.WriteString(p, text)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

func manyTexts(w io.Writer) error {
	return writeParts(w, "xl/sharedStrings.xml", zip.Store, func(w io.Writer) error {
		if err := times(w, 1, `<sst xmlns="`+xlsxtest.Transitional+`">`); err != nil {
			return err
		}
		for i := range 1_200_000 {
			if _, err := fmt.Fprintf(w, "<si><t>%060d</t></si>", i); err != nil {
				return err
			}
		}
		return times(w, 1, "</sst>")
	})
}

func tenMillionRows(w io.Writer) error {
	if err := times(w, 1, `<row><c t="str"><v>sku</v></c><c t="str"><v>price</v></c></row>`); err != nil {
		return err
	}
	var block bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&block, `<row><c t="str"><v>S%d</v></c><c><v>%d</v></c></row>`, i*7919, i)
	}
	if raceEnabled {
		return times(w, 110, block.String()) // writing more takes a minute, and the reader has given up by then
	}
	return times(w, 1_000, block.String())
}

func hugeDirectory(w io.Writer) error {
	z := zip.NewWriter(w)
	for i := range 200_000 {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("xl/%d", i)}); err != nil {
			return err
		}
	}
	return z.Close()
}

func cutOff(w io.Writer) error {
	b := xlsxtest.One(strings.Repeat(`<row><c><v>1</v></c></row>`, 1_000)).Bytes()
	_, err := w.Write(b[:len(b)-100])
	return err
}

func manyKeys(w io.Writer) error {
	if err := times(w, 1, "[{"); err != nil {
		return err
	}
	for i := range 1_000_000 {
		if _, err := fmt.Fprintf(w, "\"k%d\":1,", i); err != nil {
			return err
		}
	}
	return times(w, 1, "\"sku\":1}]")
}
