package xlsx

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"pricemanager/internal/fault"
)

// container is the ZIP archive that a workbook is.
type container struct {
	parts map[string]*zip.File // by plainName
	left  int64                // bytes of XML that may still be inflated
}

var errDirectory = errors.New("xlsx: the directory is larger than allowed")

// metered lets the directory of an archive be read, and no more: archive/zip
// reads it whole into memory before anybody can count its entries.
type metered struct {
	r    io.ReaderAt
	left int64
}

func (m *metered) ReadAt(p []byte, at int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, errDirectory
	}
	return m.r.ReadAt(p, at)
}

func openContainer(r io.ReaderAt, size int64) (*container, error) {
	m := &metered{r, maxDirectory}
	z, err := zip.NewReader(m, size)
	switch {
	case errors.Is(err, errDirectory), err == nil && len(z.File) > maxEntries:
		return nil, tooLarge("The Excel workbook consists of more than %d files. Save it again in your spreadsheet program, without pictures.", maxEntries)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, broken("the container", err)
	}
	m.left = 1 << 62 // the limits of what comes now are others
	c := &container{parts: make(map[string]*zip.File, len(z.File)), left: maxInflated}
	for _, f := range z.File {
		name := plainName(f.Name)
		if c.parts[name] != nil {
			return nil, damaged("the container", "it holds %q twice.", shown([]byte(f.Name)))
		}
		c.parts[name] = f
	}
	return c, nil
}

// plainName brings the name of a part to one form: they are told apart without
// regard to case, and some programs write backslashes.
func plainName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

func (c *container) has(name string) bool { return c.parts[name] != nil }

// open begins to read a part as XML. The caller closes it.
func (c *container) open(name string) (*scanner, io.Closer, error) {
	f := c.parts[name]
	switch {
	case f == nil:
		return nil, nil, damaged("the container", "%s is missing.", name)
	case f.Flags&1 != 0:
		return nil, nil, unsupported("The Excel workbook is encrypted. Save it without a password.")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return nil, nil, damaged("the container", "%s is compressed in a way that workbooks are not.", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, nil, broken(name, err)
	}
	return newScanner(name, &inflating{r: r, part: name, packed: int64(f.CompressedSize64), c: c}), r, nil
}

// part opens a part whose root element must be the given one.
func (c *container) part(name string, space namespace, local string) (*scanner, io.Closer, error) {
	s, closer, err := c.open(name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.root(space, local); err != nil {
		_ = closer.Close() // failed already
		return nil, nil, err
	}
	return s, closer, nil
}

// inflating counts what comes out of the compression.
type inflating struct {
	r            io.Reader
	part         string
	packed, seen int64
	c            *container
}

func (i *inflating) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.seen += int64(n)
	i.c.left -= int64(n)
	switch {
	case i.seen > freeRatio && i.seen/maxRatio > i.packed:
		return 0, tooLarge("%s in the Excel workbook expands to more than %d times its size, which is not a price file. Copy the prices into a new workbook.", i.part, maxRatio)
	case i.c.left < 0:
		return 0, tooLarge("The Excel workbook expands to more than %d MB. Split it into several files, or save it as CSV.", int64(maxInflated)/1_000_000)
	}
	return n, err
}

// broken is the fault for what archive/zip and compress/flate say.
func broken(where string, err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f
	}
	return damaged(where, "the file is cut off or its compression is broken.").Because(err)
}

// oleMagic begins the files of Office before 2007, and the envelope that a
// password puts around the newer ones.
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// IsOLE reports whether a file that begins so is one of those; see OLEFault.
func IsOLE(head []byte) bool { return bytes.HasPrefix(head, []byte(oleMagic)) }

// OLEFault says what an OLE file is and what to do about it.
func OLEFault(r io.ReaderAt, size int64) error {
	mark := []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
	buf := make([]byte, window)
	for at := int64(0); at < size; at += int64(len(buf) - len(mark)) {
		n, err := r.ReadAt(buf, at)
		if bytes.Contains(buf[:n], mark) {
			return unsupported("The Excel workbook is protected by a password. Save it without one (File, Info, Protect Workbook, Encrypt with Password: clear it).")
		}
		if err != nil {
			break // its end, or it cannot be read: the other sentence is true enough
		}
	}
	return unsupported("The file is in the format of Excel 97 to 2003 (.xls), which is not read. Save it as an Excel workbook (.xlsx) or as CSV.")
}

// IsPart reports whether a ZIP archive that holds, or begins with, a file of
// this name is a workbook or another office file, which Open will name, and not
// a packed price file.
func IsPart(name string) bool {
	name = plainName(name)
	for _, p := range [...]string{"[content_types].xml", "mimetype", "xl/", "_rels/", "docprops/", "index/document.iwa"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
