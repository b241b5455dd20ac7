package plan

import (
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"time"

	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/tenant"
)

// Policy says what bad rows mean for the good ones.
type Policy string

// The policies.
const (
	SkipBadRows  Policy = "skip-bad-rows"  // held and refused rows stay behind
	AllOrNothing Policy = "all-or-nothing" // one held or refused row blocks the plan
)

// Valid reports whether p is one of the policies.
func (p Policy) Valid() bool { return p == SkipBadRows || p == AllOrNothing }

const (
	// Lifetime is how long a plan can be applied. Offers move meanwhile; the
	// lanes notice that row by row, so this only keeps old intentions out.
	Lifetime = 24 * time.Hour
	// Rate is Amazon's limit of price writes a second for one seller account in
	// one region (patchListingsItem, usage plan of the Listings Items API).
	Rate = 5
	// Visibility is how long an accepted price is expected to take until it can
	// be read back. Amazon publishes no figure; other tools tell sellers 5 to 15
	// minutes. Lanes measure their own.
	Visibility = 10 * time.Minute
)

// Origin says what a plan was made of, when that is not a file.
type Origin string

// The origins.
const (
	OfFile       Origin = ""
	OfRollback   Origin = "rollback"   // takes a batch back
	OfCorrection Origin = "correction" // one offer, by hand
	OfRelease    Origin = "release"    // rows that a plan held
)

// Lookup finds what is known about offers.
type Lookup interface {
	// Offers returns the offers that exist among keys; missing ones are not in
	// the map. It is called for at most a thousand keys at a time.
	Offers(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error)
}

// Input is what a plan is made of.
type Input struct {
	ID          string // made by NewID
	Tenant      tenant.ID
	Actor       string // who asked, for the ledger
	Accountable string // who answers for it, who cannot be the second person then; "" for Actor
	File        string // the name that the seller gave the file
	Content     []byte
	// Restore makes the plan of a rollback, in place of Content.
	Restore []Restore
	// Correction makes the plan of one offer's correction, in place of Content.
	Correction *Correction
	// Release makes the plan of rows that another plan held, in place of Content.
	Release     *ReleaseOf
	Marketplace price.MarketplaceID // for rows that name none, "" for none
	// Mappings are what the tenant has chosen for headers: Store.Mappings.
	Mappings pricefile.Mappings
	Policy   Policy
	Guards   GuardSet
	Breaker  guard.Breaker  // the zero value never trips
	Approval guard.Approval // the zero value asks for none
	History  guard.Past     // nil: nothing is known about the past
	Now      time.Time
	// Links are what rows of a file make in other marketplaces; nil for nothing.
	Links *fx.Set
	// Connections says which connection serves which marketplace.
	Connections map[price.MarketplaceID]price.ConnectionID
	// Visibility is the expected time from accepted to readable, 0 for the
	// package's own estimate.
	Visibility time.Duration

	tripped errTripped // nil: the breaker was not asked yet
}

