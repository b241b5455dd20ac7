package xlsx

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxText is Excel's limit of characters in a cell.
const MaxText = 32_767

// Writer writes a workbook of one sheet as a stream: memory is one row. Its
// first row is the header, which stays in sight when the sheet is scrolled.
type Writer struct {
	zip  *zip.Writer
	w    *bufio.Writer // the sheet's XML
	row  int
	line []byte
}

// Cell formats of a written workbook, in the order of its styles.
const (
	styleDate  = 1
	styleClock = 2
	styleText  = 3 // stays text when somebody edits it
)

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

const mainName, relsName = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

// writtenParts are the parts around the sheet, in the order in which programs
// expect them.
var writtenParts = [...]struct{ name, text string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + relsName + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + relsName + `/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="` + relsName + `/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="` + mainName + `"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts>` +
		`<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
		`<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>`},
}

// NewWriter begins a workbook whose sheet has that name, which Excel wants to
// have 1 to 31 characters and none of []:*?/\.
func NewWriter(w io.Writer, sheet string) (*Writer, error) {
	if n := utf8.RuneCountInString(sheet); n == 0 || n > 31 || strings.ContainsAny(sheet, `[]:*?/\`) || !utf8.ValidString(sheet) {
		return nil, fmt.Errorf("xlsx: %q is no name of a sheet", sheet)
	}
	out := &Writer{zip: zip.NewWriter(w)}
	for _, p := range writtenParts {
		if err := out.part(p.name, p.text); err != nil {
			return nil, err
		}
	}
	name := string(appendEscaped(nil, []byte(sheet)))
	if err := out.part("xl/workbook.xml", `<workbook xmlns="`+mainName+`" xmlns:r="`+relsName+`"><sheets><sheet name="`+name+`" sheetId="1" r:id="rId1"/></sheets></workbook>`); err != nil {
		return nil, err
	}
	part, err := out.zip.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, fmt.Errorf("xlsx: write: %w", err)
	}
	out.w = bufio.NewWriterSize(part, window)
	out.line = append(out.line, xmlHead+`<worksheet xmlns="`+mainName+`"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`...)
	return out, nil
}

func (w *Writer) part(name, text string) error {
	p, err := w.zip.Create(name)
	if err == nil {
		_, err = io.WriteString(p, xmlHead+text)
	}
	if err != nil {
		return fmt.Errorf("xlsx: write: %w", err)
	}
	return nil
}

// ErrFull says that a sheet has no room for another row.
var ErrFull = errors.New("xlsx: the sheet is full")

// Write adds a row. Its cells are in the order of their columns and of the kind
// Text, Number or Date, written as Kind describes them. A number of more than
// 15 digits, and what is no number or date at all, becomes a text: nothing is
// ever rounded. A text cannot become a formula.
func (w *Writer) Write(cells []Cell) error {
	if w.row++; w.row > MaxRow {
		return ErrFull
	}
	b := append(strconv.AppendInt(append(w.line, `<row r="`...), int64(w.row), 10), `">`...)
	last := -1
	for _, c := range cells {
		if c.Column <= last || c.Column >= MaxColumn {
			return fmt.Errorf("xlsx: column %d behind column %d", c.Column, last)
		}
		last = c.Column
		if len(c.Text) == 0 {
			continue
		}
		b = append(appendColumn(append(b, `<c r="`...), c.Column), strconv.Itoa(w.row)...)
		var ok bool
		if b, ok = appendValue(b, c); ok {
			continue
		}
		if len(c.Text) > MaxText && utf8.RuneCount(c.Text) > MaxText {
			return fmt.Errorf("xlsx: row %d, column %d: more than %d characters", w.row, c.Column+1, MaxText)
		}
		b = append(strconv.AppendInt(append(b, `" s="`...), styleText, 10), `" t="inlineStr"><is><t xml:space="preserve">`...)
		b = append(appendEscaped(b, c.Text), "</t></is></c>"...)
	}
	_, err := w.w.Write(append(b, "</row>"...))
	w.line = b[:0]
	if err != nil {
		return fmt.Errorf("xlsx: write: %w", err)
	}
	return nil
}

// appendValue writes a number or a date. It reports false, and writes nothing,
// for all else.
func appendValue(b []byte, c Cell) ([]byte, bool) {
	switch c.Kind {
	case Number:
		var digits [maxNumber]byte
		d, ok := parseDecimal(digits[:], c.Text)
		if !ok || len(d.digits) > digitsKept || d.wide() || d.tiny() {
			return b, false
		}
		return append(d.appendPlain(append(b, `"><v>`...)), "</v></c>"...), true
	case Date:
		style, layout := int64(styleDate), time.DateOnly
		if len(c.Text) > len(layout) {
			style, layout = styleClock, "2006-01-02T15:04:05"
		}
		at, err := time.Parse(layout, string(c.Text))
		day := (at.Unix() - time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Unix()) / 86_400 // a Duration ends after 292 years
		if err != nil || day <= 60 || day > lastDay {                                      // before March 1900 Excel counts otherwise
			return b, false
		}
		b = append(strconv.AppendInt(append(b, `" s="`...), style, 10), `"><v>`...)
		b = strconv.AppendInt(b, day, 10)
		if style == styleClock {
			const places, one = 10, 10_000_000_000 // ten digits beside the day's five: 15 in all
			seconds := int64(at.Hour()*3600 + at.Minute()*60 + at.Second())
			b = fmt.Appendf(append(b, '.'), "%0*d", places, (seconds*one+43_200)/86_400)
		}
		return append(b, "</v></c>"...), true
	}
	return b, false
}

// appendColumn writes a column's letters.
func appendColumn(b []byte, column int) []byte {
	if column >= 26 {
		b = appendColumn(b, column/26-1)
	}
	return append(b, byte('A'+column%26))
}

// appendEscaped writes a text as XML and Excel want it: see decodeText.
func appendEscaped(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '_' && literalEscape(text):
			b = append(b, "_x005F_"...)
		case r == '\r' || !xmlChar(r):
			b = fmt.Appendf(b, "_x%04X_", r)
		default:
			b = utf8.AppendRune(b, r)
		}
		text = text[n:]
	}
	return b
}

// literalEscape reports whether a text begins with what decodeText would read
// as one character.
func literalEscape(text []byte) bool { _, ok := escapedUnit(text); return ok }

// Close ends the workbook. It does not close what it was written to.
func (w *Writer) Close() error {
	b := w.line
	if w.row > 0 {
		b = b[:0]
	}
	_, err := w.w.Write(append(b, "</sheetData></worksheet>"...))
	if err = errors.Join(err, w.w.Flush(), w.zip.Close()); err != nil {
		return fmt.Errorf("xlsx: write: %w", err)
	}
	return nil
}
