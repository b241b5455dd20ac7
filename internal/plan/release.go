package plan

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// CodeNotReleased: a row that was to be released and is no longer what was held.
const CodeNotReleased = "not-released"

// MaxReleased is how many rows one release takes: they are held in memory.
const MaxReleased = 100_000

// Released says of what plan rows were released, and by whom, in the header of the
// plan that releases them.
type Released struct {
	Plan  string `json:"plan"`
	Maker string `json:"maker"` // who brought the rows
	By    string `json:"by"`
	Alone bool   `json:"alone,omitempty"` // by the maker, after the delay
}

// ReleaseOf makes the plan of rows that were held, in place of Content.
type ReleaseOf struct {
	Released
	Rows []Row // as they were held
}

// releases are the rows of a ReleaseOf as the source of a plan: lines and findings
// are those of the file that they came from, columns have the names of the fields.
type releases []Row

var _ source = releases(nil)

func (rs releases) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		for _, r := range rs {
			if !yield(pricefile.Row{Line: r.Line, SKU: r.Key.SKU, Marketplace: r.Key.Marketplace, Edit: r.Edit, Linked: r.Linked}, nil) {
				return
			}
		}
	}
}

func (releases) Layout() pricefile.Layout    { return restores{}.Layout() }
func (releases) Column(f price.Field) string { return string(f) }
func (releases) SKUColumn() string           { return "sku" }
func (releases) MarketplaceColumn() string   { return "marketplace" }
func (releases) Err() error                  { return nil }
func (releases) Close() error                { return nil }

// release lets a row pass that was released, if it is still what was held: the
// same version of the offer, and held for nothing new. It says for which codes, and
// the lane passes over exactly these when it looks at the row again. A way back is
// passed over there too: by then the offer's latest change is the row itself.
func (b *builder) release(r *Row, findings []price.Finding) {
	for _, f := range findings {
		if f.Code == price.CodeWayBack {
			r.released = append(r.released, price.CodeMove)
		}
	}
	rows, ok := b.file.(releases)
	if !ok {
		return
	}
	was := rows[b.n-1]
	if r.Version != was.Version || !slices.Equal(r.Edit.Touched(), was.Edit.Touched()) {
		*r = Row{Line: r.Line, Key: r.Key, Version: r.Version, Linked: r.Linked, Verdict: price.Refused, Findings: []Finding{{CodeNotReleased, "sku", string(r.Key.SKU),
			"The offer changed since the row was held.", "Plan the file again, and look at the row anew."}}}
		return
	}
	if r.Verdict != price.Held {
		return
	}
	codes := []price.Code(nil)
	for _, f := range findings {
		if f.Verdict != price.Held {
			continue
		}
		if !heldFor(was, string(f.Code)) {
			return // held for something that nobody released
		}
		codes = append(codes, f.Code)
	}
	r.Verdict, r.released = price.Allowed, append(r.released, codes...)
}

// Releasable are a plan's held rows: all of them, those with the given lines, those
// held for a code, or those that are both. A line that is not held is a fault of
// kind Conflict, and so is a choice without rows.
//
// A row that follows a held one is released with that and never without it: the
// guards of one marketplace may have seen what those of the other cannot.
//
// Of a plan that is all or nothing all held rows are released, and the others come
// along: the plan of the release is all or nothing again.
func (s *Store) Releasable(ctx context.Context, p Stored, lines []int, code string) ([]Row, error) {
	whole, verdict := p.Policy == AllOrNothing, price.Held
	switch {
	case p.State == Reading || p.State == Failed:
		return nil, fault.New(fault.Conflict, "row-not-held", "This plan has no rows yet, or never will.")
	case whole && (len(lines) > 0 || code != ""):
		return nil, fault.New(fault.Invalid, "release", "This plan is all or nothing: release it without naming rows or a code.")
	case whole && p.Summary.Refused > 0:
		return nil, fault.New(fault.Conflict, "release", "This plan is all or nothing, and %d rows of it are refused, which nobody can release. Correct the file and plan it again.", p.Summary.Refused)
	case whole:
		verdict = ""
	}
	var out []Row
	held, named, missing := 0, map[int]bool{}, map[int]bool{}
	for _, l := range lines {
		named[l], missing[l] = true, true
	}
	leader, led, behind := 0, false, 0 // line of the latest row of the file itself, and whether it is released; a line that was left behind
	for after := ""; ; {
		page, err := s.Rows(ctx, p.Tenant, p.ID, after, segmentRows, verdict)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Rows {
			if r.Verdict != price.Held && r.Verdict != price.Allowed {
				continue
			}
			take := (len(lines) == 0 || named[r.Line]) && (code == "" || heldFor(r, code))
			switch follows := r.Linked != nil && r.Line == leader; {
			case r.Linked == nil:
				leader, led = r.Line, take
			case follows && led:
				take = take || heldFor(r, CodeLeader)
			case follows && take:
				take, behind = false, r.Line
			}
			if !take {
				continue
			}
			if r.Verdict == price.Held {
				held++
			}
			delete(missing, r.Line)
			out = append(out, r)
		}
		switch {
		case len(out) > MaxReleased && whole:
			return nil, fault.New(fault.TooLarge, "release", "This plan is all or nothing and has more than %d rows, too many for one release. Plan the file with %s, or in parts.", MaxReleased, SkipBadRows)
		case len(out) > MaxReleased:
			return nil, fault.New(fault.TooLarge, "release", "More than %d rows are to be released at once. Release them by code or by row, in parts.", MaxReleased)
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	if behind != 0 && (held == 0 || missing[behind]) {
		return nil, fault.New(fault.Conflict, "row-not-held", "What is held%s follows row %d, which is held for something else. Release that row, and what follows it comes along.", forCode(code), behind)
	}
	for l := range missing {
		return nil, fault.New(fault.Conflict, "row-not-held", "Row %d is not held in this plan%s.", l, forCode(code))
	}
	if held == 0 {
		return nil, fault.New(fault.Conflict, "row-not-held", "No row of this plan is held%s.", forCode(code))
	}
	return out, nil
}

func heldFor(r Row, code string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == code })
}

func forCode(code string) string {
	if code == "" {
		return ""
	}
	return fmt.Sprintf(" for %q", code)
}
