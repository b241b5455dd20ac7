package lane

import (
	"maps"
	"slices"
	"sort"
	"time"
)

// reads keeps the rows of one marketplace that wait for a read-back, those due
// first in front. A row that was given another time leaves a mark in its old
// place, which is passed over: the row's count of waits tells.
type reads struct{ marks []mark }

type mark struct {
	at    time.Time
	waits int
	r     *row
}

// await has a row read back from a time on.
func (d *driver) await(r *row, at time.Time) {
	r.readAt = at
	r.waits++
	q := d.due[r.Marketplace]
	if q == nil {
		q = &reads{}
		d.due[r.Marketplace] = q
	}
	// Behind those due at the same time, so that ties are decided the same way
	// every time. Most rows come in order and go to the end.
	i := sort.Search(len(q.marks), func(i int) bool { return q.marks[i].at.After(at) })
	q.marks = slices.Insert(q.marks, i, mark{at, r.waits, r})
}

// rest takes a row out of those that wait.
func (r *row) rest() {
	r.readAt = time.Time{}
	r.waits++
}

// first returns the first rows that wait and fit, not more than fill one call
// and none that is due after until.
func (q *reads) first(until time.Time, fits func(*row) bool) []*row {
	var out []*row
	kept, i := 0, 0
	for ; i < len(q.marks) && len(out) < perRead && !q.marks[i].at.After(until); i++ {
		m := q.marks[i]
		if m.waits != m.r.waits {
			continue
		}
		q.marks[kept] = m
		kept++
		if fits(m.r) {
			out = append(out, m.r)
		}
	}
	q.marks = slices.Delete(q.marks, kept, i)
	return out
}

func anyRow(*row) bool { return true }

// nextRead returns when the next read-back is worth a call, the zero time when
// no row waits for one.
func (d *driver) nextRead() (at time.Time) {
	for _, q := range d.due {
		rows := q.first(forever, anyRow)
		if len(rows) == 0 {
			continue
		}
		if t := ripe(rows); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// ripe is when rows are worth a call: once a full call is due, or the first row
// has waited for company long enough.
func ripe(rows []*row) time.Time {
	at := rows[0].readAt.Add(fill)
	if len(rows) >= perRead {
		at = earlier(at, rows[perRead-1].readAt)
	}
	return at
}

// dueRows picks up to 20 rows of one marketplace to read now: of the one whose
// first row has waited longest.
func (d *driver) dueRows(now time.Time) []*row {
	var best *reads
	var longest *row
	for _, m := range slices.Sorted(maps.Keys(d.due)) {
		rows := d.due[m].first(forever, anyRow)
		if len(rows) > 0 && !ripe(rows).After(now) && (best == nil || rows[0].readAt.Before(longest.readAt)) {
			best, longest = d.due[m], rows[0]
		}
	}
	if best == nil {
		return nil
	}
	// A SKU with a comma cannot be told from two SKUs in a search: it is read alone.
	if hasComma(longest.SKU) {
		return []*row{longest}
	}
	return best.first(now, func(r *row) bool { return !hasComma(r.SKU) })
}
