package watch

import (
	"slices"
	"time"
)

const (
	// maxSubjects bounds the windows that a series has open at once.
	maxSubjects = 32
	// maxCount bounds a sum, so that no number in an event can overflow one.
	maxCount = 1 << 50
	// multiple and deviations are how far above the median a sum has to be: three
	// times, and five median deviations (some 3.4 standard deviations of what is
	// spread normally).
	multiple, deviations = 3, 5
)

// limits say what a series counts and when it is too much.
type limits struct {
	kind  Kind
	width time.Duration
	floor int64 // up to here nothing is suspicious
	unit  string
}

// series counts what several subjects do, in windows of equal width. A sum is that of
// the current window and the one before it, so that no border hides anything.
type series struct {
	Open []window `json:"open,omitempty"` // one for each subject
	Past []int64  `json:"past,omitempty"` // sums of closed windows, the oldest first
}

type window struct {
	Subject string `json:"subject"`
	Start   int64  `json:"start"` // Unix seconds, a multiple of the width
	Sum     int64  `json:"sum"`
	Before  int64  `json:"before,omitempty"` // sum of the window before this one
	Events  int64  `json:"events"`           // in both
	First   int64  `json:"first"`            // leaf of the oldest of them
	Raised  bool   `json:"raised,omitempty"`
}

// count adds n of the subject at a time. It returns a finding when that is too much
// and was not yet said of this window.
func (s *series) count(l limits, subject string, at time.Time, n, leaf int64) *Finding {
	width := int64(l.width / time.Second)
	start := at.Unix() - at.Unix()%width
	s.close(l, start-2*width)
	i := slices.IndexFunc(s.Open, func(w window) bool { return w.Subject == subject })
	if i < 0 {
		if len(s.Open) == maxSubjects { // the one that is quiet for longest makes room, and teaches nothing
			i = slices.IndexFunc(s.Open, func(w window) bool { return w.Start == s.oldest() })
			s.Open = slices.Delete(s.Open, i, i+1)
		}
		s.Open = append(s.Open, window{Subject: subject, Start: start, First: leaf})
		i = len(s.Open) - 1
	}
	w := &s.Open[i]
	switch {
	case start > w.Start: // close left only the window before this one
		s.learn(l, *w)
		next := window{Subject: subject, Start: start, Before: w.Sum, First: w.First, Events: w.Events}
		if w.Raised {
			next.Before, next.First, next.Events = 0, leaf, 0 // that was said
		}
		*w = next
	case start < w.Start-width:
		return nil // so late that its windows are closed
	}
	w.Sum = min(w.Sum+min(max(n, 0), maxCount), maxCount)
	w.Events++
	usual := baselineOf(s.Past)
	limit := l.above(usual)
	if w.Raised || w.Sum+w.Before <= limit {
		return nil
	}
	w.Raised = true
	return &Finding{Kind: l.kind, Subject: subject, At: at, Unit: l.unit, Observed: w.Sum + w.Before, Limit: limit, Usual: usual.Median,
		Events: w.Events, First: w.First, Last: leaf}
}

// close learns from windows that ended long enough ago and forgets them.
func (s *series) close(l limits, upTo int64) {
	s.Open = slices.DeleteFunc(s.Open, func(w window) bool {
		if w.Start > upTo {
			return false
		}
		s.learn(l, w)
		return true
	})
}

// learn takes a closed window into the past. One that was too much counts as the most
// that would not have been: a habit changes the baseline, one night does not.
func (s *series) learn(l limits, w window) {
	if w.Sum > 0 {
		s.Past = remember(s.Past, min(w.Sum, l.above(baselineOf(s.Past))))
	}
}

func (s *series) oldest() int64 {
	return slices.MinFunc(s.Open, func(a, b window) int { return int(a.Start - b.Start) }).Start
}

// above is the largest sum that is not suspicious.
func (l limits) above(usual baseline) int64 {
	return max(l.floor, multiple*usual.Median, usual.Median+deviations*usual.Deviation)
}
