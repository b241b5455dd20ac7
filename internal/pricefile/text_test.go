package pricefile

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pricemanager/internal/fault"
)

func gzipped(t testing.TB, content io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipped packs files given as name, content, name, content...
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = io.WriteString(f, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inUTF16 writes text with the high byte of each unit at 0 or 1.
func inUTF16(text string, high int) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		pair := [2]byte{byte(u), byte(u)}
		pair[high] = byte(u >> 8)
		out = append(out, pair[:]...)
	}
	return string(out)
}

func in1252(text string) string {
	return strings.NewReplacer("ö", "\xf6", "ß", "\xdf", "€", "\x80").Replace(text)
}

func TestEveryEncodingAndContainerGivesTheSameRows(t *testing.T) {
	t.Parallel()
	const content = "SKU;Preis\r\nGröße€;19,99\r\n"
	long := content + strings.Repeat("Größe-€;1,50\r\n", 25_000) // pieces end within characters
	for _, tc := range []struct{ name, content, encoding, container string }{
		{"plain", content, "UTF-8", ""},
		{"with mark", byteOrderMark + content, "UTF-8", ""},
		{"UTF-16LE", inUTF16(content, 1), "UTF-16LE", ""},
		{"UTF-16BE", inUTF16(content, 0), "UTF-16BE", ""},
		{"UTF-16LE with mark", inUTF16(byteOrderMark+content, 1), "UTF-16LE", ""},
		{"UTF-16BE with mark", inUTF16(byteOrderMark+content, 0), "UTF-16BE", ""},
		{"pair of surrogates", inUTF16("SKU;Preis;x\nGröße€;19,99;😀\n", 1), "UTF-16LE", ""},
		{"Windows-1252", in1252(content), "Windows-1252", ""},
		{"gzip", string(gzipped(t, strings.NewReader(content))), "UTF-8", "gzip"},
		{"gzip in two members", string(gzipped(t, strings.NewReader(content[:9]))) + string(gzipped(t, strings.NewReader(content[9:]))), "UTF-8", "gzip"},
		{"zip of UTF-16", string(zipped(t, "a/", "", "__MACOSX/x", "junk", "a/prices.csv", inUTF16(content, 1))), "UTF-16LE", "zip"},
		{"gzip of Windows-1252", string(gzipped(t, strings.NewReader(in1252(content)))), "Windows-1252", "gzip"},
		{"long", long, "UTF-8", ""},
		{"long UTF-16BE", inUTF16(long, 0), "UTF-16BE", ""},
		{"long Windows-1252", in1252(long), "Windows-1252", ""},
	} {
		spool := &counting{}
		f, err := Open(strings.NewReader(tc.content), Options{Marketplace: germany, Spool: spool.make})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if l := f.Layout(); l.Encoding != tc.encoding || l.Container != tc.container {
			t.Errorf("%s: read as %q in %q", tc.name, l.Encoding, l.Container)
		}
		for row, errs := range f.Rows() {
			if row.Line == 2 && (len(errs) > 0 || row.SKU != "Größe€" || row.Edit.Set.Our.Decimal() != "19.99") {
				t.Errorf("%s: got %+v %v", tc.name, row, errs)
			}
		}
		if want := 1 + 25_000*strings.Count(tc.name, "long"); f.Count() != want || f.Err() != nil {
			t.Errorf("%s: %d rows, %v", tc.name, f.Count(), f.Err())
		}
		if err := f.Close(); err != nil || spool.open != 0 {
			t.Errorf("%s: %d temporary files stay: %v", tc.name, spool.open, err)
		}
	}
}

// counting counts the temporary files that are open.
type counting struct{ open int }

type countedTemp struct {
	Temp
	of *counting
}

func (c *counting) make() (Temp, error) {
	f, err := TempFiles("")()
	c.open++
	return countedTemp{f, c}, err
}

func (t countedTemp) Close() error { t.of.open--; return t.Temp.Close() }

