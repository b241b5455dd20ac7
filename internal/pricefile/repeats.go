package pricefile

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"

	"pricemanager/internal/price"
)

// repeat is an offer that several rows are about.
type repeat struct {
	says     uint64 // what the first row says, 0 when it has errors
	first    uint32 // line of the first row, 0 until it was met
	conflict uint32 // line of the first row that says something else, 0 for none
}

// prints gathers a fingerprint of what each row is about: eight bytes a row, in
// parts by the first byte, which are small enough to be searched fast one by
// one. Two offers that share a fingerprint are taken for one, and then their
// rows are refused or held to be the same: in a file of MaxRows rows the chance
// is below one in nine million.
type prints struct {
	seed  maphash.Seed
	parts [256][][]uint64
}

// The lowest bit of a fingerprint is 0 and the next one is 1.
const (
	printMark = uint64(1)
	printSet  = uint64(2)
)

func newPrints() prints { return prints{seed: maphash.MakeSeed()} }

func (p *prints) of(m price.MarketplaceID, about []byte) uint64 {
	h := maphash.Bytes(p.seed, about) ^ bits.RotateLeft64(maphash.String(p.seed, string(m)), 23)
	return h&^printMark | printSet
}

// add gathers a fingerprint. Memory is taken in steps and never copied.
func (p *prints) add(print uint64) {
	part := &p.parts[print>>56]
	last := len(*part) - 1
	if last < 0 || len((*part)[last]) == cap((*part)[last]) {
		size := 16
		if last >= 0 {
			size = min(2*cap((*part)[last]), 512)
		}
		*part = append(*part, make([]uint64, 0, size))
		last++
	}
	(*part)[last] = append((*part)[last], print)
}

// repeated returns the fingerprints that were added more than once, in order,
// and forgets all.
func (p *prints) repeated() []uint64 {
	var found [len(p.parts)][]uint64
	table := make([]uint64, 1024) // length is a power of two; 0 is free
	for i := range p.parts {
		used, repeated := 0, 0
		clear(table)
		for _, piece := range p.parts[i] {
			for _, print := range piece {
				at := place(table, print)
				switch *at {
				case 0:
					*at = print
					if used++; 2*used > len(table) {
						table = doubled(table)
					}
				case print:
					*at |= printMark
					repeated++
				}
			}
		}
		p.parts[i] = nil
		if repeated == 0 {
			continue
		}
		found[i] = make([]uint64, 0, repeated)
		for _, v := range table {
			if v&printMark != 0 {
				found[i] = append(found[i], v&^printMark)
			}
		}
		slices.Sort(found[i])
	}
	return slices.Concat(found[:]...)
}

// place is where a fingerprint is in the table, marked or not, or would go.
func place(table []uint64, print uint64) *uint64 {
	mask := uint64(len(table) - 1)
	for i := (print >> 2) & mask; ; i = (i + 1) & mask {
		if v := table[i]; v == 0 || v&^printMark == print {
			return &table[i]
		}
	}
}

func doubled(old []uint64) []uint64 {
	table := make([]uint64, 2*len(old))
	for _, v := range old {
		if v != 0 {
			*place(table, v&^printMark) = v
		}
	}
	return table
}

// notice remembers in the first pass what a row is about.
func (f *File) notice(about, market []byte) {
	if m, ok := f.markets.find(market); ok && len(about) > 0 {
		f.prints.add(f.prints.of(m.ID, about))
	}
}

// repeatOf returns what is known about the offer of a row when another row may
// be about it, too; nil otherwise.
func (f *File) repeatOf(row *Row) *repeat {
	if len(f.suspects) == 0 || row.Marketplace == "" || row.Ref.Value == "" {
		return nil
	}
	i, ok := slices.BinarySearch(f.suspects, f.prints.of(row.Marketplace, []byte(row.Ref.Value)))
	if !ok {
		return nil
	}
	return &f.repeats[i]
}

// findRepeats is the pass that compares the rows about the same offer; it takes
// place only when there are any. A row with an error of its own is in conflict
// with the others: nobody knows what it was meant to say.
func (f *File) findRepeats() {
	if f.suspects = f.prints.repeated(); len(f.suspects) == 0 {
		return
	}
	f.repeats = make([]repeat, len(f.suspects))
	c := newCells(f)
	var row Row
	var text []byte
	for rec := range f.records() {
		errs := c.row(rec, &row)
		r := f.repeatOf(&row)
		if r == nil {
			continue
		}
		says := uint64(0)
		if len(errs) == 0 {
			text = appendRow(text[:0], &row)
			says = maphash.Bytes(f.prints.seed, text) | 1
		}
		switch {
		case r.first == 0:
			r.first, r.says = uint32(row.Line), says
		case r.conflict == 0 && (r.says == 0 || r.says != says):
			r.conflict = uint32(row.Line)
		}
	}
}

// appendRow writes what a row says about its offer, so that two rows say the
// same exactly when their texts are equal.
func appendRow(out []byte, row *Row) []byte {
	out = append(append(out, row.ASIN.Value...), 0)
	out = append(append(out, row.EAN.Value...), 0)
	e, s := &row.Edit, &row.Edit.Set
	for _, m := range [...]*price.Money{s.Our, s.Min, s.Max, s.B2B} {
		out = appendMoney(out, m)
	}
	if s.Sale == nil {
		out = append(out, 0)
	} else {
		out = appendMoney(append(out, 1), &s.Sale.Price)
		for _, at := range [...]int64{s.Sale.Start.Unix(), s.Sale.End.Unix()} { // whole seconds
			out = binary.AppendVarint(out, at)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(s.Tiers)))
	for i := range s.Tiers {
		out = appendMoney(binary.AppendVarint(out, int64(s.Tiers[i].Quantity)), &s.Tiers[i].Price)
	}
	out = binary.AppendUvarint(out, uint64(len(e.Clear)))
	for _, f := range e.Clear {
		out = append(append(out, f...), 0)
	}
	return out
}

func appendMoney(out []byte, m *price.Money) []byte {
	if m == nil {
		return append(out, 0)
	}
	out = binary.AppendVarint(append(out, 1), m.Minor())
	return append(append(out, m.Currency()...), 0)
}

// judgeRepeat completes a row that others are about, too.
func (f *File) judgeRepeat(row *Row, errs *[]RowError) {
	r := f.repeatOf(row)
	switch line := uint32(row.Line); {
	case r == nil:
	case r.conflict != 0:
		elsewhere := r.first
		if line == r.first {
			elsewhere = r.conflict
		}
		c := cells{line: row.Line}
		c.fail(f.layout.header(newIdentity(f.layout).by), []byte(row.given()), CodeDuplicate, "Keep one of the rows.",
			"Line %d is about the same offer and says something else.", elsewhere)
		*errs = append(*errs, c.errors...)
	case line != r.first:
		row.SameAs = int(r.first)
	}
}
