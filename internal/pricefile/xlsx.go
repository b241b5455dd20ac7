package pricefile

import (
	"errors"
	"io"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/xlsx"
)

// xlsxReadings reads an Excel workbook: its first visible sheet that has a
// header, which is kept in a temporary file. Without such a sheet the answer is
// every visible one, as far as its header would have to be, so that the seller
// is told what was looked at.
func xlsxReadings(t *text, remembered Mappings) ([]reading, error) {
	w, err := xlsx.Open(t.Content, t.Size())
	if err != nil {
		return nil, err
	}
	var tops []reading
	var names []string // of the visible sheets that hold anything
	found := -1
	for i, sheet := range w.Sheets {
		if sheet.Hidden {
			continue
		}
		top, err := sheetTop(w, i)
		switch {
		case err != nil:
			return nil, err
		case len(top) == 0:
			continue
		}
		names = append(names, sheet.Name)
		tops = append(tops, reading{name: "xlsx", sheet: sheet.Name, open: func() source { return &peeked{records: top} }})
		if found >= 0 {
			continue
		}
		if _, by, err := findLayout(tops[len(tops)-1:], remembered); by != nil {
			if found = i; err != nil {
				return nil, err
			}
		}
	}
	switch {
	case len(tops) == 0:
		return nil, unreadable("empty", "The Excel workbook has no visible sheet with anything in it. Put the prices into a sheet that is not hidden.")
	case found < 0:
		return tops, nil
	}
	out := reading{name: "xlsx", sheet: w.Sheets[found].Name}
	for _, name := range names {
		if name != out.sheet {
			out.otherSheets = append(out.otherSheets, name)
		}
	}
	if err := t.spool(func(to io.Writer) error { return copySheet(newTableWriter(to), w, found) }); err != nil {
		return nil, err
	}
	out.open = func() source { return newTable(t.Content, nil) }
	return []reading{out}, nil
}

// sheetTop returns the first records of a sheet, among which the header is.
func sheetTop(w *xlsx.Workbook, sheet int) ([]record, error) {
	rows, err := w.Rows(sheet)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []record
	var row xlsx.Row
	for len(out) < headerSearch {
		ok, err := rows.Next(&row)
		if err != nil || !ok {
			return out, err
		}
		rec := record{line: row.Number}
		for _, c := range row.Cells {
			for len(rec.cells) < c.Column {
				rec.cells = append(rec.cells, nil)
			}
			rec.cells = append(rec.cells, append([]byte(nil), trim(c.Text)...))
		}
		if !rec.blank() {
			out = append(out, rec)
		}
	}
	return out, nil
}

func copySheet(t *tableWriter, w *xlsx.Workbook, sheet int) error {
	rows, err := w.Rows(sheet)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row xlsx.Row
	var cells []tableCell
	for {
		ok, err := rows.Next(&row)
		if err != nil || !ok {
			return err
		}
		cells = cells[:0]
		for _, c := range row.Cells {
			if text := trim(c.Text); len(text) > 0 {
				cells = append(cells, tableCell{c.Column, note{noteKinds[c.Kind], c.Sign}, text})
			}
		}
		if len(cells) == 0 {
			continue
		}
		if err := t.write(row.Number, cells); err != nil {
			return err
		}
	}
}

var noteKinds = [...]noteKind{
	xlsx.Text: noteText, xlsx.Number: noteNumber, xlsx.Date: noteDate, xlsx.Bool: noteBool, xlsx.Error: noteError,
	xlsx.NoValue: noteNoValue, xlsx.Percent: notePercent, xlsx.Time: noteTime, xlsx.Scaled: noteScaled,
	xlsx.Lost: noteLost, xlsx.NoDate: noteNoDate, xlsx.NoNumber: noteNoNumber,
}

// peeked yields records that are in memory.
type peeked struct {
	records []record
	at      int
}

func (p *peeked) next(rec *record) bool {
	if p.at == len(p.records) {
		return false
	}
	*rec = p.records[p.at]
	p.at++
	return true
}

func (p *peeked) err() error { return nil }

// brokenWorkbook is the fault for an archive that cannot be opened, when it
// begins as workbooks do; nil otherwise.
func (t *text) brokenWorkbook(cause error) error {
	head, err := t.head(64)
	switch {
	case err != nil:
		return err
	case errors.Is(cause, errDirectory):
		return nil
	}
	if len(head) > zipName && xlsx.IsPart(strings.TrimRight(string(head[zipName:]), "\x00")) {
		return fault.New(fault.Invalid, "price-file-damaged", "The Excel workbook is cut off or damaged. Upload it again; if that does not help, open it in your spreadsheet program and save it again.").Because(cause)
	}
	return nil
}

// zipName is where the name of the first file stands in a ZIP archive.
const zipName = 30
