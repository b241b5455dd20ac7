package soak

import (
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// What has to hold so that work is found again whoever dies: a marker stands
// for all open work, a lane is left with a ring, and nobody drives one beyond
// the time that a function has.

// timeLimit is how long a function may run before it is cut off.
const timeLimit = 75 * time.Second

// lastSpell is the part of the time limit in which a worker only finishes what
// it has in hand: Slice ends after 50 s.
const lastSpell = 25 * time.Second

// limit cuts a process off at the time limit, as Lambda does. A worker that
// nothing held up has handed its lane over long before.
func (w *world) limit(p *process) {
	w.s.after(timeLimit, func() {
		if p.ended || p.dead {
			return
		}
		w.trace(p, "is cut off by the time limit")
		if !p.froze && w.s.now-p.slowAt > lastSpell {
			w.lostHandOvers++
			w.breach(nil, "process %d was still at work when its time limit came", p.id)
		}
		w.s.kill(p)
	})
}

// leaving is how a lane was left by its last owner.
type leaving struct {
	by    int64 // process
	works []string
}

func (w *world) laneOf(r store.Record) *connection {
	return w.conns[price.ConnectionID(strings.TrimPrefix(r.Key.PK, "lane#"))]
}

// laneRecord notes which work a lane is left with. Work whose batch is still
// being announced does not count: the ring for it is yet to come.
func (w *world) laneRecord(r store.Record) {
	c := w.laneOf(r)
	if r.New != nil && r.New.Int("until") != 0 {
		c.last = leaving{} // it has an owner
	}
	if r.Old == nil || r.New == nil || r.Old.Int("until") == 0 || r.New.Int("until") != 0 {
		return
	}
	l := leaving{}
	if _, err := fmt.Sscanf(r.New.Str("owner"), "p%d-", &l.by); err != nil {
		w.breach(nil, "%s has owner %q", r.Key.PK, r.New.Str("owner"))
	}
	if r.New.Str("parked") == "" {
		for b := range c.works {
			if !w.markers[applyMarker(c, b)] {
				l.works = append(l.works, b)
			}
		}
	}
	c.last = l
}

// checkHandOver checks that a process which left a lane with work has rung.
func (w *world) checkHandOver(p *process, d lane.Doorbell) {
	w.watch()
	c := w.conns[d.Connection]
	if d.Kind == lane.KindLane && c.last.by == p.id && len(c.last.works) > 0 && !p.rang[d.Connection] {
		w.lostHandOvers++
		w.breach(nil, "lane %s was left with %d batches under way and nobody was rung for", d.Connection, len(c.last.works))
	}
}

func laneMarker(c *connection) string { return string(c.t.id) + "/lane/" + string(c.id) }

func applyMarker(c *connection, batch string) string { return string(c.t.id) + "/apply/" + batch }

// markerRecord checks that no marker goes while it is the only sign of work.
func (w *world) markerRecord(r store.Record) {
	if w.markers[r.Key.SK] = r.New != nil; r.New != nil {
		return
	}
	delete(w.markers, r.Key.SK)
	owner, _, _ := strings.Cut(r.Key.SK, "/")
	for _, c := range w.seller(tenant.ID(owner)).conns {
		for b := range c.works {
			if !w.markers[laneMarker(c)] && !w.markers[applyMarker(c, b)] {
				w.lostHandOvers++
				w.breach(nil, "marker %s is closed with work of %s open in lane %s", r.Key.SK, b, c.id)
			}
		}
	}
}

// workRecord follows which batches a lane has work of.
func (w *world) workRecord(r store.Record) {
	c, b := w.laneOf(r), strings.TrimPrefix(r.Key.SK, "work#")
	if r.New == nil {
		delete(c.works, b)
		return
	}
	c.works[b] = true
}
