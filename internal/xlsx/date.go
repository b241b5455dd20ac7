package xlsx

import "time"

// lastDay is 9999-12-31, where Excel's calendar ends, as a day number of 1900.
const lastDay = 2_958_465

// appendDate writes a day number as the date that Excel shows. Day 1 is
// 1900-01-01; day 60 is 1900-02-29, which Excel has from Lotus 1-2-3 and the
// calendar has not, so that it is no date. In the 1904 system day 0 is
// 1904-01-01. The part behind the point is the time of day, rounded to seconds.
func appendDate(out []byte, d decimal, clock, from1904 bool) ([]byte, bool) {
	if d.negative || d.point > 7 {
		return out, false
	}
	day := int64(0)
	for i := range max(d.point, 0) {
		day *= 10
		if i < len(d.digits) {
			day += int64(d.digits[i] - '0')
		}
	}
	var epoch time.Time
	switch {
	case from1904 && day <= lastDay-1462:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case from1904 || day < 1 || day == 60 || day > lastDay:
		return out, false
	case day < 60:
		epoch = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	default:
		epoch = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	}
	at := epoch.AddDate(0, 0, int(day))
	if !clock {
		return at.AppendFormat(out, time.DateOnly), true
	}
	at = at.Add(time.Duration(d.secondsOfDay()) * time.Second)
	return at.AppendFormat(out, "2006-01-02T15:04:05"), true
}

// secondsOfDay is what the digits behind the point say, times 86,400, rounded.
// Twelve of them are a tenth of a microsecond.
func (d *decimal) secondsOfDay() int64 {
	const places, one = 12, 1_000_000_000_000
	fraction := int64(0)
	for i := d.point; i < d.point+places; i++ {
		fraction *= 10
		if i >= 0 && i < len(d.digits) {
			fraction += int64(d.digits[i] - '0')
		}
	}
	return (fraction*86_400 + one/2) / one
}
