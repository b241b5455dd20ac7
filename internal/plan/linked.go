package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/tenant"
)

// Codes of rows that follow others; those of fx say why there is no price.
const (
	CodeUnclear = "linked-unclear" // a row of the file may be about this very offer
	CodeLeader  = "linked-row"     // the row that this one follows is not planned
)

const (
	// maxDerived bounds the rows that links add to a file.
	maxDerived = 2 * pricefile.MaxRows
	// maxUnclear bounds how many offers are remembered that no marketplace can be
	// told of.
	maxUnclear = 10_000
)

// linked are the rows of a file, and behind each the rows that it makes in the
// marketplaces that follow its own, in the order of their ids. A derived row has
// the line of the row that it comes from, and makes no rows itself.
//
// What the file says itself wins. An offer that the file names in a marketplace
// gets no derived row there, wherever in the file that is and whatever is wrong
// with that row. A row that does not tell its marketplace, or its offer, may be
// about any: the derived rows that it may stand for are refused, and name it.
//
// So that is known before the first derived row, the file is gone through once
// more; it takes eight bytes for each row in a marketplace that follows another.
// Two offers with one 64-bit hash are taken for one: that leaves a derived row
// out, and never makes one.
type linked struct {
	priceFile
	set    *fx.Set
	now    time.Time
	said   *said // nil: the file was not gone through yet
	failed error
}

// priceFile is what a file has over other sources.
type priceFile interface {
	source
	ProductColumn(pricefile.Meaning) string
}

var _ priceFile = (*linked)(nil)

// follow has the rows of a file make others, if anything is linked.
func (in Input) follow(f priceFile) source {
	if !in.Links.Any() {
		return f
	}
	return &linked{priceFile: f, set: in.Links, now: in.Now}
}

func (l *linked) Err() error { return errors.Join(l.failed, l.priceFile.Err()) }

func (l *linked) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		l.failed = nil
		if l.said == nil {
			s := l.listen()
			if l.priceFile.Err() != nil {
				return
			}
			l.said = s
		}
		made := 0
		for row, errs := range l.priceFile.Rows() {
			if !yield(row, errs) {
				return
			}
			if len(errs) > 0 || row.SameAs != 0 { // an equal row has made them already
				continue
			}
			for _, d := range l.set.Derive(row.Marketplace, row.SKU, row.Edit, l.now) {
				own, unclear := l.said.about(d.To, row.Ref)
				if own {
					continue
				}
				if made++; made > maxDerived {
					l.failed = fault.New(fault.TooLarge, "links-rows", "Your links make more than %d rows of this file. Split it into several files.", maxDerived)
					return
				}
				if !yield(derived(row, d, unclear)) {
					return
				}
			}
		}
	}
}

// derived is the row that another makes in one marketplace. unclear is the line of
// a row that may be about the same offer, 0 for none.
func derived(of pricefile.Row, d fx.Derived, unclear int) (pricefile.Row, []pricefile.RowError) {
	of.Marketplace, of.Edit, of.Linked = d.To, d.Edit, d.Linked
	fail := func(code, value, reason, fix string) []pricefile.RowError {
		of.Edit = price.Edit{}
		return []pricefile.RowError{{Line: of.Line, Value: value, Code: pricefile.Code(code), Reason: reason, Fix: fix}}
	}
	switch p := d.Problem; {
	case p != nil:
		return of, fail(p.Code, p.Value, p.Reason, p.Fix)
	case unclear != 0:
		return of, fail(CodeUnclear, of.Ref.Value, fmt.Sprintf("Line %d does not say which offer it is about, and may be about this one.", unclear),
			"Correct that line or take it out, then plan the file again.")
	}
	return of, nil
}

// said is what a file says itself about marketplaces that follow others.
type said struct {
	own []uint64 // offers, in order
	// Lines of rows that may be about several offers: those of one product in any
	// marketplace, of any offer of a marketplace, and of any at all; 0 for none.
	somewhere map[uint64]int
	something map[price.MarketplaceID]int
	anything  int
}

