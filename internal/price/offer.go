package price

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SKU is the seller's own identifier of an item at Amazon. Any byte may occur
// in it, also / # % + , and non-Latin letters.
type SKU string

// ConnectionID identifies one seller account in one Amazon region.
type ConnectionID string

// OfferKey names an offer within a tenant.
type OfferKey struct {
	Connection  ConnectionID  `json:"connection"`
	Marketplace MarketplaceID `json:"marketplace"`
	SKU         SKU           `json:"sku"`
}

// String returns the key as connection/marketplace/SKU, for messages.
func (k OfferKey) String() string {
	return string(k.Connection) + "/" + string(k.Marketplace) + "/" + string(k.SKU)
}

// Field names one independently settable part of an offer's prices.
type Field string

// The fields of an offer. Their text is used in files, the API and the ledger.
const (
	FieldOur   Field = "price"         // our_price, audience ALL
	FieldSale  Field = "sale_price"    // discounted_price with its window
	FieldMin   Field = "minimum_price" // minimum_seller_allowed_price
	FieldMax   Field = "maximum_price" // maximum_seller_allowed_price
	FieldB2B   Field = "b2b_price"     // our_price, audience B2B
	FieldTiers Field = "b2b_tiers"     // quantity_discount_plan, audience B2B
)

// order is the order in which fields are shown.
var order = [...]Field{FieldOur, FieldSale, FieldMin, FieldMax, FieldB2B, FieldTiers}

// Fields lists all fields in the order in which they are shown.
func Fields() []Field { return slices.Clone(order[:]) }

