package xlsx

import (
	"io"
	"path"
	"strconv"
	"strings"
)

// Workbook is an open workbook. It is not for concurrent use.
type Workbook struct {
	Sheets []Sheet

	c        *container
	from1904 bool
	texts    texts
	formats  []format // by the number of the cell format
}

// Sheet is one sheet of a workbook.
type Sheet struct {
	Name   string
	Hidden bool

	part string // "" for a sheet that is no table, such as a chart
}

// relation is one line of a .rels part.
type relation struct{ kind, target string }

// Open reads everything of a workbook but its rows: the list of sheets, the
// shared strings (at most 64 MiB of memory) and the number formats.
func Open(r io.ReaderAt, size int64) (*Workbook, error) {
	c, err := openContainer(r, size)
	if err != nil {
		return nil, err
	}
	if err := c.identify(); err != nil {
		return nil, err
	}
	w := &Workbook{c: c}
	rels, err := c.relations("_rels/.rels", "")
	if err != nil {
		return nil, err
	}
	book := ""
	for _, rel := range rels {
		if rel.kind == "officeDocument" {
			book = rel.target
		}
	}
	if book == "" {
		return nil, damaged("the container", "it does not say where the workbook is.")
	}
	dir, file := path.Split(book)
	if rels, err = c.relations(dir+"_rels/"+file+".rels", dir); err != nil {
		return nil, err
	}
	if err := w.readBook(book, rels); err != nil {
		return nil, err
	}
	for _, rel := range rels {
		switch rel.kind {
		case "sharedStrings":
			err = w.readTexts(rel.target)
		case "styles":
			err = w.readStyles(rel.target)
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// identify refuses what is not a workbook without macros, and names it.
func (c *container) identify() error {
	for name, what := range map[string]string{
		"xl/vbaproject.bin":  "The Excel workbook contains macros (.xlsm), which are not accepted. Save it as an Excel workbook without macros (.xlsx).",
		"xl/workbook.bin":    "The file is a binary Excel workbook (.xlsb), which is not read. Save it as an Excel workbook (.xlsx).",
		"word/document.xml":  "The file is a Word document. Save the table as an Excel workbook (.xlsx) or as CSV.",
		"index/document.iwa": "The file is a Numbers document, which is not read. Export it as an Excel workbook (.xlsx) or as CSV.",
	} {
		if c.has(name) {
			return unsupported("%s", what)
		}
	}
	switch {
	case c.has("[content_types].xml"):
		return nil
	case c.has("mimetype") && c.has("content.xml"):
		return unsupported("The file is an OpenDocument spreadsheet (.ods), which is not read. Save it as an Excel workbook (.xlsx) or as CSV.")
	}
	return unsupported("The ZIP archive is no Excel workbook. Upload the price file itself, or an archive with one price file in it.")
}

// relations reads a .rels part. Targets are relative to dir; those outside of
// the workbook are left out. A part that is not there relates to nothing.
func (c *container) relations(name, dir string) (map[string]relation, error) {
	out := map[string]relation{}
	if name = plainName(name); !c.has(name) {
		return out, nil
	}
	s, closer, err := c.part(name, spacePackage, "Relationships")
	if err != nil {
		return nil, err
	}
	defer func() { _ = closer.Close() }() // read to the end or failed already
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case t == tokenEOF:
			return out, nil
		case t != tokenStart || !s.is(spacePackage, "Relationship"):
			continue
		case len(out) == maxEntries:
			return nil, s.fail("it has more than %d relations.", maxEntries)
		}
		var text [4]string
		for i, name := range [4]string{"Id", "Type", "Target", "TargetMode"} {
			v, err := s.attr(name)
			if err != nil {
				return nil, err
			}
			text[i] = string(v)
		}
		if text[3] == "External" {
			continue
		}
		target := text[2]
		if !strings.HasPrefix(target, "/") {
			target = dir + target
		}
		out[text[0]] = relation{text[1][strings.LastIndexByte(text[1], '/')+1:], plainName(target)}
	}
}

// readBook reads the list of sheets and which calendar the dates are in.
func (w *Workbook) readBook(name string, rels map[string]relation) error {
	s, closer, err := w.c.part(name, spaceMain, "workbook")
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return err
		case t == tokenEOF:
			if len(w.Sheets) == 0 {
				return s.fail("it lists no sheets.")
			}
			return nil
		case t != tokenStart || s.is(spaceMain, "sheets"):
		case s.is(spaceMain, "workbookPr"):
			v, err := s.attr("date1904")
			if err != nil {
				return err
			}
			w.from1904 = truth(v)
		case s.is(spaceMain, "sheet"):
			if err := w.addSheet(s, rels); err != nil {
				return err
			}
		default:
			if err := s.skip(); err != nil {
				return err
			}
		}
	}
}

func truth(v []byte) bool { return string(v) == "1" || string(v) == "true" }

func (w *Workbook) addSheet(s *scanner, rels map[string]relation) error {
	name, err := s.attr("name")
	if err != nil {
		return err
	}
	state, err := s.attr("state")
	if err != nil {
		return err
	}
	id, err := s.relation()
	switch {
	case err != nil:
		return err
	case len(w.Sheets) == MaxSheets:
		return tooLarge("The Excel workbook has more than %d sheets. Keep the one with the prices.", MaxSheets)
	}
	rel, ok := rels[string(id)]
	sheet := Sheet{Name: validText(name), Hidden: string(state) == "hidden" || string(state) == "veryHidden"}
	switch {
	case !ok:
		return s.fail("it does not say where the sheet %q is.", sheet.Name)
	case rel.kind == "worksheet":
		sheet.part = rel.target
	}
	w.Sheets = append(w.Sheets, sheet)
	return nil
}

// readStyles reads which number format each cell format has.
func (w *Workbook) readStyles(name string) error {
	s, closer, err := w.c.part(name, spaceMain, "styleSheet")
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	own := map[int]format{}
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return err
		case t == tokenEOF:
			return nil
		case t != tokenStart || s.is(spaceMain, "numFmts") || s.is(spaceMain, "cellXfs"):
		case len(own) > maxFormats || len(w.formats) > maxFormats:
			return tooLarge("The Excel workbook has more than %d cell formats. Copy the prices into a new workbook.", maxFormats)
		case s.is(spaceMain, "numFmt"):
			id, code, err := s.numberFormat("formatCode")
			if err != nil {
				return err
			}
			own[id] = parseFormat(code[:min(len(code), maxCode)])
		case s.is(spaceMain, "xf"):
			id, _, err := s.numberFormat("")
			if err != nil {
				return err
			}
			f, ok := own[id]
			if !ok {
				f = builtin(id)
			}
			w.formats = append(w.formats, f)
		}
		if t == tokenStart && !s.is(spaceMain, "numFmts") && !s.is(spaceMain, "cellXfs") {
			if err := s.skip(); err != nil {
				return err
			}
		}
	}
}

// numberFormat returns the attribute numFmtId, 0 without one, and another one.
func (s *scanner) numberFormat(other string) (int, []byte, error) {
	id, err := s.attr("numFmtId")
	if err != nil {
		return 0, nil, err
	}
	n := 0
	if len(id) > 0 {
		if n, err = strconv.Atoi(string(id)); err != nil || n < 0 {
			return 0, nil, s.fail("%q is no number of a format.", shown(id))
		}
	}
	text, err := s.attr(other)
	return n, text, err
}
