package pricefile

import (
	"bytes"
	"time"
)

// dateEvidence collects what the values of a date column prove about the
// order of day and month in 01/02/2030.
type dateEvidence struct {
	dayFirst, monthFirst bool
	proof                Proof // the first value that proved anything
}

func (e *dateEvidence) observe(line int, b []byte) {
	first, second, _, sep := dayParts(b)
	if sep != '/' {
		return
	}
	e.dayFirst = e.dayFirst || first > 12
	e.monthFirst = e.monthFirst || second > 12
	if e.proof.Line == 0 && (first > 12 || second > 12) {
		e.proof = Proof{line, show(b)}
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

// dayParts reads the three numbers of 1.2.2030, 01/02/2030 or 01-02-2030. The
// separator is '.' or '/', which also stands for '-', or 0 when the text is none
// of these.
func dayParts(b []byte) (first, second, year int, sep byte) {
	if len(b) < 8 || len(b) > 10 {
		return 0, 0, 0, 0
	}
	i := bytes.IndexAny(b, "./-")
	if i < 1 || i > 2 {
		return 0, 0, 0, 0
	}
	j := bytes.IndexByte(b[i+1:], b[i]) + i + 1
	if j < i+2 || j > i+3 || len(b)-j-1 != 4 {
		return 0, 0, 0, 0
	}
	first, ok1 := decimalInt(b[:i])
	second, ok2 := decimalInt(b[i+1 : j])
	year, ok3 := decimalInt(b[j+1:])
	if !ok1 || !ok2 || !ok3 {
		return 0, 0, 0, 0
	}
	if sep = b[i]; sep == '-' {
		sep = '/'
	}
	return first, second, year, sep
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

// Date-times that are understood beside plain days: those that say their zone.
var stamps = []string{
	time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00",
	"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04 Z07:00",
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z0700", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z0700",
	"2006-01-02 15:04:05 UTC", "2006-01-02 15:04 UTC",
}

// local are date-times that do not. They are refused: a sale that begins hours
// early sells at the wrong price, and the seller's zone is as good a guess as
// the marketplace's.
var local = []string{
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
	"02.01.2006 15:04:05", "02.01.2006 15:04", "02/01/2006 15:04:05", "02/01/2006 15:04", "01/02/2006 15:04:05", "01/02/2006 15:04",
}

// parseDate reads a day (2030-12-31, 31.12.2030, or 31/12/2030 where the column
// proves the order) or an ISO 8601 date-time with its zone, and says whether it
// was a day. A day begins at midnight UTC. The answer is in UTC with a precision
// of one second. The code is "" when the text is a date.
func parseDate(b []byte, e dateEvidence) (at time.Time, isDay bool, code Code) {
	if len(b) == 10 && b[4] == '-' && b[7] == '-' {
		y, ok1 := decimalInt(b[:4])
		m, ok2 := decimalInt(b[5:7])
		d, ok3 := decimalInt(b[8:])
		if !ok1 || !ok2 || !ok3 {
			return time.Time{}, false, CodeNotADate
		}
		return day(y, m, d)
	}
	switch first, second, year, sep := dayParts(b); {
	case sep == '.', sep == '/' && (first > 12 || second <= 12 && e.dayFirst && !e.monthFirst):
		return day(year, second, first)
	case sep == '/' && e.monthFirst && !e.dayFirst:
		return day(year, first, second)
	case sep == '/' && second <= 12:
		return time.Time{}, false, CodeAmbiguousDate
	case sep == '/':
		return time.Time{}, false, CodeNotADate
	}
	if len(b) > len("2006-01-02T15:04:05.000000000 +00:00") {
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
	for _, layout := range local {
		if _, err := time.Parse(layout, string(b)); err == nil {
			return time.Time{}, false, CodeNoZone
		}
	}
	return time.Time{}, false, CodeNotADate
}

func day(y, m, d int) (time.Time, bool, Code) {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	// time.Date carries 31 April over to 1 May; a price file does not mean that.
	if t.Day() != d || t.Month() != time.Month(m) || !sane(t) {
		return time.Time{}, false, CodeNotADate
	}
	return t, true, ""
}

// sane keeps out the years that only a mistyped date has, and that a reader of
// our answers might not take.
func sane(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 3000 }
