package plan

import (
	"context"
	"fmt"

	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// CodeRounded: a note, the price was rounded as the guards say.
const CodeRounded = "rounded"

// GuardSet is a tenant's guards as they were read at one moment. A price.Guards is
// one: the same for every offer.
type GuardSet interface {
	For(price.OfferKey) price.Guards
	Hash() string
}

var (
	_ GuardSet = (*guard.Set)(nil)
	_ GuardSet = price.Guards{}
)

// inform gives the guards of an offer what they need to know to judge an edit,
// which for almost all edits is nothing. The past of the pending rows was asked
// for at once: see recall.
func (b *builder) inform(ctx context.Context, g *price.Guards, o *price.Offer, e price.Edit) {
	if b.past == nil {
		return
	}
	// What was recalled cannot fail; if it did, the row would be held.
	if informed, err := guard.Informed(ctx, *g, b.past, b.in.Tenant, *o, e, b.in.Now); err == nil {
		*g = informed
	}
}

// recall returns the past of those pending rows that cannot be judged without it;
// nil when there are none.
func (b *builder) recall(ctx context.Context) (guard.History, error) {
	if b.in.History == nil {
		return nil, nil //nolint:nilnil // Informed knows what no history means
	}
	var keys []price.OfferKey
	for i := range b.pending {
		p := &b.pending[i]
		if p.key < 0 || !b.found[p.key].exists {
			continue
		}
		// Most rows end here, before anything is asked of the guards.
		if set := &p.row.Edit.Set; set.Sale == nil && (set.Our == nil || b.found[p.key].offer.Known.Sale == nil) {
			continue
		}
		offer, edit := b.found[p.key].offer, p.row.Edit
		offer.Key = b.keys[p.key]
		if guard.AsksThePast(b.in.Guards.For(offer.Key), offer, edit, b.in.Now) {
			keys = append(keys, offer.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	return b.in.History.Recall(ctx, b.in.Tenant, keys)
}

// round rounds what a file says. Prices that were released, corrected by hand or
// are taken back are what somebody decided, to the cent.
func (b *builder) round(ctx context.Context, g price.Guards, o *price.Offer, e price.Edit, l *price.Linked) (price.Edit, []price.Field) {
	if g.Rounding == nil || b.in.origin() != OfFile {
		return e, nil
	}
	return g.Round(e, func(e price.Edit) price.Verdict {
		if l.Below(e) {
			return price.Refused // so that no rounding crosses a link's floor
		}
		e = changedOnly(e, o)
		g := g
		b.inform(ctx, &g, o, e)
		v, _ := g.Check(*o, e, b.in.Now)
		return v
	})
}

// changedOnly is the part of an edit that would change the offer. Of an offer that
// was never read nothing is known that could be equal.
func changedOnly(e price.Edit, o *price.Offer) price.Edit {
	if o.ReadAt.IsZero() {
		return e
	}
	return e.OnlyChanged(o.Known)
}

// weigh has the guards judge a row whose offer is known, and returns what is at
// risk with it.
func (b *builder) weigh(ctx context.Context, r *Row, offer *price.Offer, given price.Edit) price.Money {
	if b.in.origin() == OfFile {
		offer.Replaced = nil // only what takes a change back is a way back
	}
	g := b.in.Guards.For(r.Key)
	edit, rounded := b.round(ctx, g, offer, given, r.Linked)
	r.Edit = changedOnly(edit, offer)
	r.Old = r.Edit.Of(offer.Known)
	b.inform(ctx, &g, offer, r.Edit)
	var findings []price.Finding
	r.Verdict, findings = g.Check(*offer, r.Edit, b.in.Now)
	if g.Lowest != nil && r.Verdict == price.Allowed {
		// The past was looked at here; a lane that cannot look at it need not hold.
		r.released = append(r.released, price.CodeOmnibusShort)
	}
	if len(findings) > 0 {
		after := r.Edit.Apply(offer.Known)
		for _, f := range findings {
			r.Findings = append(r.Findings, b.inTheWordsOfTheFile(f, after))
		}
	}
	for _, f := range rounded {
		r.Findings = append(r.Findings, b.inTheWordsOfTheFile(price.Finding{Code: CodeRounded, Field: f, Verdict: price.Allowed,
			Message: fmt.Sprintf("%s was rounded to %s, as your guards say.", given.Set.Text(f), edit.Set.Text(f)), Fix: "Nothing to do."}, given.Set))
	}
	b.release(r, findings)
	risk := price.MoneyAtRisk(*offer, r.Edit)
	b.breaker.see(r, offer, risk, findings)
	if t := b.in.tripped[r.Key.Marketplace]; t != nil && !b.passes(r) {
		if r.Verdict == price.Allowed {
			r.Verdict, r.released = price.Held, nil
		}
		if r.Verdict == price.Held {
			r.Findings = append(r.Findings, Finding{CodeBreaker, b.file.MarketplaceColumn(), string(r.Key.Marketplace), t.Reason, t.Fix})
		}
	}
	return risk
}

// passes reports whether a row is not the breaker's business: somebody looked at
// it already, or it takes back what we did.
func (b *builder) passes(r *Row) bool {
	if b.in.Release != nil {
		return true
	}
	for _, f := range r.Findings {
		if f.Code == string(price.CodeWayBack) {
			return true
		}
	}
	return false
}

// Judged has inputs judged by what the tenant's guards are at that moment, and
// those of a file know its links and rates.
func Judged(guards *guard.Store, past guard.Past) func(context.Context, *Input) error {
	links := &fx.Store{DB: guards.DB, Clock: guards.Clock}
	return func(ctx context.Context, in *Input) error {
		set, err := guards.Load(ctx, in.Tenant)
		if err != nil {
			return err
		}
		in.Guards, in.Breaker, in.Approval, in.History = set, set.Settings.Breaker, set.Settings.Approval, past
		if in.origin() == OfFile {
			in.Links, err = links.Load(ctx, in.Tenant)
		}
		return err
	}
}

// GuardsNow is Store.GuardsHash of the settings that a store has.
func GuardsNow(guards *guard.Store) func(context.Context, tenant.ID) (string, error) {
	return func(ctx context.Context, t tenant.ID) (string, error) {
		set, err := guards.Load(ctx, t)
		if err != nil {
			return "", err
		}
		return set.Hash(), nil
	}
}
