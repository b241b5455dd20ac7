package connect

import "time"

// AuthorisationLife is how long an authorisation of a public application lasts:
// then the seller has to consent again (Amazon, "Renew Authorizations").
const AuthorisationLife = 365 * 24 * time.Hour

// Renewal says how urgent it is that the seller consents again.
type Renewal string

// The states of a renewal.
const (
	RenewalNone   Renewal = ""       // not authorised
	RenewalLater  Renewal = "later"  // more than 30 days
	RenewalMonth  Renewal = "month"  // within 30 days
	RenewalWeek   Renewal = "week"   // within 7 days
	RenewalDay    Renewal = "day"    // within a day
	RenewalMissed Renewal = "missed" // Amazon may refuse from now on
)

// Renewal returns by when the seller has to consent again, and how urgent it is.
func (c Connection) Renewal(now time.Time) (by time.Time, r Renewal) {
	if c.AuthorisedAt.IsZero() || c.State == Pending || c.State == Disconnected {
		return time.Time{}, RenewalNone
	}
	const day = 24 * time.Hour
	by = c.AuthorisedAt.Add(AuthorisationLife)
	switch left := by.Sub(now); {
	case left <= 0:
		return by, RenewalMissed
	case left <= day:
		return by, RenewalDay
	case left <= 7*day:
		return by, RenewalWeek
	case left <= 30*day:
		return by, RenewalMonth
	}
	return by, RenewalLater
}
