package lane

import "slices"

// overtake has rows of other batches that wait to be sent for the same offers
// looked at again before they are: they were announced when these rows were not
// sent yet. It happens when a batch was stopped and lets a newer one pass, or
// when that one is urgent. Sent after it, the older price would be Amazon's last.
func (d *driver) overtake(rows []*row) {
	for _, w := range d.works {
		w.ready = slices.DeleteFunc(w.ready, func(waits *row) bool {
			passed := slices.ContainsFunc(rows, func(r *row) bool { return r.key == waits.key })
			if passed {
				w.unsent(waits)
				w.again = append(w.again, waits)
			}
			return passed
		})
	}
}
