package plan

import (
	"context"
	"fmt"

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

// informer returns the guards of an offer with what they need to know to judge an
// edit. An error of the history ends the plan: see builder.uninformed.
func (b *builder) informer(ctx context.Context) func(price.Guards, price.Offer, price.Edit) price.Guards {
	return func(g price.Guards, o price.Offer, e price.Edit) price.Guards {
		out, err := guard.Informed(ctx, g, b.in.History, b.in.Tenant, o, e, b.in.Now)
		if err != nil && b.uninformed == nil {
			b.uninformed = fmt.Errorf("plan: price history: %w", err)
		}
		return out
	}
}

// round rounds what a file says. Prices that were released, corrected by hand or
// are taken back are what somebody decided, to the cent.
func (b *builder) round(g price.Guards, o price.Offer, e price.Edit) (price.Edit, []price.Field) {
	if g.Rounding == nil || b.in.origin() != OfFile {
		return e, nil
	}
	return g.Round(e, func(e price.Edit) price.Verdict {
		e = changedOnly(e, o)
		v, _ := b.inform(g, o, e).Check(o, e, b.in.Now)
		return v
	})
}

// changedOnly is the part of an edit that would change the offer. Of an offer that
// was never read nothing is known that could be equal.
func changedOnly(e price.Edit, o price.Offer) price.Edit {
	if o.ReadAt.IsZero() {
		return e
	}
	return e.OnlyChanged(o.Known)
}

// weigh has the guards judge a row whose offer is known.
func (b *builder) weigh(r *Row, offer price.Offer, given price.Edit) {
	if b.in.origin() == OfFile {
		offer.Replaced = nil // only what takes a change back is a way back
	}
	g := b.in.Guards.For(r.Key)
	edit, rounded := b.round(g, offer, given)
	r.Edit = changedOnly(edit, offer)
	r.Old = r.Edit.Of(offer.Known)
	g = b.inform(g, offer, r.Edit)
	var findings []price.Finding
	r.Verdict, findings = g.Check(offer, r.Edit, b.in.Now)
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
	b.breaker.see(r, offer, findings)
	if t := b.in.tripped[r.Key.Marketplace]; t != nil && !b.passes(r) {
		if r.Verdict == price.Allowed {
			r.Verdict, r.released = price.Held, nil
		}
		if r.Verdict == price.Held {
			r.Findings = append(r.Findings, Finding{CodeBreaker, b.file.MarketplaceColumn(), string(r.Key.Marketplace), t.Reason, t.Fix})
		}
	}
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

// Judged has inputs judged by what the tenant's guards are at that moment.
func Judged(guards *guard.Store, h guard.History) func(context.Context, *Input) error {
	return func(ctx context.Context, in *Input) error {
		set, err := guards.Load(ctx, in.Tenant)
		if err != nil {
			return err
		}
		in.Guards, in.Breaker, in.Approval, in.History = set, set.Settings.Breaker, set.Settings.Approval, h
		return nil
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
