package plan

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// lookupChunk is how many offers are looked up at a time. It fills a row file, so
// that what is written after each is whole files.
const lookupChunk = segmentRows

// Build makes a plan in memory. A file that cannot be understood is a
// *fault.Fault for the seller; a failing look-up is returned as it is.
func Build(ctx context.Context, in Input, offers Lookup) (*Plan, error) {
	files := map[string][]byte{}
	h, token, err := build(ctx, in, offers, func(name string, body []byte) error {
		files[name] = bytes.Clone(body)
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
	h, token, err := buildOnce(ctx, in, offers, put)
	if trips := (errTripped)(nil); errors.As(err, &trips) {
		// Every file is written again, over the one of the first pass; what is left of
		// that is not in the header and expires.
		in.tripped = trips
		h, token, err = buildOnce(ctx, in, offers, put)
	}
	return h, token, err
}

func buildOnce(ctx context.Context, in Input, offers Lookup, put func(name string, body []byte) error) (Header, string, error) {
	if err := in.check(); err != nil {
		return Header{}, "", err
	}
	file, err := in.source()
	if err != nil {
		return Header{}, "", err
	}
	defer func() { _ = file.Close() }() // temporary files only
	b := newBuilder(in, file, offers, put)
	if _, err := b.read(ctx, func() (bool, error) { return true, nil }); err != nil {
		return Header{}, "", err
	}
	return b.finish()
}

// read judges the rows from the b.n-th on. Whenever it stands at the border of
// two row files it asks border whether to go on; it reports whether it came to
// the end.
func (b *builder) read(ctx context.Context, border func() (bool, error)) (whole bool, err error) {
	skip := b.n
	for row, errs := range b.file.Rows() {
		if skip > 0 {
			skip--
			continue
		}
		b.pending = append(b.pending, parsed{row: row, errs: errs})
		if len(b.pending) < lookupChunk {
			continue
		}
		if err := b.flush(ctx); err != nil {
			return false, err
		}
		if on, err := border(); err != nil || !on {
			return false, err
		}
	}
	if err := b.file.Err(); err != nil {
		return false, err
	}
	return true, b.flush(ctx)
}

func (in Input) source() (source, error) {
	switch {
	case in.Restore != nil:
		return restores(in.Restore), nil
	case in.Correction != nil:
		return correction(*in.Correction), nil
	case in.Release != nil:
		return releases(in.Release.Rows), nil
	}
	f, err := in.open(bytes.NewReader(in.Content), nil)
	if err != nil {
		return nil, err
	}
	return in.follow(f), nil
}

// open reads content in place of in.Content.
func (in Input) open(content pricefile.Content, spool pricefile.Spool) (*pricefile.File, error) {
	return pricefile.Open(content, pricefile.Options{Marketplace: in.Marketplace, Name: in.File, Mappings: in.Mappings, Spool: spool})
}

func (in Input) origin() Origin {
	switch {
	case in.Restore != nil:
		return OfRollback
	case in.Correction != nil:
		return OfCorrection
	case in.Release != nil:
		return OfRelease
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
	if in.Guards == nil {
		return errors.New("plan: guards must be given")
	}
	return nil
}

// parsed is a row of the file that was not judged yet.
type parsed struct {
	row  pricefile.Row
	errs []pricefile.RowError
	key  int // index among the keys that are looked up, -1 for none
}

type builder struct {
	in       Input
	file     source
	offers   Finder
	resolver Resolver // nil: files must have SKUs
	pending  []parsed
	keys     []price.OfferKey
	found    []found

	n        int64
	total    Counts
	markets  map[price.MarketplaceID]*Counts
	risk     map[price.Currency]price.Money
	segments *writer
	lanes    map[price.ConnectionID]*writer
	newLane  func(price.ConnectionID) *writer
	row      Row     // what follows is used for each row anew
	laneRow  LaneRow //
	prices   pricesJSON

	leader  price.Verdict // of the latest row of the file itself: see follow
	breaker breaker
	past    guard.History // of the pending rows, nil when none of them asks for it
}

func newBuilder(in Input, file source, offers Lookup, put func(string, []byte) error) *builder {
	resolver, _ := offers.(Resolver)
	return &builder{
		in: in, file: file, offers: finder(offers), resolver: resolver, breaker: newBreaker(in),
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
	if err := b.resolve(ctx); err != nil {
		return err
	}
	if err := b.lookUp(ctx); err != nil {
		return err
	}
	past, err := b.recall(ctx)
	if err != nil {
		return fmt.Errorf("plan: price history: %w", err)
	}
	b.past = past
	for i := range b.pending {
		p := &b.pending[i]
		var known *price.Offer
		if p.key >= 0 && b.found[p.key].exists {
			known = &b.found[p.key].offer
		}
		b.n++
		b.row = b.judge(ctx, p, known)
		b.follow(&b.row)
		b.row.N = b.n
		if err := b.take(&b.row); err != nil {
			return err
		}
	}
	b.pending = b.pending[:0]
	return nil
}

// found is the answer to one look-up.
type found struct {
	offer  price.Offer
	exists bool
}

// lookUp finds the offers of the pending rows.
func (b *builder) lookUp(ctx context.Context) error {
	b.keys = b.keys[:0]
	for i := range b.pending {
		p := &b.pending[i]
		p.key = -1
		if len(p.errs) > 0 || p.row.SameAs != 0 {
			continue
		}
		if c, ok := b.in.Connections[p.row.Marketplace]; ok {
			p.key = len(b.keys)
			b.keys = append(b.keys, price.OfferKey{Connection: c, Marketplace: p.row.Marketplace, SKU: p.row.SKU})
		}
	}
	if cap(b.found) < len(b.keys) {
		b.found = make([]found, lookupChunk)
	}
	b.found = b.found[:len(b.keys)]
	clear(b.found)
	if len(b.keys) == 0 {
		return nil
	}
	err := b.offers.Each(ctx, b.in.Tenant, b.keys, func(i int, o *price.Offer) { b.found[i] = found{*o, true} })
	if err != nil {
		return fmt.Errorf("plan: look up offers: %w", err)
	}
	return nil
}

// take counts a judged row and writes it.
func (b *builder) take(r *Row) error {
	b.total.add(r.Verdict)
	m := b.markets[r.Key.Marketplace]
	if m == nil {
		m = &Counts{}
		b.markets[r.Key.Marketplace] = m
	}
	m.add(r.Verdict)
	if err := b.prices.set(&r.Edit, &r.Old); err != nil {
		return err
	}
	if err := b.segments.add(r, &b.prices); err != nil {
		return err
	}
	if r.Verdict != price.Allowed {
		return nil
	}
	if r.far && b.breaker.most == "" {
		b.breaker.most = fmt.Sprintf("row %d moves a price by more than %d %%", r.Line, b.breaker.change)
	}
	if r.AtRisk != nil {
		b.risk[r.AtRisk.Currency()] = plus(b.risk[r.AtRisk.Currency()], *r.AtRisk)
	}
	lane := b.lanes[r.Key.Connection]
	if lane == nil {
		lane = b.newLane(r.Key.Connection)
		b.lanes[r.Key.Connection] = lane
	}
	b.laneRow = LaneRow{N: r.N, Line: r.Line, Marketplace: r.Key.Marketplace, SKU: r.Key.SKU, Version: r.Version, Edit: r.Edit, Old: r.Old, Release: r.released}
	return lane.add(&b.laneRow, &b.prices)
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
	if err := b.trip(); err != nil {
		return Header{}, "", err
	}
	if err := b.segments.flush(); err != nil {
		return Header{}, "", err
	}
	// Whole milliseconds and UTC, so that the header reads back as it was.
	created := b.in.Now.UTC().Truncate(time.Millisecond)
	h := Header{
		ID: b.in.ID, Tenant: b.in.Tenant, Actor: b.in.Actor, Accountable: b.in.accountable(), File: b.in.File, Created: created, Expires: created.Add(Lifetime),
		Policy: b.in.Policy, Guards: b.in.Guards.Hash(), Origin: b.in.origin(), Mapping: b.file.Layout(), Segments: b.segments.hashes, Lanes: []Lane{},
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
	if h.Origin == OfFile {
		h.Links, h.Rates = b.in.Links.LinksHash(), b.in.Links.RatesHash()
	}
	h.Blocked, h.Tripped = blocked(h), b.in.tripped.list()
	h.Approval = b.approval(h)
	if b.in.Release != nil {
		h.Released = &b.in.Release.Released
	}
	_, token, err := seal(h)
	return h, token, err
}

// blocked says why a plan cannot be applied.
func blocked(h Header) string {
	s := h.Summary
	whole, bad := h.Policy == AllOrNothing, s.Refused+s.Held
	way := "Correct them and plan again"
	switch {
	case s.Held > 0 && whole && s.Refused == 0:
		way = "Have the plan released, or correct them and plan again"
	case s.Held > 0 && !whole:
		way = "Have those that are held released, or correct them and plan again"
	}
	switch {
	case bad == 0 && s.Planned == 0:
		return "No row of this plan changes a price, so there is nothing to apply."
	case whole && bad > 0:
		return fmt.Sprintf("All or nothing was asked for, and %d rows are refused and %d held. %s, or plan with %s.", s.Refused, s.Held, way, SkipBadRows)
	case s.Planned == 0:
		return fmt.Sprintf("No row of this plan may be sent: %d are refused and %d held. %s.", s.Refused, s.Held, way)
	}
	return ""
}