func TestWhatIsNoPriceFileIsRefusedByName(t *testing.T) {
	t.Parallel()
	content := "sku;price\n" + strings.Repeat("A;1\n", 1000)
	packed := gzipped(t, strings.NewReader(content))
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	locked := zipped(t, "a.csv", content)
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1
	for _, tc := range []struct {
		name, content string
		kind          fault.Kind
		typ, says     string
	}{
		{"old Excel", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", fault.Unsupported, "price-file-format", ".xls"},
		{"PDF", "%PDF-1.7", fault.Unsupported, "price-file-format", "PDF"},
		{"UTF-32", "\xff\xfe\x00\x00s\x00\x00\x00", fault.Unsupported, "price-file-format", "UTF-32"},
		{"binary", "sku;price\nA;\x00\n", fault.Unsupported, "price-file-format", "not text"},
		{"control characters", "sku;price\nA\x01;\xf6\n", fault.Unsupported, "price-file-format", "line 2"},
		{"byte without meaning", "sku;price\nA;1\nGr\xf6\x81e;2\n", fault.Unsupported, "price-file-format", "line 3"},
		{"two encodings", "sku;price\nGröße;1\nGr\xf6\xdfe;2\n", fault.Unsupported, "price-file-format", "line 3"},
		{"UTF-8 cut off", "sku;price\nGröße;1\nX;1;\xc3", fault.Unsupported, "price-file-format", "line 3"},
		{"half a UTF-16 unit", inUTF16("sku;price\nA;1\n", 1) + "x", fault.Unsupported, "price-file-format", "UTF-16"},
		{"lone surrogate", inUTF16("sku;price\nA;1\n", 1) + "\x00\xdc", fault.Unsupported, "price-file-format", "UTF-16"},
		{"half a pair", inUTF16("sku;price\nA;1\n", 1) + "\x00\xd8", fault.Unsupported, "price-file-format", "UTF-16"},
		{"truncated gzip", string(packed[:len(packed)-9]), fault.Invalid, "price-file-damaged", "incomplete"},
		{"gzip without content", string(packed[:5]), fault.Invalid, "price-file-damaged", "incomplete"},
		{"wrong checksum", string(flipped), fault.Invalid, "price-file-damaged", "damaged"},
		{"rubbish behind gzip", string(packed) + "rubbish", fault.Invalid, "price-file-damaged", "gzip"},
		{"truncated zip", string(zipped(t, "a.csv", content)[:100]), fault.Invalid, "price-file-damaged", "zip"},
		{"zip of nothing", string(zipped(t)), fault.Unsupported, "price-file-zip", "0 files"},
		{"zip of two", string(zipped(t, "a.csv", content, "b.csv", content)), fault.Unsupported, "price-file-zip", "2 files"},
		{"zip with password", string(locked), fault.Unsupported, "price-file-zip", "password"},
		{"gzip in gzip", string(gzipped(t, bytes.NewReader(packed))), fault.Unsupported, "price-file-format", "packed itself"},
		{"gzip in zip", string(zipped(t, "a.csv.gz", string(packed))), fault.Unsupported, "price-file-format", "packed itself"},
		{"Word", string(zipped(t, "[Content_Types].xml", "", "word/document.xml", "")), fault.Unsupported, "price-file-format", "Word"},
	} {
		_, err := openString(tc.content, germany)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != tc.kind || f.Type != tc.typ || !strings.Contains(f.Public, tc.says) {
			t.Errorf("%s: got %v, want %s %s with %q", tc.name, err, tc.kind, tc.typ, tc.says)
		}
	}
}

// giant is a content that is nowhere: a beginning, then a unit over and over.
type giant struct {
	begin, unit string
	size        int64
}

func (g giant) Size() int64 { return g.size }

func (g giant) ReadAt(p []byte, at int64) (int, error) {
	n := min(len(p), int(g.size-at))
	done := 0
	if at < int64(len(g.begin)) {
		done = copy(p[:n], g.begin[at:])
	}
	from := int(at+int64(done)-int64(len(g.begin))) % len(g.unit)
	for done < n {
		done += copy(p[done:n], g.unit[from:])
		from = 0
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Not parallel: what the whole process allocates is measured, which is more
// than what it ever holds.
func TestGiantsAreRefusedInLittleMemory(t *testing.T) {
	const head = "sku;price\n"
	bomb := gzipped(t, io.NewSectionReader(giant{head, "A;1\n", 16 << 20}, 0, 16<<20))
	crowd := make([]string, 0, 100_000)
	for i := range 50_000 {
		crowd = append(crowd, fmt.Sprint("file number ", i), "")
	}
	for _, tc := range []struct {
		name    string
		content Content
		typ     string
	}{
		{"too many bytes", giant{head, "A;1\n", MaxBytes + 1}, "price-file-bytes"},
		{"a line of 1 GB", giant{head, "x", 1 << 30}, "price-file-bytes"},
		{"a long line", giant{head, strings.Repeat("x", 1000), 16 << 20}, "price-file-row"},
		{"a long first line", giant{"", strings.Repeat("x", 1000), 16 << 20}, "price-file-row"},
		{"a cell over many lines", giant{head, "A;\"" + strings.Repeat("x\n", 1500) + "\";", 8 << 20}, "price-file-row"},
		{"a million columns", giant{"sku;price", strings.Repeat(";x", 500), 2_000_000}, "price-file-row"},
		{"half a million columns", giant{"sku;price", strings.Repeat(";x", 500), 1_000_000}, "price-file-columns"},
		{"10 million rows", giant{head, strings.Repeat("A;1\n", 1000), 40 << 20}, "price-file-rows"},
		{"gzip bomb", bytes.NewReader(bomb), "price-file-ratio"},
		{"zip bomb", bytes.NewReader(zipBomb(t, 16<<20)), "price-file-ratio"},
		{"zip of 50,000 files", bytes.NewReader(zipped(t, crowd...)), "price-file-zip"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(tc.content, Options{Marketplace: germany})
		runtime.ReadMemStats(&after)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Type != tc.typ {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.typ)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
			t.Errorf("%s: %d MiB were taken", tc.name, used)
		}
	}
}

func zipBomb(t *testing.T, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("a.csv")
	if err == nil {
		_, err = io.CopyN(f, zeros{}, size)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var errDisk = errors.New("disk")

// failing is a content whose bytes from good on cannot be read.
type failing struct {
	Content
	good int64
}

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.good {
		return 0, errDisk
	}
	return f.Content.ReadAt(p, at)
}

type fullDisk struct{ Temp }

func (fullDisk) Write([]byte) (int, error) { return 0, errDisk }

func TestFailuresOfTheDiskAreNotTheSellers(t *testing.T) {
	t.Parallel()
	content := "sku;price\n" + strings.Repeat("A;1\n", windowBytes/2)
	full := func() (Temp, error) { f, err := TempFiles("")(); return fullDisk{f}, err }
	for name, open := range map[string]func() (*File, error){
		"content": func() (*File, error) { return Open(failing{strings.NewReader(content), windowBytes}, Options{}) },
		"head":    func() (*File, error) { return Open(failing{strings.NewReader(content), 0}, Options{}) },
		"gzip content": func() (*File, error) {
			return Open(failing{bytes.NewReader(gzipped(t, strings.NewReader(content))), 20}, Options{})
		},
		"zip content": func() (*File, error) { return Open(failing{bytes.NewReader(zipped(t, "a", content)), 20}, Options{}) },
		"full disk":   func() (*File, error) { return Open(strings.NewReader(inUTF16(content, 1)), Options{Spool: full}) },
		"full disk, gz": func() (*File, error) {
			return Open(bytes.NewReader(gzipped(t, strings.NewReader(content))), Options{Spool: full})
		},
		"no disk": func() (*File, error) {
			return Open(strings.NewReader(inUTF16(content, 1)), Options{Spool: func() (Temp, error) { return nil, errDisk }})
		},
	} {
		if _, err := open(); !errors.Is(err, errDisk) || fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: got %v", name, err)
		}
	}
	f, err := Open(strings.NewReader(content), Options{Marketplace: germany})
	if err != nil {
		t.Fatal(err)
	}
	f.text.Content = failing{f.text.Content, windowBytes}
	n := 0
	for range f.Rows() {
		n++
	}
	if n >= f.Count() || !errors.Is(f.Err(), errDisk) {
		t.Errorf("%d of %d rows, %v", n, f.Count(), f.Err())
	}
}

// FuzzText: whatever the bytes are, unpacking and decoding end in a fault for
// the seller or in valid UTF-8, and leave no temporary file.
func FuzzText(f *testing.F) {
	const content = "sku;price\r\nGröße;1,50\n"
	for _, s := range []string{
		content, byteOrderMark + content, inUTF16(content, 0), inUTF16(byteOrderMark+content, 1), in1252(content),
		string(gzipped(f, strings.NewReader(in1252(content)))), string(zipped(f, "a.csv", content)), string(zipped(f, "a", "b", "c/", "")),
		string(zipped(f, "a.gz", string(gzipped(f, strings.NewReader(content))))), "\xff\xfe\x00\xd8",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		spool := &counting{}
		text, err := openText(bytes.NewReader(content), spool.make)
		if err != nil {
			if fault.KindOf(err) == fault.Internal || text != nil || spool.open != 0 {
				t.Fatalf("%v with %d temporary files", err, spool.open)
			}
			return
		}
		if text.format == formatDelimited {
			out, err := io.ReadAll(io.NewSectionReader(text, 0, text.Size()))
			if err != nil || !utf8.Valid(out) || bytes.IndexByte(out, 0) >= 0 {
				t.Fatalf("read as %s: %q, %v", text.encoding, out, err)
			}
			if valid := utf8.Valid(content) && text.container == ""; valid && text.encoding == "UTF-8" && string(out) != strings.TrimPrefix(string(content), byteOrderMark) {
				t.Fatalf("%q became %q", content, out)
			}
		}
		if err := text.Close(); err != nil || spool.open != 0 {
			t.Fatalf("%d temporary files stay: %v", spool.open, err)
		}
	})
}