// Finding is one thing to say about a row, in the words of the file.
type Finding struct {
	Code   string `json:"code"`
	Column string `json:"column"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
	Fix    string `json:"fix"`
}

// Row is what the plan makes of one row of the file.
type Row struct {
	N       int64          `json:"n"`    // from 1, in file order
	Line    int            `json:"line"` // physical line in the file
	Key     price.OfferKey `json:"key"`
	Version int64          `json:"v,omitempty"` // of the offer, as planned on
	Verdict price.Verdict  `json:"verdict"`
	// Old and Edit hold only the fields that would change.
	Old  price.Prices `json:"old"`
	Edit price.Edit   `json:"edit"`
	// ChangePercent is the move of our price with two decimals, "" when our
	// price does not change or there was none.
	ChangePercent string       `json:"changePercent,omitempty"`
	AtRisk        *price.Money `json:"atRisk,omitempty"` // nil for nothing
	Findings      []Finding    `json:"findings,omitempty"`
	// Linked is how the row came about that is not in the file, but follows the row
	// on its line; nil for the file's own rows.
	Linked *price.Linked `json:"linked,omitempty"`

	released []price.Code // what the row was held for and is no longer
	far      bool         // moves a price by more than goes without approval
}

// FieldChange is one field before and after. Old and New are a price.Money, a
// price.Sale, a list of price.Tier, or nil for not set.
type FieldChange struct {
	Field price.Field `json:"field"`
	Old   any         `json:"old"`
	New   any         `json:"new"`
}

// Changes lists the fields that the row would change.
func (r Row) Changes() []FieldChange {
	out := []FieldChange{}
	for _, f := range r.Edit.Touched() {
		out = append(out, FieldChange{f, value(r.Old, f), value(r.Edit.Set, f)})
	}
	return out
}

func value(p price.Prices, f price.Field) any {
	if !p.Has(f) {
		return nil // and not a typed nil, which JSON and == would tell apart
	}
	switch f {
	case price.FieldOur:
		return *p.Our
	case price.FieldSale:
		return *p.Sale
	case price.FieldMin:
		return *p.Min
	case price.FieldMax:
		return *p.Max
	case price.FieldB2B:
		return *p.B2B
	case price.FieldTiers:
		return p.Tiers
	}
	return nil
}

// Counts is how many rows ended how.
type Counts struct {
	Rows      int64 `json:"rows"`
	Planned   int64 `json:"planned"`
	Held      int64 `json:"held"`
	Refused   int64 `json:"refused"`
	Unchanged int64 `json:"unchanged"`
}

func (c *Counts) add(v price.Verdict) {
	c.Rows++
	switch v {
	case price.Allowed:
		c.Planned++
	case price.Held:
		c.Held++
	case price.Unchanged:
		c.Unchanged++
	default:
		c.Refused++
	}
}

// MarketplaceCounts are the counts of one marketplace. Rows whose marketplace
// is not known are under "".
type MarketplaceCounts struct {
	Marketplace price.MarketplaceID `json:"marketplace"`
	Counts
}

// Summary is a plan in a few numbers.
type Summary struct {
	Counts
	// AtRisk is the money at risk in the planned rows, per currency.
	AtRisk       []price.Money       `json:"atRisk"`
	Marketplaces []MarketplaceCounts `json:"marketplaces"`
	// ETASeconds is when the last planned price should be readable at Amazon,
	// counted from applying. Connections work side by side.
	ETASeconds int64 `json:"etaSeconds"`
}

// Lane is what one connection has to send.
type Lane struct {
	Connection price.ConnectionID `json:"connection"`
	Planned    int64              `json:"planned"`
	Chunks     []string           `json:"chunks"` // hash of each lane file
}

// Header is a plan without its rows. Its JSON is what the token stands for.
type Header struct {
	ID     string    `json:"id"`
	Tenant tenant.ID `json:"tenant"`
	Actor  string    `json:"actor"`
	// Accountable is who answers for the actor; "" for the actor itself.
	Accountable string           `json:"accountable,omitempty"`
	File        string           `json:"file"`
	Created     time.Time        `json:"created"`
	Expires     time.Time        `json:"expires"`
	Policy      Policy           `json:"policy"`
	Guards      string           `json:"guardsHash"` // of the settings that judged it
	Summary     Summary          `json:"summary"`
	Mapping     pricefile.Layout `json:"mapping"`
	Segments    []string         `json:"segments"` // hash of each row file
	Lanes       []Lane           `json:"lanes"`    // sorted by connection
	// Blocked says why the plan cannot be applied, "" when it can.
	Blocked string `json:"blocked,omitempty"`
	Origin  Origin `json:"origin,omitempty"`
	// Tripped says for which marketplaces the breaker held every row, and why.
	Tripped []Trip `json:"tripped,omitempty"`
	// Approval says why the plan needs a second person, "" when it does not.
	Approval string `json:"approval,omitempty"`
	// Released is whose held rows these are; nil for a plan that releases nothing.
	Released *Released `json:"released,omitempty"`
	// Links and Rates are the hashes of what derived rows were made by, "" for none.
	Links string `json:"linksHash,omitempty"`
	Rates string `json:"ratesHash,omitempty"`
}

// Plan is a plan that was made and is not stored.
type Plan struct {
	Header
	Token string

	files map[string][]byte
}

// Rows yields the rows in file order.
func (p *Plan) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for i := range p.Segments {
			rows, err := decode[Row](p.files[segmentName(p.ID, i)])
			if err != nil {
				panic("plan: cannot read what was just written: " + err.Error())
			}
			for _, r := range rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}

var idForm = regexp.MustCompile(`^plan_[a-z2-7]{26}$`)

// NewID returns a new plan id from 128 random bits.
func NewID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("plan: new id: %w", err)
	}
	return "plan_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}
