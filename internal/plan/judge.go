package plan

import (
	"context"
	"fmt"
	"strings"

	"pricemanager/internal/price"
)

// Codes of the findings that are the plan's own; the others are those of
// pricefile and price.
const (
	CodeUnknownSKU   = "unknown-sku"   // the connection has no such offer
	CodeNoConnection = "no-connection" // no seller account serves the marketplace
	CodeRepeatedRow  = "repeated-row"  // an earlier row says the same
)

// judge decides what becomes of one row, given the offer that it names, nil for
// none.
func (b *builder) judge(ctx context.Context, p *parsed, known *price.Offer) Row {
	r := Row{Line: p.row.Line, Key: price.OfferKey{Marketplace: p.row.Marketplace, SKU: p.row.SKU}, Linked: p.row.Linked}
	r.Key.Connection = b.in.Connections[p.row.Marketplace]
	finish := func(v price.Verdict, f ...Finding) Row {
		r.Verdict, r.Findings = v, f
		return r
	}
	if len(p.errs) > 0 {
		for _, e := range p.errs {
			r.Findings = append(r.Findings, Finding{string(e.Code), e.Column, e.Value, e.Reason, e.Fix})
		}
		r.Verdict = price.Refused
		return r
	}
	if p.row.SameAs != 0 {
		return finish(price.Unchanged, Finding{CodeRepeatedRow, b.file.SKUColumn(), string(p.row.SKU),
			fmt.Sprintf("Line %d already says the same.", p.row.SameAs), "Nothing to do."})
	}
	if r.Key.Connection == "" {
		return finish(price.Refused, Finding{CodeNoConnection, b.file.MarketplaceColumn(), string(p.row.Marketplace),
			"No connected seller account serves this marketplace.", "Connect the account of this region first."})
	}
	if known == nil {
		return finish(price.Refused, Finding{CodeUnknownSKU, b.file.SKUColumn(), string(p.row.SKU),
			"The seller account has no offer with this SKU in this marketplace.", "Correct the SKU, or import the catalogue again."})
	}
	if f, ok := b.mismatch(&p.row, known); ok {
		return finish(price.Refused, f)
	}
	offer := *known
	offer.Key, r.Version = r.Key, offer.Version
	if rows, ok := b.file.(restoring); ok {
		if rows.moved(b.n-1, offer.Version) {
			return finish(price.Refused, Finding{CodeNotRestored, "", string(p.row.SKU),
				"The offer changed while the rollback was being planned.", "Ask for the rollback again."})
		}
		if was := rows.replaced(b.n - 1); was != nil {
			offer.Replaced = was
		}
	}
	risk := b.weigh(ctx, &r, &offer, p.row.Edit)
	if offer.Known.Our != nil && r.Edit.Set.Our != nil && *offer.Known.Our != *r.Edit.Set.Our {
		r.ChangePercent = price.ChangePercent(*offer.Known.Our, *r.Edit.Set.Our)
	}
	if risk.Positive() {
		r.AtRisk = &risk
	}
	return r
}

// inTheWordsOfTheFile names the column as the seller does.
func (b *builder) inTheWordsOfTheFile(f price.Finding, after price.Prices) Finding {
	out := Finding{Code: string(f.Code), Reason: f.Message, Fix: f.Fix}
	if f.Field == "" {
		return out
	}
	out.Column = b.file.Column(f.Field)
	if out.Column == "" {
		out.Column = string(f.Field)
	}
	out.Value = strings.TrimPrefix(after.Summary([]price.Field{f.Field}), string(f.Field)+" ")
	return out
}
