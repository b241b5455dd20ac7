package memory

import (
	"slices"
	"sort"
	"strings"

	"pricemanager/internal/store"
)

// partition holds the rows of one PK in SK order, in chunks of bounded size:
// finding, inserting and removing stay cheap with a million rows. No chunk is
// empty. The nil partition has no rows.
type partition struct{ chunks [][]*row }

const chunkSize = 256

// place is where a row is, or would be.
type place struct{ chunk, at int }

// search returns the first place whose row satisfies ok, which must be false
// for a beginning of the rows and true for the rest, or the place after the last.
func (p *partition) search(ok func(sk string) bool) place {
	c := sort.Search(len(p.chunks), func(i int) bool {
		last := p.chunks[i]
		return ok(last[len(last)-1].sk)
	})
	if c == len(p.chunks) {
		return place{chunk: c}
	}
	rows := p.chunks[c]
	return place{c, sort.Search(len(rows), func(i int) bool { return ok(rows[i].sk) })}
}

func (p *partition) find(sk string) (place, *row) {
	at := p.search(func(s string) bool { return s >= sk })
	if r := p.row(at); r != nil && r.sk == sk {
		return at, r
	}
	return at, nil
}

func (p *partition) row(at place) *row {
	if at.chunk < 0 || at.chunk >= len(p.chunks) {
		return nil
	}
	return p.chunks[at.chunk][at.at]
}

func (p *partition) get(sk string) *row {
	if p == nil {
		return nil
	}
	_, r := p.find(sk)
	return r
}

// set inserts the row or replaces the one with its SK.
func (p *partition) set(r *row) {
	at, old := p.find(r.sk)
	switch {
	case old != nil:
		p.chunks[at.chunk][at.at] = r
		return
	case len(p.chunks) == 0:
		p.chunks = append(p.chunks, []*row{r})
		return
	case at.chunk == len(p.chunks): // after the last row
		at.chunk--
		at.at = len(p.chunks[at.chunk])
	}
	rows := slices.Insert(p.chunks[at.chunk], at.at, r)
	p.chunks[at.chunk] = rows
	if len(rows) <= chunkSize {
		return
	}
	cut := len(rows) / 2
	if at.chunk == len(p.chunks)-1 && at.at == chunkSize {
		cut = chunkSize // rows that arrive in order fill their chunks
	}
	tail := append(make([]*row, 0, chunkSize+1), rows[cut:]...)
	clear(rows[cut:])
	p.chunks[at.chunk] = rows[:cut]
	p.chunks = slices.Insert(p.chunks, at.chunk+1, tail)
}

func (p *partition) remove(sk string) {
	at, old := p.find(sk)
	if old == nil {
		return
	}
	p.chunks[at.chunk] = slices.Delete(p.chunks[at.chunk], at.at, at.at+1)
	if len(p.chunks[at.chunk]) == 0 {
		p.chunks = slices.Delete(p.chunks, at.chunk, at.chunk+1)
	}
}

func (p *partition) empty() bool { return len(p.chunks) == 0 }

func (p *partition) next(at place) place {
	if at.at+1 < len(p.chunks[at.chunk]) {
		return place{at.chunk, at.at + 1}
	}
	return place{chunk: at.chunk + 1}
}

func (p *partition) before(at place) place {
	if at.at > 0 {
		return place{at.chunk, at.at - 1}
	}
	if at.chunk == 0 {
		return place{chunk: -1}
	}
	return place{at.chunk - 1, len(p.chunks[at.chunk-1]) - 1}
}

// page collects the rows that the query asks for, up to its limit or
// store.MaxPage, and says whether there are more.
func (p *partition) page(q store.Query) (rows []*row, more bool) {
	if p == nil {
		return nil, false
	}
	limit := q.Limit
	if limit == 0 {
		limit = store.DefaultLimit
	}
	at, step := p.search(func(sk string) bool { return sk > q.After && sk >= q.Prefix }), p.next
	if q.Reverse {
		end := p.search(func(sk string) bool {
			beyond := sk > q.Prefix && !strings.HasPrefix(sk, q.Prefix)
			return beyond || q.After != "" && sk >= q.After
		})
		at, step = p.before(end), p.before
	}
	size := 0
	for r := p.row(at); r != nil && strings.HasPrefix(r.sk, q.Prefix); r = p.row(at) {
		if len(rows) == limit || len(rows) > 0 && size+r.size > store.MaxPage {
			return rows, true
		}
		rows = append(rows, r)
		size += r.size
		at = step(at)
	}
	return rows, false
}
