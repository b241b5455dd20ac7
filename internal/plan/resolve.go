package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/tenant"
)

// Codes about products that name offers.
const (
	CodeUnknownProduct   = "unknown-product"   // no offer of the account has the EAN or ASIN
	CodeAmbiguousProduct = "ambiguous-product" // several offers have it
)

// Resolver finds offers by what a file calls their products. A Lookup that is
// none makes no plan of a file without SKUs.
type Resolver interface {
	// Resolve returns the offers that answer to each reference; those that
	// nothing answers to are not in the map. It is called for at most a thousand
	// at a time.
	Resolve(ctx context.Context, t tenant.ID, refs []price.RefKey) (map[price.RefKey][]price.OfferKey, error)
}

// mostNamed is how many SKUs a refusal of an ambiguous product names.
const mostNamed = 5

// resolve gives the pending rows that name a product the SKU of its only offer,
// or the reason why it is not known.
func (b *builder) resolve(ctx context.Context) error {
	var refs []price.RefKey
	for i := range b.pending {
		if ref, ok := b.refOf(&b.pending[i]); ok {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if b.resolver == nil {
		return errors.New("plan: the look-up cannot find offers by product")
	}
	found, err := b.resolver.Resolve(ctx, b.in.Tenant, refs)
	if err != nil {
		return fmt.Errorf("plan: resolve products: %w", err)
	}
	for i := range b.pending {
		p := &b.pending[i]
		ref, ok := b.refOf(p)
		if !ok {
			continue
		}
		given := p.row.EAN.Given
		if ref.Kind == price.ByASIN {
			given = p.row.ASIN.Given
		}
		fail := func(code pricefile.Code, fix, reason string) {
			p.errs = append(p.errs, pricefile.RowError{Line: p.row.Line, Column: b.file.SKUColumn(), Value: given, Code: code, Reason: reason, Fix: fix})
		}
		kind := strings.ToUpper(string(ref.Kind))
		switch offers := found[ref]; len(offers) {
		case 0:
			fail(CodeUnknownProduct, "Name the offer by its SKU, or import the catalogue again.",
				"The seller account has no offer in this marketplace that is known to have this "+kind+".")
		case 1:
			p.row.SKU = offers[0].SKU
		default:
			var skus []string
			for _, k := range offers[:min(len(offers), mostNamed)] {
				skus = append(skus, string(k.SKU))
			}
			if len(offers) > mostNamed {
				skus = append(skus, "…")
			}
			fail(CodeAmbiguousProduct, "Name the offer by its SKU.",
				"Several offers have this "+kind+": "+strings.Join(skus, ", ")+".")
		}
	}
	return nil
}

func (b *builder) refOf(p *parsed) (price.RefKey, bool) {
	ref := p.row.Ref
	if ref.Kind == "" || ref.Kind == price.BySKU || len(p.errs) > 0 || p.row.SameAs != 0 {
		return price.RefKey{}, false
	}
	c, ok := b.in.Connections[p.row.Marketplace]
	return price.RefKey{Connection: c, Marketplace: p.row.Marketplace, Ref: ref}, ok
}

// mismatch compares what the row says about the product with what is known of
// the offer. What Amazon did not tell cannot disagree: the SKU is enough then.
func (b *builder) mismatch(row *pricefile.Row, offer *price.Offer) (Finding, bool) {
	if row.ASIN.Value == "" && row.EAN.Value == "" { // nearly always
		return Finding{}, false
	}
	for _, c := range [2]struct {
		means   pricefile.Meaning
		given   pricefile.Product
		atOffer string
	}{{pricefile.MeansASIN, row.ASIN, offer.ASIN}, {pricefile.MeansEAN, row.EAN, offer.GTIN}} {
		if c.given.Value == "" || c.atOffer == "" || c.given.Value == c.atOffer {
			continue
		}
		column := string(c.means)
		if f, ok := b.file.(interface {
			ProductColumn(pricefile.Meaning) string
		}); ok {
			column = f.ProductColumn(c.means)
		}
		return Finding{string(pricefile.CodeMismatch), column, c.given.Given,
			fmt.Sprintf("The offer %s is of another product: its %s is %s.", row.SKU, strings.ToUpper(string(c.means)), c.atOffer),
			"Look for a shifted column, or correct the one that is wrong."}, true
	}
	return Finding{}, false
}