// listen goes through the file.
func (l *linked) listen() *said {
	s := &said{somewhere: map[uint64]int{}, something: map[price.MarketplaceID]int{}}
	if l.MarketplaceColumn() == "" {
		return s // every row is about one marketplace, and no row it makes is
	}
	follows := map[price.MarketplaceID]bool{}
	for row := range l.priceFile.Rows() {
		to, met := follows[row.Marketplace]
		if !met {
			to = l.set.Follows(row.Marketplace)
			follows[row.Marketplace] = to
		}
		switch named := row.Ref.Value != ""; {
		case to && named:
			s.own = append(s.own, offerHash(row.Marketplace, row.Ref))
		case to && s.something[row.Marketplace] == 0:
			s.something[row.Marketplace] = row.Line
		case row.Marketplace != "" || s.anything != 0:
		case named && len(s.somewhere) < maxUnclear:
			s.somewhere[offerHash("", row.Ref)] = row.Line
		default:
			s.anything = row.Line
		}
	}
	slices.Sort(s.own)
	return s
}

// about reports whether the file itself names an offer, or the line of a row that
// may.
func (s *said) about(m price.MarketplaceID, ref pricefile.Ref) (own bool, unclear int) {
	if _, own := slices.BinarySearch(s.own, offerHash(m, ref)); own {
		return true, 0
	}
	if s.anything != 0 {
		return false, s.anything
	}
	if line := s.something[m]; line != 0 {
		return false, line
	}
	if len(s.somewhere) == 0 {
		return false, 0
	}
	return false, s.somewhere[offerHash("", ref)]
}

// offerHash is the same in every run of a job, so that all derive the same rows.
func offerHash(m price.MarketplaceID, ref pricefile.Ref) uint64 {
	h := fnv.New64a()
	for _, s := range [...]string{string(m), string(ref.Kind), ref.Value} {
		_, _ = h.Write([]byte(s)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// follow completes a judged row that follows another. What is held or refused
// there goes out nowhere else: the guards of one marketplace may have seen what
// those of the other cannot. A SKU that is not offered in a marketplace has nothing
// to change there.
func (b *builder) follow(r *Row) {
	if b.in.origin() != OfFile {
		return
	}
	code := ""
	if len(r.Findings) > 0 {
		code = r.Findings[0].Code
	}
	unknown := code == CodeUnknownSKU || code == CodeUnknownProduct
	if r.Linked == nil {
		b.leader = r.Verdict
		if unknown || code == CodeNoConnection { // says nothing about the price
			b.leader = price.Allowed
		}
		return
	}
	finding := Finding{CodeLeader, b.file.SKUColumn(), string(r.Key.SKU), fmt.Sprintf("The price of line %d, which this one follows, is %s.", r.Line, b.leader), ""}
	switch {
	case r.Verdict == price.Refused && unknown:
		r.Verdict = price.Unchanged
		r.Findings[0].Reason, r.Findings[0].Fix = "The seller account is not known to offer this in the marketplace, so nothing follows there.", "Nothing to do, unless it should be: then import the catalogue again."
	case b.leader == price.Held && r.Verdict == price.Allowed:
		r.Verdict, r.released = price.Held, nil
		finding.Fix = "Release both together, or change the row."
		r.Findings = append(r.Findings, finding)
	case b.leader == price.Refused && (r.Verdict == price.Allowed || r.Verdict == price.Held):
		r.Verdict, r.released = price.Refused, nil
		finding.Fix = "See there why, and plan the corrected file."
		r.Findings = append(r.Findings, finding)
	}
}

// appendLinked appends the last member of a row as encoding/json writes it.
func appendLinked(b []byte, l *price.Linked) []byte {
	if l == nil {
		return b
	}
	text, err := json.Marshal(l)
	if err != nil {
		panic("plan: " + err.Error()) // its prices were written before it
	}
	return append(append(b, `,"linked":`...), text...)
}

// sameLinks refuses a plan of a file that was made by other links or rates. What
// was released, corrected or is taken back follows nothing.
func (s *Store) sameLinks(ctx context.Context, t tenant.ID, p Stored) error {
	if p.Origin != OfFile {
		return nil
	}
	now, err := (&fx.Store{DB: s.DB, Clock: s.Clock}).Load(ctx, t)
	if err != nil {
		return err
	}
	return madeBy(now, p.Links, p.Rates, "after this plan was made")
}

// madeBy returns a fault that says which of links and rates are no longer those
// with the given hashes.
func madeBy(now *fx.Set, links, rates, when string) error {
	switch {
	case now.LinksHash() != links:
		return fault.New(fault.Conflict, "plan-links-changed", "Your links changed %s. Plan the file again.", when)
	case now.RatesHash() != rates:
		return fault.New(fault.Conflict, "plan-rates-changed", "Your exchange rates changed %s. Plan the file again.", when)
	}
	return nil
}
