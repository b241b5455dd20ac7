package pricefile

import "time"

// dateEvidence collects what the values of a date column prove about the
// order of day and month in 01/02/2030.
type dateEvidence struct{ dayFirst, monthFirst bool }

func (e *dateEvidence) add(b []byte) {
	if first, second, ok := slashes(b); ok {
		e.dayFirst = e.dayFirst || first > 12
		e.monthFirst = e.monthFirst || second > 12
	}
}

func (e dateEvidence) String() string {
	switch {
	case e.dayFirst && e.monthFirst:
		return "both ways"
	case e.dayFirst:
		return "day first"
	case e.monthFirst:
		return "month first"
	}
	return ""
}

// slashes reads the two numbers before the year of 01/02/2030.
func slashes(b []byte) (first, second int, ok bool) {
	if len(b) != 10 || b[2] != '/' || b[5] != '/' {
		return 0, 0, false
	}
	first, ok1 := decimalInt(b[:2])
	second, ok2 := decimalInt(b[3:5])
	_, ok3 := decimalInt(b[6:])
	return first, second, ok1 && ok2 && ok3
}

func decimalInt(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if !digit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// Date-times that are understood beside plain days. Without a zone they are UTC.
var stamps = []string{
	time.RFC3339, "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
}

// parseDate reads a day (2030-12-31, 31.12.2030, or 31/12/2030 where the column
// proves the order) or an ISO 8601 date-time, and says whether it was a day.
// The answer is in UTC with a precision of one second. The code is "" when the
// text is a date.
func parseDate(b []byte, e dateEvidence) (at time.Time, isDay bool, code Code) {
	if len(b) == 10 {
		switch {
		case b[4] == '-' && b[7] == '-':
			return day(b[:4], b[5:7], b[8:])
		case b[2] == '.' && b[5] == '.':
			return day(b[6:], b[3:5], b[:2])
		}
		if first, second, ok := slashes(b); ok {
			if first > 12 || second <= 12 && e.dayFirst && !e.monthFirst {
				return day(b[6:], b[3:5], b[:2])
			}
			if second <= 12 {
				return time.Time{}, false, CodeAmbiguousDate
			}
		}
		return time.Time{}, false, CodeNotADate
	}
	if len(b) > len("2006-01-02T15:04:05.000000000+00:00") {
		return time.Time{}, false, CodeNotADate
	}
	for _, layout := range stamps {
		if t, err := time.Parse(layout, string(b)); err == nil {
			if t = t.UTC().Truncate(time.Second); sane(t) {
				return t, false, ""
			}
			return time.Time{}, false, CodeNotADate
		}
	}
	return time.Time{}, false, CodeNotADate
}

func day(year, month, dayOfMonth []byte) (time.Time, bool, Code) {
	y, ok1 := decimalInt(year)
	m, ok2 := decimalInt(month)
	d, ok3 := decimalInt(dayOfMonth)
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	// time.Date carries 31 April over to 1 May; a price file does not mean that.
	if !ok1 || !ok2 || !ok3 || t.Day() != d || t.Month() != time.Month(m) || !sane(t) {
		return time.Time{}, false, CodeNotADate
	}
	return t, true, ""
}

// sane keeps out the years that only a mistyped date has, and that a reader of
// our answers might not take.
func sane(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 3000 }
