package pricefile

import "slices"

// note is what a format with types says about a cell beside its text. Files of
// separated text have none.
type note struct {
	kind noteKind
	// sign is the currency that the cell is given in: an ISO 4217 code, or a sign
	// such as € or kr. "" when it says none.
	sign string
}

// noteKind is what a cell holds. All after noteDate are refused in a column that
// means something.
type noteKind uint8

const (
	noteText       noteKind = iota
	noteNumber              // a decimal with a point, whatever the column's other cells look like
	noteDate                // written as in ISO 8601
	noteBool                // true or false
	noteError               // #N/A and the like
	noteNoValue             // a formula whose result is not in the file
	notePercent             // 15%
	noteTime                // a number that is shown as a time
	noteScaled              // a number that is shown in thousands
	noteLost                // a number that has lost digits
	noteNoDate              // a number that is shown as a date, but is none
	noteNoNumber            // not a number where the file says so
	noteNested              // a list or an object where a value should be
	noteNoCurrency          // a price in what is no currency
	noteTwice               // one of several values
)

// flaws say why a cell is refused, in the order of the kinds.
var flaws = [...]struct {
	code        Code
	reason, fix string
}{
	noteBool:       {CodeWrongType, "The cell holds true or false, not a text or a number.", "Write the value itself; in a spreadsheet, format the cell as text first."},
	noteError:      {CodeFormula, "The formula in this cell ends in an error.", "Correct the formula, or type the value."},
	noteNoValue:    {CodeFormula, "The cell holds a formula, and the file does not hold its result.", "Open the file in your spreadsheet program and save it, or paste the values in place of the formulas."},
	notePercent:    {CodeWrongType, "The cell is formatted as a percentage.", "Write the price itself, and format the cell as a number."},
	noteTime:       {CodeWrongType, "The cell is formatted as a time.", "Format the cell as a number, or as a date."},
	noteScaled:     {CodeWrongType, "The cell is formatted in thousands: it shows another number than it holds.", "Format the cell as a number."},
	noteLost:       {CodeLostDigits, "The number has more than 15 digits; spreadsheets replace those after the 15th by zeros.", "Format the column as text, and type the value again."},
	noteNoDate:     {CodeNotADate, "The cell is formatted as a date, but holds none.", "Write it as 2030-12-31, or format the cell as a number."},
	noteNoNumber:   {CodeNotANumber, "The cell is of the type number, but holds none.", "Type the value again."},
	noteNoCurrency: {CodeUnknownCurrency, "The currency of this price is not one that we know.", "Use an ISO 4217 code such as EUR."},
	noteTwice:      {CodeTwice, "The object has this key twice.", "Keep one of them."},
	noteNested:     {CodeWrongType, "There is a list or an object where a single value should be.", "Write the value itself; a price is a number, a text, or {\"amount\": \"19.90\", \"currency\": \"EUR\"}."},
}

// turnedIntoDate is what happens to values such as 3-1 or 12.05 in a spreadsheet.
const turnedIntoDate, turnBack = "The spreadsheet has turned the value into a date.", "Format the column as text, and type the value again."

// noted returns the note about the i-th cell.
func (r *record) noted(i int) note {
	if i < 0 || i >= len(r.notes) {
		return note{}
	}
	return r.notes[i]
}

// flawed reports whether a cell with this note is refused in a column of that
// meaning, whatever its text is.
func (n note) flawed(means Meaning) bool {
	return n.kind >= noteDate && means != "" && (n.kind > noteDate || !means.date())
}

// judgeNotes replaces the errors about cells that no text could mend.
func (c *cells) judgeNotes(rec *record, row *Row, errs []RowError) []RowError {
	var found []RowError
	fail := func(i int, code Code, reason, fix string) {
		found = append(found, RowError{Line: rec.line, Column: c.layout.name(i), Value: show(rec.cell(i)), Code: code, Reason: reason, Fix: fix})
	}
	for i, n := range rec.notes {
		switch {
		case i >= len(c.layout.Columns) || !n.flawed(c.layout.Columns[i].Means):
		case n.kind == noteDate:
			fail(i, CodeWrongType, turnedIntoDate, turnBack)
		default:
			fail(i, flaws[n.kind].code, flaws[n.kind].reason, flaws[n.kind].fix)
		}
	}
	if len(found) == 0 {
		return errs
	}
	if i := c.layout.index(MeansSKU); rec.noted(i).kind >= noteDate {
		row.SKU = "" // it is not what was meant
		row.Ref = Ref{}
	}
	for _, e := range errs {
		if !slices.ContainsFunc(found, func(f RowError) bool { return f.Column == e.Column && e.Column != "" }) {
			found = append(found, e)
		}
	}
	return found
}
