package fakeamazon

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/price"
)

// Seed is what POST /_fake/sellers and -seed-file take.
type Seed struct {
	Sellers []Seller `json:"sellers"`
}

// Seller is one seller account in one region.
type Seller struct {
	ID           string                `json:"id"`
	Name         string                `json:"name,omitempty"`
	Region       price.Region          `json:"region"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
	Listings     []Listing             `json:"listings,omitempty"`
}

// Listing is one SKU in one marketplace as it is seeded. Amounts are decimal
// texts in the marketplace's currency, kept digit for digit; empty means unset.
type Listing struct {
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	ASIN        string              `json:"asin,omitempty"`        // default: derived from the SKU
	Title       string              `json:"title,omitempty"`       // default: "Item SKU"
	ProductType string              `json:"productType,omitempty"` // default: "PRODUCT"
	ProductID   string              `json:"productId,omitempty"`   // EAN, UPC or GTIN
	Quantity    *int64              `json:"quantity,omitempty"`
	Channel     string              `json:"channel,omitempty"`   // default: "DEFAULT", sold by the seller
	Condition   string              `json:"condition,omitempty"` // default: "new_new"
	Price       string              `json:"price,omitempty"`
	Min         string              `json:"min,omitempty"`
	Max         string              `json:"max,omitempty"`
	B2B         string              `json:"b2b,omitempty"`
	Tiers       []Tier              `json:"tiers,omitempty"`
	Sale        *Sale               `json:"sale,omitempty"`
	// Automated attaches an Automate Pricing rule.
	Automated bool `json:"automated,omitempty"`
}

// Tier is one step of a B2B quantity price.
type Tier struct {
	From  int    `json:"from"` // units
	Price string `json:"price"`
}

// Sale is a reduced price; Start and End are dates or RFC 3339 times.
type Sale struct {
	Price string `json:"price"`
	Start string `json:"start"`
	End   string `json:"end"`
}

// LoadSeed reads the JSON form of Seed.
func (f *Fake) LoadSeed(r io.Reader) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var seed Seed
	if err := dec.Decode(&seed); err != nil {
		return fmt.Errorf("fakeamazon: seed: %w", err)
	}
	for _, s := range seed.Sellers {
		if err := f.AddSeller(s); err != nil {
			return err
		}
	}
	return nil
}

// AddSeller adds a seller with its listings, or marketplaces and listings to a
// seller that is known already.
func (f *Fake) AddSeller(s Seller) error {
	if s.ID == "" || !s.Region.Valid() {
		return fmt.Errorf("fakeamazon: seller %q in region %q: both are needed", s.ID, s.Region)
	}
	markets := map[price.MarketplaceID]*market{}
	for _, id := range s.Marketplaces {
		m, ok := price.MarketplaceByID(id)
		if !ok || m.Region != s.Region {
			return fmt.Errorf("fakeamazon: seller %s: %q is no marketplace of %s", s.ID, id, s.Region)
		}
		markets[id] = &market{Marketplace: m, listings: map[price.SKU]*listing{}}
	}
	f.mu.Lock()
	known := f.sellers[sellerKey{s.Region, s.ID}]
	if known == nil {
		known = &seller{key: sellerKey{s.Region, s.ID}, name: s.ID, markets: map[price.MarketplaceID]*market{}}
		f.sellers[sellerKey{s.Region, s.ID}] = known
	}
	if s.Name != "" {
		known.name = s.Name
	}
	for id, m := range markets {
		if known.markets[id] == nil {
			known.markets[id] = m
		}
	}
	f.touch()
	f.mu.Unlock()
	return f.AddListings(s.Region, s.ID, s.Listings)
}

// AddListings sets listings of a seller. A listing that exists is replaced with
// all its prices, as if the seller had edited it at Amazon; patches that were
// accepted but do not show yet are forgotten. Either all are set or, with an
// error, none.
func (f *Fake) AddListings(region price.Region, sellerID string, listings []Listing) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sellers[sellerKey{region, sellerID}]
	if s == nil {
		return fmt.Errorf("%w: %s in %s", errUnknownSeller, sellerID, region)
	}
	now := f.cfg.Clock.Now()
	f.advance(now)
	made := make([]*listing, len(listings))
	for i, in := range listings {
		m := s.markets[in.Marketplace]
		if m == nil {
			return fmt.Errorf("fakeamazon: SKU %q: %s does not sell in %q", in.SKU, sellerID, in.Marketplace)
		}
		l, err := f.listing(in, m.Marketplace, now)
		if err != nil {
			return fmt.Errorf("fakeamazon: SKU %q in %s: %w", in.SKU, in.Marketplace, err)
		}
		if old := m.listings[in.SKU]; old != nil {
			l.created, l.patches = old.created, old.patches
		}
		made[i] = l
	}
	for i, in := range listings {
		m := s.markets[in.Marketplace]
		var before face
		if old := m.listings[in.SKU]; old != nil {
			before = old.face(m.Marketplace)
		}
		m.listings[in.SKU] = made[i]
		if f.subscribed(s.key) {
			f.listingChanged(s.key, m.Marketplace, made[i], before, now)
		}
	}
	f.touch()
	return nil
}

// listing builds a listing and refuses amounts that Amazon could not hold.
func (f *Fake) listing(in Listing, m price.Marketplace, now time.Time) (*listing, error) {
	if in.SKU == "" {
		return nil, errors.New("the SKU is empty")
	}
	all := instance{selectors: selectors{m.ID, m.Currency, audienceAll}}
	b2b := instance{selectors: selectors{m.ID, m.Currency, audienceB2B}}
	for _, p := range []struct {
		to         *instance
		name, text string
	}{{&all, subOur, in.Price}, {&all, subMin, in.Min}, {&all, subMax, in.Max}, {&b2b, subOur, in.B2B}} {
		if p.text == "" {
			continue
		}
		if _, err := price.ParseMoney(p.text, m.Currency); err != nil {
			return nil, fmt.Errorf("%s %q: %w", p.name, p.text, err)
		}
		*p.to = p.to.with(p.name, json.RawMessage(`[{"schedule":[{"value_with_tax":`+number(p.text)+`}]}]`))
	}
	if in.Sale != nil {
		if err := seedSale(&all, *in.Sale, m); err != nil {
			return nil, err
		}
	}
	if len(in.Tiers) > 0 {
		if err := seedTiers(&b2b, in.Tiers, m); err != nil {
			return nil, err
		}
	}
	if in.Automated {
		all = all.with(subAutomated, json.RawMessage(`[{"merchandising_rule":{"rule_id":"amzn1.automate-pricing.rule"}}]`))
	}
	out := &listing{
		sku: in.SKU, asin: in.ASIN, title: in.Title, productType: cmp.Or(in.ProductType, "PRODUCT"), productID: in.ProductID,
		channel: cmp.Or(in.Channel, "DEFAULT"), condition: cmp.Or(in.Condition, "new_new"), quantity: in.Quantity,
		created: now, updated: now,
	}
	if out.asin == "" {
		out.asin = "B0" + strings.ToUpper(f.pace.id("asin", in.SKU)[:8])
	}
	if out.title == "" {
		out.title = "Item " + string(in.SKU)
	}
	for _, i := range []instance{all, b2b} {
		if len(i.subs) > 0 {
			out.visible = append(out.visible, i)
		}
	}
	return out, nil
}

// number makes a decimal text a JSON number: JSON has no leading zeros.
func number(text string) string {
	sign, digits := "", text
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, digits = "-", rest
	}
	trimmed := strings.TrimLeft(digits, "0")
	if trimmed == "" || trimmed[0] == '.' {
		trimmed = "0" + trimmed
	}
	return sign + trimmed
}

func seedSale(to *instance, s Sale, m price.Marketplace) error {
	if _, err := price.ParseMoney(s.Price, m.Currency); err != nil {
		return fmt.Errorf("sale %q: %w", s.Price, err)
	}
	for _, text := range []string{s.Start, s.End} {
		if _, err := moment(text); err != nil {
			return fmt.Errorf("sale: %w", err)
		}
	}
	*to = to.with(subSale, json.RawMessage(fmt.Sprintf(`[{"schedule":[{"start_at":%q,"end_at":%q,"value_with_tax":%s}]}]`,
		s.Start, s.End, number(s.Price))))
	return nil
}

func seedTiers(to *instance, tiers []Tier, m price.Marketplace) error {
	levels := make([]string, len(tiers))
	for i, t := range tiers {
		if _, err := price.ParseMoney(t.Price, m.Currency); err != nil {
			return fmt.Errorf("tier %q: %w", t.Price, err)
		}
		levels[i] = fmt.Sprintf(`{"lower_bound":%d,"value":%s}`, t.From, number(t.Price))
	}
	*to = to.with(subTiers, json.RawMessage(`[{"schedule":[{"discount_type":"fixed","levels":[`+strings.Join(levels, ",")+`]}]}]`))
	return nil
}

// Listing returns what a read would show now, in the form of a seed.
func (f *Fake) Listing(region price.Region, sellerID string, id price.MarketplaceID, sku price.SKU) (Listing, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sellers[sellerKey{region, sellerID}]
	if s == nil {
		return Listing{}, false
	}
	f.advance(f.cfg.Clock.Now())
	l := f.find(s, id, sku, f.cfg.Clock.Now())
	if l == nil {
		return Listing{}, false
	}
	m := s.markets[id].Marketplace
	out := Listing{
		Marketplace: id, SKU: sku, ASIN: l.asin, Title: l.title, ProductType: l.productType, ProductID: l.productID,
		Quantity: l.quantity, Channel: l.channel, Condition: l.condition,
	}
	text := func(i instance, name string) string {
		s, _ := i.schedule(name)
		return s.Value.String()
	}
	all := l.offer(m, audienceAll)
	b2b := l.offer(m, audienceB2B)
	out.Price, out.Min, out.Max, out.B2B = text(all, subOur), text(all, subMin), text(all, subMax), text(b2b, subOur)
	if s, ok := all.schedule(subSale); ok {
		out.Sale = &Sale{s.Value.String(), s.Start, s.End}
	}
	if s, ok := b2b.schedule(subTiers); ok {
		for _, level := range s.Levels {
			from, _ := strconv.Atoi(level.From.String())
			out.Tiers = append(out.Tiers, Tier{from, level.Value.String()})
		}
	}
	out.Automated = all.sub(subAutomated) != nil
	return out, true
}
