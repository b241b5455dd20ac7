package fakeamazon

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

const offerPath = "/attributes/purchasable_offer"

// patchBody is the model's ListingsItemPatchRequest; its shape is checked.
type patchBody struct {
	ProductType string           `json:"productType"`
	Patches     []patchOperation `json:"patches"`
}

type patchOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// submission is the model's ListingsItemSubmissionResponse.
type submission struct {
	SKU          price.SKU     `json:"sku"`
	Status       string        `json:"status"`
	SubmissionID string        `json:"submissionId"`
	Issues       *[]issue      `json:"issues,omitempty"`
	Identifiers  *[]identifier `json:"identifiers,omitempty"`
}

type identifier struct {
	MarketplaceID price.MarketplaceID `json:"marketplaceId"`
	ASIN          string              `json:"asin"`
}

// patchListing judges a patch and, unless it is invalid or a preview, queues it
// to become visible later. A SKU that does not exist is accepted and forgotten,
// as at Amazon.
func (f *Fake) patchListing(c *call, now time.Time) answer {
	if out, ok := c.checkMarketplaces(); !ok {
		return out
	}
	var body patchBody
	if err := json.Unmarshal(c.body, &body); err != nil {
		return refuse(http.StatusBadRequest, "Request has missing or invalid parameters and cannot be parsed.", err.Error())
	}
	if problem := body.problem(); problem != "" {
		return refuse(http.StatusBadRequest, problem, "")
	}
	verdict := f.judgePatch(c, body, now)
	issues := verdict.issues
	id := f.pace.id("submission", f.next())
	c.entry.SubmissionID = id
	out := submission{SKU: c.entry.SKU, Status: "ACCEPTED", SubmissionID: id}
	switch {
	case verdict.invalid:
		out.Status = "INVALID"
	case c.entry.Preview:
		out.Status = "VALID"
	}
	if !c.entry.Preview {
		f.acceptPatch(c, verdict, now)
	}
	included := csv(c.query, "includedData")
	if len(included) == 0 || slices.Contains(included, "issues") {
		list := append([]issue{}, issues...)
		out.Issues = &list
	}
	if slices.Contains(included, "identifiers") {
		list := []identifier{}
		for _, m := range c.entry.Marketplaces {
			if l := f.find(c.seller, m, c.entry.SKU, now); l != nil {
				list = append(list, identifier{m, l.asin})
			}
		}
		out.Identifiers = &list
	}
	return answer{http.StatusOK, out, out.Status}
}

// problem is what makes Amazon refuse the patch before it looks at values.
func (b patchBody) problem() string {
	for i, p := range b.Patches {
		if name, ok := strings.CutPrefix(p.Path, "/attributes/"); !ok || name == "" || strings.Contains(name, "/") {
			return fmt.Sprintf("Invalid path provided in patch at index of %d", i)
		}
		if v := string(p.Value); v == "" || v == "null" || v == "[]" {
			return fmt.Sprintf("Invalid empty value provided in patch at index of %d", i)
		}
	}
	return ""
}

// patchVerdict is what became of a patch.
type patchVerdict struct {
	invalid bool
	issues  []issue
	good    map[price.MarketplaceID][]change // what can take effect, by marketplace
}

// judgePatch judges a patch on top of everything accepted so far.
func (f *Fake) judgePatch(c *call, body patchBody, now time.Time) patchVerdict {
	changes, issues := f.readChanges(c, body)
	out := patchVerdict{invalid: len(issues) > 0, issues: issues, good: map[price.MarketplaceID][]change{}}
	for _, m := range c.entry.Marketplaces {
		found := f.judgeChanges(c, m, body.ProductType, changes[m], now)
		out.issues = append(out.issues, found...)
		out.invalid = out.invalid || len(found) > 0
		if len(found) == 0 && len(changes[m]) > 0 {
			out.good[m] = changes[m]
		}
	}
	return out
}

// acceptPatch queues what can take effect of a judged patch.
func (f *Fake) acceptPatch(c *call, v patchVerdict, now time.Time) {
	if v.invalid && !f.cfg.PartialMarketplaces {
		return
	}
	for _, m := range c.entry.Marketplaces {
		if len(v.good[m]) > 0 {
			f.accept(c, m, v.good[m], now)
		}
	}
}