// Sale is a reduced price and the window in which it holds: from Start up to,
// not including, End; both in UTC with a precision of one second.
type Sale struct {
	Price Money     `json:"price"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Equal reports whether both sales have the same price and window.
func (s Sale) Equal(o Sale) bool {
	return s.Price == o.Price && s.Start.Equal(o.Start) && s.End.Equal(o.End)
}

// Tier is one step of a B2B quantity price: Price per unit from Quantity units.
type Tier struct {
	Quantity int   `json:"quantity"`
	Price    Money `json:"price"`
}

// Prices is the full price state of an offer. A nil pointer means that the
// field is not set at Amazon; it never means zero.
type Prices struct {
	Our   *Money `json:"price,omitempty"`
	Sale  *Sale  `json:"sale_price,omitempty"`
	Min   *Money `json:"minimum_price,omitempty"`
	Max   *Money `json:"maximum_price,omitempty"`
	B2B   *Money `json:"b2b_price,omitempty"`
	Tiers []Tier `json:"b2b_tiers,omitempty"`
}

// EqualField reports whether one field is the same in p and o.
func (p Prices) EqualField(f Field, o Prices) bool { return p.equalField(f, &o) }

func (p *Prices) equalField(f Field, o *Prices) bool {
	switch f {
	case FieldOur:
		return equalMoney(p.Our, o.Our)
	case FieldSale:
		return (p.Sale == nil) == (o.Sale == nil) && (p.Sale == nil || p.Sale.Equal(*o.Sale))
	case FieldMin:
		return equalMoney(p.Min, o.Min)
	case FieldMax:
		return equalMoney(p.Max, o.Max)
	case FieldB2B:
		return equalMoney(p.B2B, o.B2B)
	case FieldTiers:
		return slices.Equal(p.Tiers, o.Tiers)
	}
	return false
}

func equalMoney(a, b *Money) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func (p *Prices) has(f Field) bool {
	switch f {
	case FieldOur:
		return p.Our != nil
	case FieldSale:
		return p.Sale != nil
	case FieldMin:
		return p.Min != nil
	case FieldMax:
		return p.Max != nil
	case FieldB2B:
		return p.B2B != nil
	case FieldTiers:
		return len(p.Tiers) > 0
	}
	return false
}

// Has reports whether the field is set.
func (p Prices) Has(f Field) bool { return p.has(f) }

// CopyField copies one field of from into p.
func (p *Prices) CopyField(f Field, from Prices) {
	switch f {
	case FieldOur:
		p.Our = from.Our
	case FieldSale:
		p.Sale = from.Sale
	case FieldMin:
		p.Min = from.Min
	case FieldMax:
		p.Max = from.Max
	case FieldB2B:
		p.B2B = from.B2B
	case FieldTiers:
		p.Tiers = slices.Clone(from.Tiers)
	}
}

// Edit is what a seller wants changed about one offer: the fields in Set get
// the values given there, the fields in Clear are removed, all others stay as
// they are. A field must not be in both.
type Edit struct {
	Set   Prices  `json:"set"`
	Clear []Field `json:"clear,omitempty"`
}

// ErrEdit is returned for an edit that sets and clears the same field.
var ErrEdit = errors.New("price: a field is both set and cleared")

// Validate returns ErrEdit for a contradictory edit.
func (e Edit) Validate() error {
	for _, f := range e.Clear {
		if e.Set.Has(f) {
			return ErrEdit
		}
	}
	return nil
}

// Touched lists the fields that the edit sets or clears, in display order.
func (e Edit) Touched() []Field {
	return e.list(func(Field) bool { return true })
}

// touches reports whether the edit sets or clears the field.
func (e *Edit) touches(f Field) bool { return e.Set.has(f) || slices.Contains(e.Clear, f) }

// fieldSet has a bit for each field, in display order.
type fieldSet uint8

// touched is the fields that the edit sets or clears. Plans ask for it several
// times for every row of a file.
func (e *Edit) touched() fieldSet {
	p, set := &e.Set, fieldSet(0)
	for i, has := range [...]bool{p.Our != nil, p.Sale != nil, p.Min != nil, p.Max != nil, p.B2B != nil, len(p.Tiers) > 0} {
		if has {
			set |= 1 << i
		}
	}
	for _, f := range e.Clear {
		if i := slices.Index(order[:], f); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

func (s fieldSet) first() Field   { return order[bits.TrailingZeros8(uint8(s))] }
func (s fieldSet) rest() fieldSet { return s & (s - 1) }

// any reports whether one of the touched fields is wanted.
func (e *Edit) any(wanted func(Field) bool) bool {
	for s := e.touched(); s != 0; s = s.rest() {
		if f := s.first(); wanted(f) {
			return true
		}
	}
	return false
}

// list returns the touched fields that are wanted. Plans ask this of every row
// of a file, so that the list takes one allocation of its size, or none.
func (e *Edit) list(wanted func(Field) bool) []Field {
	var found [len(order)]Field
	n := 0
	for s := e.touched(); s != 0; s = s.rest() {
		if f := s.first(); wanted(f) {
			found[n] = f
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return append(make([]Field, 0, n), found[:n]...)
}

// Apply returns the prices that the edit makes out of old.
func (e Edit) Apply(old Prices) Prices {
	out := old
	out.Tiers = slices.Clone(old.Tiers)
	for s := e.touched(); s != 0; s = s.rest() {
		out.CopyField(s.first(), e.Set)
	}
	return out
}

// Changed lists the touched fields whose value differs from old.
func (e Edit) Changed(old Prices) []Field {
	return e.list(func(f Field) bool { return !e.Set.equalField(f, &old) })
}

// OnlyChanged returns the part of the edit that differs from old.
func (e Edit) OnlyChanged(old Prices) Edit {
	if !e.any(func(f Field) bool { return e.Set.equalField(f, &old) }) {
		return e
	}
	return e.Only(e.Changed(old))
}

// Of returns the fields of old that the edit touches.
func (e Edit) Of(old Prices) Prices {
	var out Prices
	for s := e.touched(); s != 0; s = s.rest() {
		out.CopyField(s.first(), old)
	}
	return out
}

// Only returns the part of the edit that concerns the given fields.
func (e Edit) Only(fields []Field) Edit {
	var out Edit
	for _, f := range fields {
		if e.Set.Has(f) {
			out.Set.CopyField(f, e.Set)
		} else if slices.Contains(e.Clear, f) {
			out.Clear = append(out.Clear, f)
		}
	}
	return out
}

// Inverse returns the edit that takes this one back: every field it touches gets
// the value that it has in old, or is cleared when it had none.
func (e Edit) Inverse(old Prices) Edit {
	var out Edit
	for _, f := range e.Touched() {
		if old.Has(f) {
			out.Set.CopyField(f, old)
		} else {
			out.Clear = append(out.Clear, f)
		}
	}
	return out
}

// Met reports whether every field that the edit touches has the wanted value
// in p, and names the ones that have not.
func (e Edit) Met(p Prices) (bool, []Field) {
	missing := e.Changed(p)
	return len(missing) == 0, missing
}

// Summary describes the prices in one line, e.g. "price 19.90 EUR, minimum_price 15.00 EUR".
func (p Prices) Summary(fields []Field) string {
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		parts = append(parts, string(f)+" "+p.Text(f))
	}
	return strings.Join(parts, ", ")
}

// Text describes one field, "none" when it is not set. Values that differ have
// texts that differ.
func (p Prices) Text(f Field) string {
	show := func(m *Money) string {
		if m == nil {
			return "none"
		}
		return m.String()
	}
	switch f {
	case FieldOur:
		return show(p.Our)
	case FieldMin:
		return show(p.Min)
	case FieldMax:
		return show(p.Max)
	case FieldB2B:
		return show(p.B2B)
	case FieldSale:
		if p.Sale == nil {
			return "none"
		}
		return p.Sale.Price.String() + " from " + moment(p.Sale.Start) + " to " + moment(p.Sale.End)
	case FieldTiers:
		var b strings.Builder
		for i, t := range p.Tiers {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(t.Price.String() + " from " + strconv.Itoa(t.Quantity))
		}
		if b.Len() == 0 {
			return "none"
		}
		return b.String()
	}
	return ""
}

// moment is a time in UTC, of midnight only the date.
func moment(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// Offer is what the product knows about one offer at Amazon.
type Offer struct {
	Key         OfferKey
	ASIN        string
	GTIN        string // in the form of NormalGTIN, empty when not known
	ProductType string // Amazon's product type, empty when not known
	Title       string
	Quantity    *int64 // units in stock; nil when Amazon did not say
	Automated   bool   // under Amazon's Automate Pricing: our price would be overwritten
	Known       Prices // as last read from Amazon
	// ReadAt is when Known was last read in full. Zero: never, so that a
	// change of this offer is held and not guessed.
	ReadAt time.Time
	// Version counts the writes of the offer's item; a plan remembers it so
	// that an offer which moved since is noticed.
	Version int64
	// Replaced is our price as it was before the change of ours that is live now,
	// nil when the live price is not ours or there was none. Guards take a rise to
	// it for a way back: whoever judges something else leaves it out.
	Replaced *Replaced
}

// Replaced is a price that a change of ours took the place of.
type Replaced struct {
	Price Money
	Until time.Time // when its successor was observed
	Batch string    // which brought the successor
	// Agreed: that it would come back was asked for beforehand, so that it is a way
	// back however long that took.
	Agreed bool
}

// WayBackFor is how long after a change its way back is taken for one.
const WayBackFor = 24 * time.Hour
