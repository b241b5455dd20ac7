package pull

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestADailyTimeIsThatOfTheZoneThroughTheYear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ at, zone, now, want string }{
		{"06:30", "Europe/Rome", "2026-01-10T05:29:59Z", "2026-01-10T05:30:00Z"},
		{"06:30", "Europe/Rome", "2026-01-10T05:30:00Z", "2026-01-11T05:30:00Z"}, // never twice the same
		{"06:30", "Europe/Rome", "2026-07-10T05:30:00Z", "2026-07-11T04:30:00Z"},
		{"00:30", "Asia/Tokyo", "2026-12-31T15:31:00Z", "2027-01-01T15:30:00Z"},
		{"23:45", "America/Los_Angeles", "2026-11-22T09:00:00Z", "2026-11-23T07:45:00Z"},
		// Rome's clocks go from 2:00 to 3:00 on 29 March: what is between is at 3:00.
		{"02:30", "Europe/Rome", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"02:00", "Europe/Rome", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"03:00", "Europe/Rome", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"02:30", "Europe/Rome", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		// And from 3:00 back to 2:00 on 25 October: what is there twice is the first.
		{"02:30", "Europe/Rome", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"02:30", "Europe/Rome", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"03:00", "Europe/Rome", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"},
		// Half an hour, south of the equator.
		{"02:15", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"},
		// Samoa had no 30 December 2011: all of it is at the end of the 29th.
		{"10:00", "Pacific/Apia", "2011-12-29T21:00:00Z", "2011-12-30T10:00:00Z"},
	} {
		s := Schedule{DailyAt: c.at, Zone: c.zone}
		if err := s.check(); err != nil {
			t.Error(err)
		}
		if got := s.next(time.Time{}, at(t, c.now)); !got.Equal(at(t, c.want)) {
			t.Errorf("%s in %s after %s is %s, want %s", c.at, c.zone, c.now, got.UTC().Format(time.RFC3339), c.want)
		}
	}
}

func TestADailyTimeComesOnceEveryDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "America/Sao_Paulo", "UTC", "Africa/Casablanca"}).Draw(t, "zone")
		minute := rapid.IntRange(0, 24*60-1).Draw(t, "minute")
		s := Schedule{DailyAt: time.Date(0, 1, 1, 0, minute, 0, 0, time.UTC).Format(clockForm), Zone: zone}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "now"), 0)
		last := now
		for i := range 400 {
			next := s.next(last, last)
			if !next.After(last) || next.Sub(last) > 26*time.Hour || i > 0 && next.Sub(last) < 22*time.Hour {
				t.Fatalf("%v: after %s comes %s", s, last, next)
			}
			local := next.In(loc)
			if local.Format(clockForm) != s.DailyAt {
				// Only the end of a gap may stand in.
				if start, _ := local.ZoneBounds(); !start.Equal(next) {
					t.Fatalf("%v: %s is %s there", s, next, local)
				}
			}
			last = next
		}
	})
}

func TestStepsOfMinutesDoNotDrift(t *testing.T) {
	t.Parallel()
	s := Schedule{EveryMinutes: 15}
	began := at(t, "2026-11-22T09:00:00Z")
	for after, want := range map[time.Duration]int{0: 15, 40 * time.Second: 15, 15 * time.Minute: 30, 44 * time.Minute: 45, 45*time.Minute - 1: 45, -time.Minute: 15} {
		if got := s.next(began, began.Add(after)); !got.Equal(began.Add(time.Duration(want) * time.Minute)) {
			t.Errorf("%s later the next is at %s, want %d minutes", after, got.Format(time.TimeOnly), want)
		}
	}
}

func TestASchedulesMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for _, s := range []Schedule{
		{}, {EveryMinutes: 14}, {EveryMinutes: -60}, {EveryMinutes: 7*24*60 + 1}, {EveryMinutes: 60, DailyAt: "06:30", Zone: "UTC"}, {EveryMinutes: 60, Zone: "UTC"},
		{DailyAt: "06:30"}, {DailyAt: "06:30", Zone: "Local"}, {DailyAt: "06:30", Zone: "Europe/Atlantis"}, {DailyAt: "06:30", Zone: "../etc/passwd"},
		{DailyAt: "6:30", Zone: "UTC"}, {DailyAt: "24:00", Zone: "UTC"}, {DailyAt: "06:60", Zone: "UTC"}, {DailyAt: "06:30:00", Zone: "UTC"}, {Zone: "UTC"},
	} {
		if err := s.check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v gives %v", s, err)
		}
	}
}
