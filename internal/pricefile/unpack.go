package pricefile

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/xlsx"
)

const (
	// MaxRatio is how many times its size a packed file may unpack to. Price
	// lists pack to a tenth, ones with many empty columns to a hundredth.
	MaxRatio = 200
	// smallUnpacked is never over the ratio.
	smallUnpacked = 1 << 20
	// maxDirectory bounds what a ZIP archive's list of files may take: some
	// ten thousand files.
	maxDirectory = 1 << 20 // bytes
)

// foreign are the beginnings of files that sellers try.
var foreign = []struct{ magic, what string }{
	{"%PDF", "a PDF document"}, {"{\\rtf", "a text document (RTF)"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"}, {"Rar!", "a RAR archive"}, {"BZh", "compressed with bzip2"},
	{"\xfd7zXZ\x00", "compressed with xz"}, {"\x28\xb5\x2f\xfd", "compressed with Zstandard"},
	{"\xff\xfe\x00\x00", "in UTF-32 encoding"}, {"\x00\x00\xfe\xff", "in UTF-32 encoding"},
}

func refuse(what string, args ...any) *fault.Fault {
	return fault.New(fault.Unsupported, "price-file-format",
		"The file is %s, which is not read. Save it as CSV, tab separated text in UTF-8, or an Excel workbook (.xlsx).", fmt.Sprintf(what, args...))
}

const isGzip, isZip, isEmptyZip = "\x1f\x8b", "PK\x03\x04", "PK\x05\x06"

// unpack takes a file out of its gzip or ZIP container.
func (t *text) unpack() error {
	head, err := t.head(16)
	if err != nil {
		return err
	}
	switch {
	case starts(head, isGzip):
		err = t.gunzip()
	case starts(head, isZip), starts(head, isEmptyZip):
		err = t.unzip()
	case xlsx.IsOLE(head):
		return xlsx.OLEFault(t, t.Size())
	default:
		return checkForeign(head)
	}
	if err != nil || t.container == "" {
		return err
	}
	if head, err = t.head(16); err != nil {
		return err
	}
	if xlsx.IsOLE(head) {
		return xlsx.OLEFault(t, t.Size())
	}
	if starts(head, isGzip) || starts(head, isZip) {
		return fault.New(fault.Unsupported, "price-file-format", "The %s file holds a file that is packed itself. Unpack it and upload the file inside.", t.container)
	}
	return checkForeign(head)
}

func starts(head []byte, magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }

func checkForeign(head []byte) error {
	for _, f := range foreign {
		if starts(head, f.magic) {
			return refuse("%s", f.what)
		}
	}
	return nil
}

func (t *text) gunzip() error {
	z, err := gzip.NewReader(io.NewSectionReader(t, 0, t.Size()))
	if err != nil {
		return damaged("gzip", err)
	}
	return t.take("gzip", z)
}

// unzip opens the archive of an Excel workbook, and unpacks any other one that
// holds exactly one file.
func (t *text) unzip() error {
	m := &metered{ReaderAt: t.Content, left: maxDirectory}
	z, err := zip.NewReader(m, t.Size())
	if err != nil {
		if err := t.brokenWorkbook(err); err != nil {
			return err
		}
		return damaged("zip", err)
	}
	m.open = true
	var files []*zip.File
	for _, f := range z.File {
		switch name := f.Name; {
		case xlsx.IsPart(name):
			t.format = formatXLSX
			return nil
		case strings.HasSuffix(name, "/"), strings.HasPrefix(name, "__MACOSX/"), path.Base(name) == ".DS_Store":
		default:
			files = append(files, f)
		}
	}
	if len(files) != 1 {
		return fault.New(fault.Unsupported, "price-file-zip", "The ZIP archive holds %d files; exactly one is read. Upload the price file by itself.", len(files))
	}
	f := files[0]
	if f.Flags&1 != 0 {
		return fault.New(fault.Unsupported, "price-file-zip", "The file in the ZIP archive has a password. Upload it without.")
	}
	r, err := f.Open()
	if err != nil {
		return damaged("zip", err)
	}
	return t.take("zip", r)
}

// take spools what r unpacks to and reads that from now on.
func (t *text) take(container string, r io.Reader) error {
	most := min(MaxBytes, max(smallUnpacked, MaxRatio*t.Size()))
	err := t.spool(func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(r, most+1))
		switch {
		case err != nil:
			return damaged(container, err)
		case n > most && most == MaxBytes:
			return fault.New(fault.TooLarge, "price-file-bytes", "Unpacked, the file has more than %d bytes. Split it into several files.", MaxBytes)
		case n > most:
			return fault.New(fault.TooLarge, "price-file-ratio", "The file unpacks to more than %d times its size, as no price file does. Upload it unpacked.", MaxRatio)
		}
		return nil
	})
	t.container = container
	return err
}

// damaged is the fault for a container that cannot be read; an error of the
// content or the spool stays what it is.
func damaged(container string, err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return fault.New(fault.Unsupported, "price-file-zip", "The ZIP archive is packed in a way that is not read. Pack it again with the usual method (deflate), or upload the file by itself.")
	case errors.Is(err, errDirectory):
		return fault.New(fault.TooLarge, "price-file-zip", "The ZIP archive holds thousands of files; exactly one is read. Upload the price file by itself.")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "price-file-damaged", "The %s file is incomplete: it ends before its content does. Upload it again.", container).Because(err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.As(err, &corrupt):
		return fault.New(fault.Invalid, "price-file-damaged", "The %s file is damaged. Pack it again, or upload the file unpacked.", container).Because(err)
	}
	return fmt.Errorf("pricefile: unpack %s: %w", container, err)
}

// metered bounds what may be read until it is open: an archive's list of files
// is kept in memory whole.
type metered struct {
	io.ReaderAt
	left int64
	open bool
}

var errDirectory = errors.New("pricefile: list of files too long")

func (m *metered) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 { // as an archive's own places may lead to
		return 0, zip.ErrFormat
	}
	if m.left -= int64(len(p)); m.left < 0 && !m.open {
		return 0, errDirectory
	}
	return m.ReaderAt.ReadAt(p, at)
}
