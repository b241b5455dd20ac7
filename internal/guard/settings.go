package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

const (
	// MaxSettings bounds the settings as JSON, in bytes: before and after fit into
	// one ledger event.
	MaxSettings = 28 << 10
	maxPattern  = 100 // bytes; Amazon's SKUs have at most 40 characters
	// A delay leaves half of a plan's life, which is a day, for the release.
	minDelay, maxDelay = time.Minute, 12 * time.Hour
)

// Settings are what a tenant chose.
type Settings struct {
	Rules    []Rule   `json:"rules"`
	Breaker  Breaker  `json:"breaker"`
	Approval Approval `json:"approval"`
	Release  Release  `json:"release"`
}

// Rule gives limits to the offers that it matches.
//
// When several rules match an offer, each limit comes from the most specific rule
// that states it. An exact SKU is more specific than a pattern, a pattern with
// more letters more than one with fewer, any pattern more than none; of equal
// ones, the rule that names a marketplace; of equal ones still, the later rule.
type Rule struct {
	Marketplace price.MarketplaceID `json:"marketplace,omitempty"` // "" is all
	// SKU is a SKU, or a pattern in which * stands for any text, also none; "" is
	// all.
	SKU string `json:"sku,omitempty"`
	Limits
}

// Limits are what one rule states; nil says nothing. Their meaning is that of
// price.Guards. An amount binds only the offers of its currency.
type Limits struct {
	HoldDropPercent   *int64            `json:"hold_drop_percent,omitempty"`
	HoldRisePercent   *int64            `json:"hold_rise_percent,omitempty"`
	RefuseDropPercent *int64            `json:"refuse_drop_percent,omitempty"`
	NeverTouch        *bool             `json:"never_touch,omitempty"`
	Minimum           *price.Money      `json:"minimum,omitempty"`
	Maximum           *price.Money      `json:"maximum,omitempty"`
	MAP               *price.Money      `json:"map,omitempty"`
	MarginPercent     *int64            `json:"margin_percent,omitempty"`
	Moves             []price.MoveLimit `json:"moves,omitempty"`
	Omnibus           *bool             `json:"omnibus,omitempty"`
	Rounding          *price.Rounding   `json:"rounding,omitempty"`
}

// Breaker holds every row of a marketplace when the file as a whole looks like a
// mistake there.
type Breaker struct {
	// A SKU counts as dropping when a price of it falls by more than DropPercent.
	// More than SharePercent of the SKUs that change, and at least AtLeast of
	// them, hold the marketplace. Zero AtLeast, and a share of 100, never do.
	DropPercent  int64 `json:"drop_percent"`
	SharePercent int64 `json:"share_percent"`
	AtLeast      int64 `json:"at_least"`
	// AtRisk holds the marketplaces of a currency in which the money at risk is
	// over its amount; none by default.
	AtRisk []price.Money `json:"at_risk,omitempty"`
}

// Approval is above which size a plan needs a second person. All off by default.
type Approval struct {
	Rows          *int64        `json:"rows,omitempty"`           // more planned rows
	AtRisk        []price.Money `json:"at_risk,omitempty"`        // more money at risk in a currency
	ChangePercent *int64        `json:"change_percent,omitempty"` // a price moving by more
}

// Release is about releasing what was held, and approving: a second person's business.
type Release struct {
	// DelaySeconds is how long after a plan was made its maker may do both, if the
	// tenant has nobody else who could.
	DelaySeconds int64 `json:"delay_seconds"`
}

// Delay is how long a single member waits.
func (r Release) Delay() time.Duration { return time.Duration(r.DelaySeconds) * time.Second }

// Default are the settings of a tenant that has chosen none: the limits of
// price.DefaultGuards, a breaker at a quarter of the SKUs, and 15 minutes.
func Default() Settings {
	return Settings{
		Rules:   []Rule{},
		Breaker: Breaker{DropPercent: 30, SharePercent: 25, AtLeast: 20},
		Release: Release{DelaySeconds: 15 * 60},
	}
}

// Validate returns a fault of kind Invalid that says which member is wrong.
func (s Settings) Validate() error {
	for i, r := range s.Rules {
		if err := r.validate(); err != nil {
			return fault.New(fault.Invalid, "guards", "rules[%d]: %s", i, err.Error()).Because(err)
		}
	}
	b := s.Breaker
	for _, l := range []struct {
		name       string
		value, max int64
	}{
		{"breaker.drop_percent", b.DropPercent, 100}, {"breaker.share_percent", b.SharePercent, 100}, {"breaker.at_least", b.AtLeast, 1_000_000_000},
		{"release.delay_seconds", s.Release.DelaySeconds, int64(maxDelay / time.Second)},
		{"approval.rows", orZero(s.Approval.Rows), 1_000_000_000}, {"approval.change_percent", orZero(s.Approval.ChangePercent), 100_000},
	} {
		if l.value < 0 || l.value > l.max {
			return fault.New(fault.Invalid, "guards", "%s is %d, want 0 to %d.", l.name, l.value, l.max)
		}
	}
	for name, list := range map[string][]price.Money{"breaker.at_risk": b.AtRisk, "approval.at_risk": s.Approval.AtRisk} {
		seen := map[price.Currency]bool{}
		for _, m := range list {
			if m.Minor() < 0 || seen[m.Currency()] {
				return fault.New(fault.Invalid, "guards", "%s has %s: want one amount for each currency, none below zero.", name, m)
			}
			seen[m.Currency()] = true
		}
	}
	if s.Release.Delay() < minDelay {
		return fault.New(fault.Invalid, "guards", "release.delay_seconds is %d, want %d at least: it is the time in which a single member can notice a mistake.", s.Release.DelaySeconds, int64(minDelay/time.Second))
	}
	if n := len(s.encode()); n > MaxSettings {
		return fault.New(fault.TooLarge, "guards", "The guards are %d bytes long as JSON, at most %d fit. Put SKUs that begin alike into one pattern.", n, MaxSettings)
	}
	return nil
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func (r Rule) validate() error {
	if _, ok := price.MarketplaceByID(r.Marketplace); r.Marketplace != "" && !ok {
		return fmt.Errorf("marketplace %q is not one of Amazon's marketplace ids", r.Marketplace)
	}
	if len(r.SKU) > maxPattern {
		return fmt.Errorf("sku is %d bytes long, at most %d fit", len(r.SKU), maxPattern)
	}
	// A marketplace in the rule settles which amounts could ever bind.
	g := price.DefaultGuards()
	r.onto(&g, "")
	if m, ok := price.MarketplaceByID(r.Marketplace); ok {
		for _, a := range r.amounts() {
			if a.Currency() != m.Currency {
				return fmt.Errorf("the amount %s cannot bind in %s, which uses %s", a, m.Country, m.Currency)
			}
		}
	}
	return g.Validate()
}

func (l Limits) amounts() []price.Money {
	var out []price.Money
	add := func(list ...*price.Money) {
		for _, m := range list {
			if m != nil {
				out = append(out, *m)
			}
		}
	}
	add(l.Minimum, l.Maximum, l.MAP)
	for _, m := range l.Moves {
		add(m.Drop, m.Rise)
	}
	return out
}

// encode is the canonical form: JSON in the order of the struct.
func (s Settings) encode() []byte {
	if s.Rules == nil {
		s.Rules = []Rule{}
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("guard: " + err.Error()) // amounts, numbers and text can always be written
	}
	return b
}

// Hash names the settings by their content.
func (s Settings) Hash() string { return digest(s.encode()) }

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(p)
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