// checkMarketplaces wants marketplaces that exist in the region, and in which
// the seller takes part.
func (c *call) checkMarketplaces() (answer, bool) {
	for _, id := range c.entry.Marketplaces {
		m, known := price.MarketplaceByID(id)
		if !known || m.Region != c.key.region {
			return refuse(http.StatusBadRequest, "Invalid 'marketplaceIds' provided.", string(id)+" is no marketplace of the region"), false
		}
		if c.seller.markets[id] == nil {
			return refuse(http.StatusForbidden, denied, "the seller does not sell in "+string(id)), false
		}
	}
	return answer{}, true
}

// readChanges sorts the instances of all patches by marketplace, in order, and
// returns an issue for each attribute that does not have its shape.
func (f *Fake) readChanges(c *call, body patchBody) (map[price.MarketplaceID][]change, []issue) {
	changes := map[price.MarketplaceID][]change{}
	var issues []issue
	for _, p := range body.Patches {
		if p.Path != offerPath {
			name := strings.TrimPrefix(p.Path, "/attributes/")
			issues = append(issues, malformed(name, fmt.Errorf("it is no attribute of %s", body.ProductType)))
			continue
		}
		if err := f.spec.CheckOffer(contract.OfferUseOf(p.Op), p.Value); err != nil {
			issues = append(issues, malformed("purchasable_offer", err))
			continue
		}
		var instances []instance
		if err := json.Unmarshal(p.Value, &instances); err != nil {
			issues = append(issues, malformed("purchasable_offer", err))
			continue
		}
		for _, i := range instances {
			if !slices.Contains(c.entry.Marketplaces, i.Marketplace) {
				issues = append(issues, malformed("purchasable_offer", fmt.Errorf("marketplace_id %s is not among marketplaceIds", i.Marketplace)))
				continue
			}
			changes[i.Marketplace] = append(changes[i.Marketplace], change{p.Op, i})
		}
	}
	return changes, issues
}

// judgeChanges judges what the changes would make of the listing, on top of
// everything accepted so far. Of an unknown SKU it judges the changes alone.
func (f *Fake) judgeChanges(c *call, id price.MarketplaceID, productType string, changes []change, now time.Time) []issue {
	m := c.seller.markets[id].Marketplace
	var offers []instance
	var issues []issue
	if l := f.find(c.seller, id, c.entry.SKU, now); l != nil {
		offers = l.accepted(f.cfg.ReplaceKeeps)
		if c.apart {
			issues = judgeApart(m, l.visible, changes)
		}
		if productType != "PRODUCT" && productType != l.productType {
			j := judgement{m: m}
			j.add(codeValue, "INVALID_ATTRIBUTE", "The product type is %s", l.productType)
			return j.issues
		}
	}
	for _, ch := range changes {
		offers = ch.apply(offers, f.cfg.ReplaceKeeps)
	}
	for _, i := range offers {
		if slices.ContainsFunc(changes, func(ch change) bool { return ch.Instance.selectors == i.selectors }) {
			issues = append(issues, judge(m, i)...)
		}
	}
	return issues
}

// accept queues the changes of one marketplace, unless the SKU does not exist
// or a fault drops them, and counts the effect.
func (f *Fake) accept(c *call, id price.MarketplaceID, changes []change, now time.Time) {
	l := f.find(c.seller, id, c.entry.SKU, now)
	if l == nil || c.drop {
		return
	}
	delay := f.pace.delay(f.visibility(id), c.key.region, c.key.id, id, l.sku, l.patches)
	at := l.accept(now.Add(delay), changes, f.cfg.Reorder)
	f.await(sellerKey{c.key.region, c.key.id}, id, l.sku, at)
	f.touch()
	c.entry.Effect = true
	if at.After(c.entry.EffectAt) {
		c.entry.EffectAt = at
	}
	e := f.log.effect(offerKey{c.key.region, c.key.id, id, l.sku})
	e.Count++
	text, err := json.Marshal(changes)
	if err != nil {
		panic(err) // the fake's own types
	}
	sum := sha256.Sum256(text)
	if sum == l.last {
		e.Doubles++
		f.log.violate(c.entry, now, "double-effect", "the same change of %s in %s took effect twice", l.sku, id)
	}
	l.last = sum
}

// getListing reads one SKU.
func (f *Fake) getListing(c *call, now time.Time) answer {
	if out, ok := c.checkMarketplaces(); !ok {
		return out
	}
	found, ok := f.view(viewOf(c), c.entry.SKU, now)
	if !ok {
		return refuse(http.StatusNotFound, fmt.Sprintf("SKU '%s' not found in marketplace %v", c.entry.SKU, c.entry.Marketplaces), "")
	}
	return answer{http.StatusOK, found, ""}
}
