package pull

import (
	"time"
	_ "time/tzdata" // a function's machine need not have one

	"pricemanager/internal/fault"
)

const (
	leastMinutes = 15
	mostMinutes  = 7 * 24 * 60
	clockForm    = "15:04"
)

// Schedule says when a file is fetched: every so many minutes, or every day at a
// time of a zone.
type Schedule struct {
	EveryMinutes int    `json:"everyMinutes,omitempty"`
	DailyAt      string `json:"dailyAt,omitempty"` // such as 06:30
	Zone         string `json:"zone,omitempty"`    // such as Europe/Rome
}

func (s Schedule) check() error {
	if s.EveryMinutes != 0 {
		if s.DailyAt != "" || s.Zone != "" || s.EveryMinutes < leastMinutes || s.EveryMinutes > mostMinutes {
			return fault.New(fault.Invalid, "schedule", "everyMinutes is a number from %d to %d, and stands alone in the schedule.", leastMinutes, mostMinutes)
		}
		return nil
	}
	if _, err := time.Parse(clockForm, s.DailyAt); err != nil || len(s.DailyAt) != len(clockForm) {
		return fault.New(fault.Invalid, "schedule", `The schedule is {"everyMinutes": 60} or {"dailyAt": "06:30", "zone": "Europe/Rome"}.`)
	}
	// "" and "Local" would be whatever our machines are set to.
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "" || s.Zone == "Local" {
		return fault.New(fault.Invalid, "schedule", "zone is %q: want a name of the time zone database, such as Europe/Rome.", s.Zone)
	}
	return nil
}

// first is when a source that is set now is fetched for the first time.
func (s Schedule) first(now time.Time) time.Time {
	if s.EveryMinutes != 0 {
		return now
	}
	return s.next(now, now)
}

// next is the first time after now. Steps of minutes are counted from the time
// before, so that they do not drift by what a run takes.
func (s Schedule) next(before, now time.Time) time.Time {
	if s.EveryMinutes != 0 {
		step := time.Duration(s.EveryMinutes) * time.Minute
		return before.Add(max(now.Sub(before), 0).Truncate(step) + step)
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil { // it was checked, and is part of the program
		zone = time.UTC
	}
	at, err := time.Parse(clockForm, s.DailyAt)
	if err != nil {
		at = time.Time{}
	}
	y, m, d := now.In(zone).Date()
	for day := d; ; day++ {
		if t := wall(time.Date(y, m, day, at.Hour(), at.Minute(), 0, 0, time.UTC), zone); t.After(now) {
			return t
		}
	}
}

// wall is when clocks in a zone first show what t shows in UTC, or, on a day on
// which they are put forward over it, when that happens.
func wall(t time.Time, zone *time.Location) time.Time {
	// The offset is the one of the day before or of the day after. The earlier of
	// the two moments comes with the larger offset.
	_, before := t.Add(-24 * time.Hour).In(zone).Zone()
	_, after := t.Add(24 * time.Hour).In(zone).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		u := t.Add(-time.Duration(offset) * time.Second)
		if _, is := u.In(zone).Zone(); is == offset {
			return u
		}
	}
	// Neither shows it: it lies in the gap, which ends at the change of the clocks.
	change, _ := t.Add(-time.Duration(before) * time.Second).In(zone).ZoneBounds()
	return change.UTC()
}
