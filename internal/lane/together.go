package lane

import (
	"slices"
	"time"

	"pricemanager/internal/amazon"
)

// company picks what travels in one request with a row: where that is wanted, the
// same SKU in other marketplaces, as far as it is announced too.
func (d *driver) company(r *row, now time.Time) []*row {
	rows := []*row{r}
	if !d.cfg.Together || r.alone || r.apart {
		return rows
	}
	r.w.ready = slices.DeleteFunc(r.w.ready, func(x *row) bool {
		fits := x.SKU == r.SKU && x.Marketplace != r.Marketplace && x.kind == r.kind && !x.alone && !x.apart &&
			!d.busy[x.key].After(now) && !now.Add(minSend).After(x.notAfter) && !d.blockedBy(d.stops)(x)
		if fits {
			rows = append(rows, x)
		}
		return fits
	})
	return rows
}

func patchOf(rows []*row) amazon.Patch {
	r := rows[0]
	p := amazon.Patch{Marketplace: r.Marketplace, SKU: r.SKU, ProductType: r.kind, Edit: r.patchOf()}
	for _, x := range rows[1:] {
		p.Also = append(p.Also, amazon.MarketEdit{Marketplace: x.Marketplace, Edit: x.Edit})
	}
	return p
}

// sendApart has rows that Amazon found invalid together sent one by one: whether
// one marketplace spoiled the others, and whether the others took effect, it does
// not say. Each then has a verdict of its own; the same price twice is one price.
func (d *driver) sendApart(rows []*row, call amazon.Call) {
	d.send.follow(call.RateLimit)
	for _, r := range rows {
		delete(d.busy, r.key)
		r.alone = true
	}
	rows[0].w.ready = append(slices.Clone(rows), rows[0].w.ready...)
}
