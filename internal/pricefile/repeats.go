package pricefile

import (
	"encoding/json"
	"hash/maphash"

	"pricemanager/internal/price"
)

// rowKey is what a row is about.
type rowKey struct {
	marketplace price.MarketplaceID
	sku         price.SKU
}

// repeat is an offer that several rows are about.
type repeat struct {
	first    int // line of the first row
	conflict int // line of the first row that says something else, 0 for none
	says     uint64
}

// prints is a set of 64-bit fingerprints: eight bytes an entry where a map
// takes five times as much. A fingerprint that occurs twice is only a
// suspicion; findRepeats compares the rows themselves.
type prints struct {
	seed  maphash.Seed
	table []uint64 // power of two; 0 is free
	used  int
}

func newPrints() prints { return prints{seed: maphash.MakeSeed(), table: make([]uint64, 1024)} }

func (p *prints) of(m price.MarketplaceID, sku []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.WriteString(string(m)) // hash.Hash never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(sku)
	return h.Sum64() | 1
}

// add puts a fingerprint in and reports whether it was there before.
func (p *prints) add(print uint64) bool {
	if p.used*4 > len(p.table)*3 {
		old := p.table
		p.table, p.used = make([]uint64, 2*len(old)), 0
		for _, v := range old {
			if v != 0 {
				p.add(v)
			}
		}
	}
	mask := uint64(len(p.table) - 1)
	for i := (print >> 1) & mask; ; i = (i + 1) & mask {
		switch p.table[i] {
		case 0:
			p.table[i] = print
			p.used++
			return false
		case print:
			return true
		}
	}
}

// notice remembers in the first pass what a row is about.
func (f *File) notice(sku, market []byte) {
	m, ok := f.markets.find(market)
	if !ok || len(sku) == 0 {
		return
	}
	if print := f.prints.of(m.ID, sku); f.prints.add(print) {
		if f.suspect == nil {
			f.suspect = map[uint64]bool{}
		}
		f.suspect[print] = true
	}
}

// isSuspect reports whether another row may be about the same offer.
func (f *File) isSuspect(row *Row) bool {
	return len(f.suspect) > 0 && row.Marketplace != "" && row.SKU != "" &&
		f.suspect[f.prints.of(row.Marketplace, []byte(row.SKU))]
}

// findRepeats is the pass that compares the rows about the same offer. A row
// with an error of its own is in conflict with the others: nobody knows what it
// was meant to say.
func (f *File) findRepeats() {
	f.repeats = map[rowKey]*repeat{}
	c := newCells(f)
	for rec := range f.records() {
		row, errs := c.row(rec)
		if !f.isSuspect(&row) {
			continue
		}
		says := uint64(0)
		if len(errs) == 0 {
			says = f.saying(row.Edit)
		}
		key := rowKey{row.Marketplace, row.SKU}
		r := f.repeats[key]
		switch {
		case r == nil:
			f.repeats[key] = &repeat{first: row.Line, says: says}
		case r.conflict == 0 && (r.says == 0 || r.says != says):
			r.conflict = row.Line
		}
	}
}

// saying is a fingerprint of an edit, never 0.
func (f *File) saying(e price.Edit) uint64 {
	text, err := json.Marshal(e)
	if err != nil {
		return 0 // equals nothing, so that the rows are refused
	}
	return maphash.Bytes(f.prints.seed, text) | 1
}

// judgeRepeat completes a row that others are about, too.
func (f *File) judgeRepeat(row *Row, errs *[]RowError) {
	if !f.isSuspect(row) {
		return
	}
	r := f.repeats[rowKey{row.Marketplace, row.SKU}]
	switch {
	case r == nil:
	case r.conflict != 0:
		elsewhere := r.first
		if row.Line == r.first {
			elsewhere = r.conflict
		}
		c := cells{line: row.Line}
		c.fail(f.layout.header(MeansSKU), []byte(row.SKU), CodeDuplicate, "Keep one of the rows.",
			"Line %d is about the same SKU and marketplace and says something else.", elsewhere)
		*errs = append(*errs, c.errors...)
	case row.Line != r.first:
		row.SameAs = r.first
	}
}
