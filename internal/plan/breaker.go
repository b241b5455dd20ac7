package plan

import (
	"fmt"
	"maps"
	"slices"

	"pricemanager/internal/guard"
	"pricemanager/internal/price"
)

// CodeBreaker: the file as a whole looks like a mistake in this marketplace.
const CodeBreaker = "batch-breaker"

// Trip says why every row of a marketplace is held.
type Trip struct {
	Marketplace price.MarketplaceID `json:"marketplace"`
	Reason      string              `json:"reason"`
	Fix         string              `json:"fix"`
}

// breaker counts what would happen to each marketplace.
//
// Whether it trips is known only when every row was judged, and by then most rows
// are written. The plan is then made once more, with the marketplaces that tripped
// known from the start: it costs a second pass in the rare case, and nothing in
// memory for all others.
type breaker struct {
	limits  guard.Breaker
	change  int64 // a move over this many percent needs approval, -1 for none
	markets map[price.MarketplaceID]*watched
	most    string // the first planned move that needs approval, in words
}

// watched is one marketplace. Rows that were refused as well as those that may be
// sent count: a file that is wrong in most rows is not right in the others.
type watched struct {
	changing, dropping int64
	risk               price.Money // in the marketplace's one currency
}

func newBreaker(in Input) breaker {
	b := breaker{limits: in.Breaker, change: -1, markets: map[price.MarketplaceID]*watched{}}
	if p := in.Approval.ChangePercent; p != nil {
		b.change = *p
	}
	return b
}

// see counts a row that the guards judged, and what is at risk with it.
func (b *breaker) see(r *Row, o *price.Offer, risk price.Money, findings []price.Finding) {
	if r.Verdict == price.Unchanged {
		return
	}
	if slices.ContainsFunc(findings, func(f price.Finding) bool { return f.Code == price.CodeWayBack }) {
		return
	}
	r.far = b.change >= 0 && b.most == "" && r.Verdict == price.Allowed && price.Moves(*o, r.Edit, b.change, false)
	m := b.markets[r.Key.Marketplace]
	if m == nil {
		m = &watched{}
		b.markets[r.Key.Marketplace] = m
	}
	m.changing++
	if price.Moves(*o, r.Edit, b.limits.DropPercent, true) {
		m.dropping++
	}
	if risk.Positive() {
		m.risk = plus(m.risk, risk)
	}
}

// trips says which marketplaces are held, in order.
func (b *breaker) trips() []Trip {
	var out []Trip
	for _, id := range slices.Sorted(maps.Keys(b.markets)) {
		if reason := b.reason(b.markets[id]); reason != "" {
			out = append(out, Trip{id, where(id) + reason + " Every row of this marketplace is held.",
				"Compare the file's prices for " + where(id)[:2] + " with what you meant. If they are wrong, correct the file and plan it again. If they are right, have the rows released, or change the breaker in your guards."})
		}
	}
	return out
}

func (b *breaker) reason(m *watched) string {
	share := b.limits.SharePercent
	// dropping / changing > share / 100, without a division.
	if b.limits.AtLeast > 0 && m.dropping >= b.limits.AtLeast && m.dropping*100 > m.changing*share {
		return fmt.Sprintf("%d of %d SKUs that change drop by more than %d %%; your guards allow %d %% of them.", m.dropping, m.changing, b.limits.DropPercent, share)
	}
	for _, limit := range b.limits.AtRisk {
		if limit.Currency() == m.risk.Currency() && m.risk.Cmp(limit) > 0 {
			return fmt.Sprintf("%s are at risk; your guards allow %s.", m.risk, limit)
		}
	}
	return ""
}

// where names a marketplace for people: "DE (A1PA6795UKMFR9): ".
func where(id price.MarketplaceID) string {
	m, ok := price.MarketplaceByID(id)
	if !ok {
		return string(id) + ": "
	}
	return m.Country + " (" + string(id) + "): "
}

// errTripped asks for the plan to be made once more, with these marketplaces held.
type errTripped map[price.MarketplaceID]*Trip

func (errTripped) Error() string { return "plan: the breaker tripped" }

// trip returns errTripped when a marketplace trips that was not known to.
func (b *builder) trip() error {
	list := b.breaker.trips()
	if len(b.in.tripped) > 0 || b.in.Release != nil || len(list) == 0 {
		return nil
	}
	trips := errTripped{}
	for _, t := range list {
		trips[t.Marketplace] = &t
	}
	return trips
}

// list lists the marketplaces that are held, in order.
func (t errTripped) list() []Trip {
	var out []Trip
	for _, id := range slices.Sorted(maps.Keys(t)) {
		out = append(out, *t[id])
	}
	return out
}
