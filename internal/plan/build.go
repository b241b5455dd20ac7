package plan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// lookupChunk is how many offers are looked up at a time.
const lookupChunk = 1_000

// Build makes a plan in memory. A file that cannot be understood is a
// *fault.Fault for the seller; a failing look-up is returned as it is.
func Build(ctx context.Context, in Input, offers Lookup) (*Plan, error) {
	files := map[string][]byte{}
	h, token, err := build(ctx, in, offers, func(name string, body []byte) error {
		files[name] = body
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Plan{Header: h, Token: token, files: files}, nil
}

// build makes a plan, handing over its files as they fill up so that rows do
// not gather in memory.
func build(ctx context.Context, in Input, offers Lookup, put func(name string, body []byte) error) (Header, string, error) {
	if err := in.check(); err != nil {
		return Header{}, "", err
	}
	file, err := in.source()
	if err != nil {
		return Header{}, "", err
	}
	b := newBuilder(in, file, offers, put)
	for row, errs := range file.Rows() {
		b.pending = append(b.pending, parsed{row, errs})
		if len(b.pending) == lookupChunk {
			if err := b.flush(ctx); err != nil {
				return Header{}, "", err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return Header{}, "", err
	}
	return b.finish()
}

func (in Input) source() (source, error) {
	switch {
	case in.Restore != nil:
		return restores(in.Restore), nil
	case in.Correction != nil:
		return correction(*in.Correction), nil
	}
	return pricefile.Open(in.Content, in.Marketplace)
}

func (in Input) origin() Origin {
	switch {
	case in.Restore != nil:
		return OfRollback
	case in.Correction != nil:
		return OfCorrection
	}
	return OfFile
}

func (in Input) check() error {
	switch {
	case !idForm.MatchString(in.ID) || !in.Tenant.Valid() || in.Now.IsZero():
		return fmt.Errorf("plan: id %q, tenant %q and time %v must be given", in.ID, in.Tenant, in.Now)
	case !in.Policy.Valid():
		return fault.New(fault.Invalid, "plan-policy", "The policy %q is unknown. Use %s or %s.", in.Policy, SkipBadRows, AllOrNothing)
	}
	return in.Guards.Validate()
}

// parsed is a row of the file that was not judged yet.
type parsed struct {
	row  pricefile.Row
	errs []pricefile.RowError
}

type builder struct {
	in      Input
	file    source
	offers  Lookup
	pending []parsed

	n        int64
	total    Counts
	markets  map[price.MarketplaceID]*Counts
	risk     map[price.Currency]price.Money
	segments *writer
	lanes    map[price.ConnectionID]*writer
	newLane  func(price.ConnectionID) *writer
}

func newBuilder(in Input, file source, offers Lookup, put func(string, []byte) error) *builder {
	return &builder{
		in: in, file: file, offers: offers,
		markets: map[price.MarketplaceID]*Counts{}, risk: map[price.Currency]price.Money{},
		lanes: map[price.ConnectionID]*writer{},
		segments: &writer{per: segmentRows, put: func(i int, body []byte) error {
			return put(segmentName(in.ID, i), body)
		}},
		newLane: func(c price.ConnectionID) *writer {
			return &writer{per: chunkRows, put: func(i int, body []byte) error { return put(laneName(in.ID, c, i), body) }}
		},
	}
}

// flush judges the pending rows.
func (b *builder) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	keys := make([]price.OfferKey, 0, len(b.pending))
	for i := range b.pending {
		if p := &b.pending[i]; len(p.errs) == 0 && p.row.SameAs == 0 {
			if c, ok := b.in.Connections[p.row.Marketplace]; ok {
				keys = append(keys, price.OfferKey{Connection: c, Marketplace: p.row.Marketplace, SKU: p.row.SKU})
			}
		}
	}
	var known map[price.OfferKey]price.Offer
	if len(keys) > 0 {
		var err error
		if known, err = b.offers.Offers(ctx, b.in.Tenant, keys); err != nil {
			return fmt.Errorf("plan: look up offers: %w", err)
		}
	}
	for i := range b.pending {
		b.n++
		r := b.judge(&b.pending[i], known)
		r.N = b.n
		if err := b.take(r); err != nil {
			return err
		}
	}
	b.pending = b.pending[:0]
	return nil
}

// take counts a judged row and writes it.
func (b *builder) take(r Row) error {
	b.total.add(r.Verdict)
	m := b.markets[r.Key.Marketplace]
	if m == nil {
		m = &Counts{}
		b.markets[r.Key.Marketplace] = m
	}
	m.add(r.Verdict)
	if err := b.segments.add(r); err != nil {
		return err
	}
	if r.Verdict != price.Allowed {
		return nil
	}
	if r.AtRisk != nil {
		b.risk[r.AtRisk.Currency()] = plus(b.risk[r.AtRisk.Currency()], *r.AtRisk)
	}
	lane := b.lanes[r.Key.Connection]
	if lane == nil {
		lane = b.newLane(r.Key.Connection)
		b.lanes[r.Key.Connection] = lane
	}
	return lane.add(LaneRow{
		N: r.N, Line: r.Line, Marketplace: r.Key.Marketplace, SKU: r.Key.SKU, Version: r.Version, Edit: r.Edit, Old: r.Old,
	})
}

// plus adds up money at risk; the sum stops at the largest amount that can be
// written and read again.
func plus(sum, m price.Money) price.Money {
	const most = 999_999_999_999_999_999
	if sum == (price.Money{}) {
		return m
	}
	if total, err := sum.Add(m); err == nil && total.Minor() <= most {
		return total
	}
	return price.FromMinor(most, m.Currency())
}

func (b *builder) finish() (Header, string, error) {
	if err := b.segments.flush(); err != nil {
		return Header{}, "", err
	}
	// Whole milliseconds and UTC, so that the header reads back as it was.
	created := b.in.Now.UTC().Truncate(time.Millisecond)
	h := Header{
		ID: b.in.ID, Tenant: b.in.Tenant, Actor: b.in.Actor, File: b.in.File, Created: created, Expires: created.Add(Lifetime),
		Policy: b.in.Policy, Guards: b.in.Guards, Origin: b.in.origin(), Mapping: b.file.Layout(), Segments: b.segments.hashes, Lanes: []Lane{},
		Summary: Summary{Counts: b.total, AtRisk: []price.Money{}, Marketplaces: []MarketplaceCounts{}},
	}
	most := int64(0)
	for _, c := range slices.Sorted(maps.Keys(b.lanes)) {
		lane := b.lanes[c]
		if err := lane.flush(); err != nil {
			return Header{}, "", err
		}
		h.Lanes = append(h.Lanes, Lane{Connection: c, Planned: lane.rows, Chunks: lane.hashes})
		most = max(most, lane.rows)
	}
	for _, c := range slices.Sorted(maps.Keys(b.risk)) {
		h.Summary.AtRisk = append(h.Summary.AtRisk, b.risk[c])
	}
	for _, m := range slices.Sorted(maps.Keys(b.markets)) {
		h.Summary.Marketplaces = append(h.Summary.Marketplaces, MarketplaceCounts{m, *b.markets[m]})
	}
	if most > 0 {
		h.Summary.ETASeconds = (most+Rate-1)/Rate + int64(cmp.Or(b.in.Visibility, Visibility)/time.Second)
	}
	h.Blocked = blocked(h)
	_, token, err := seal(h)
	return h, token, err
}

// blocked says why a plan cannot be applied.
func blocked(h Header) string {
	s := h.Summary
	switch {
	case s.Planned == 0:
		return "No row of this plan changes a price, so there is nothing to apply."
	case h.Policy == AllOrNothing && s.Refused+s.Held > 0:
		return fmt.Sprintf("All or nothing was asked for, and %d rows are refused and %d held. Correct them and plan again, or plan with %s.", s.Refused, s.Held, SkipBadRows)
	}
	return ""
}
